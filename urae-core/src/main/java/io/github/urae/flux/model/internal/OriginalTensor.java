package io.github.urae.flux.model.internal;

import io.github.urae.ModelException;
import io.github.urae.tensor.Shape;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A tensor by a family's {@linkplain ModelFamily#names other names}, made of rows of tensors that
 * diffusers' names stand for: the reverse of how {@link NetworkWeights} reads them.
 *
 * @param name of the tensor
 * @param shape its dimensions
 * @param parts the rows, one part after the other
 */
public record OriginalTensor(String name, Shape shape, List<Part> parts) {

  /**
   * Rows of a tensor.
   *
   * @param parameter diffusers' name of the tensor
   * @param firstRow number of the first row
   * @param rows how many
   */
  public record Part(String parameter, long firstRow, long rows) {}

  /** Copies the list. */
  public OriginalTensor {
    parts = List.copyOf(parts);
  }

  /**
   * Returns all tensors of a transformer.
   *
   * @param weights by diffusers' names
   * @param family whose other names are wanted
   * @return in the order of the table of names, block by block
   * @throws ModelException if a tensor is missing
   */
  public static List<OriginalTensor> of(TensorSource weights, ModelFamily family) {
    List<OriginalTensor> tensors = new ArrayList<>();
    for (ParameterTable.Entry entry : family.names().entries()) {
      for (int block = 0; block == 0 || entry.isInBlocks(); block++) {
        ParameterTable.Entry own = entry.in(block);
        boolean there =
            own.parameters().values().stream()
                .anyMatch(name -> weights.find(parameter(own, name)).isPresent());
        if (!there && (own.optional() || block > 0)) {
          break;
        }
        own.parameters()
            .forEach((original, diffusers) -> tensors.add(of(weights, own, original, diffusers)));
      }
    }
    return tensors;
  }

  private static String parameter(ParameterTable.Entry entry, String name) {
    return entry.pieces().get(0).module() + "." + name;
  }

  private static OriginalTensor of(
      TensorSource weights, ParameterTable.Entry entry, String original, String diffusers) {
    Map<String, Integer> shares = new HashMap<>();
    entry.pieces().forEach(piece -> shares.merge(piece.module(), piece.count(), Integer::sum));
    Map<String, Long> next = new HashMap<>();
    // In diffusers' order within each module, then by where they lie in the whole.
    Map<ParameterTable.Piece, Part> parts = new HashMap<>();
    long[] dimensions = null;
    for (ParameterTable.Piece piece : entry.pieces()) {
      String name = piece.module() + "." + diffusers;
      TensorInfo info =
          weights
              .find(name)
              .orElseThrow(
                  () ->
                      new ModelException(
                          weights.files().get(0)
                              + ": expected a tensor '"
                              + name
                              + "', found none"));
      long rows = info.shape().dimension(0) / shares.get(piece.module()) * (long) piece.count();
      long first = next.getOrDefault(name, 0L);
      next.put(name, first + rows);
      parts.put(piece, new Part(name, first, rows));
      if (dimensions == null) {
        dimensions = info.shape().toArray();
        dimensions[0] = 0;
      }
      dimensions[0] += rows;
    }
    List<Part> ordered =
        entry.pieces().stream()
            .sorted((a, b) -> Integer.compare(a.first(), b.first()))
            .map(parts::get)
            .toList();
    return new OriginalTensor(entry.module() + "." + original, Shape.of(dimensions), ordered);
  }
}
