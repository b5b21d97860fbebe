package io.github.urae.onnx.internal.source;

import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorLayout;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.PlacedTensors;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The weights of an exported network by the names and shapes of its parameters, in the export's own
 * files. Of parameters that share an initializer, each is a tensor of its own over the same bytes,
 * so that one can be changed and the others stay.
 */
final class ExportedWeights implements TensorSource {

  private final PlacedTensors places;
  private final Map<String, TensorInfo> tensors;
  private final Set<String> transposed;
  private final Set<String> misaligned;
  private final List<Path> files;
  private final Optional<String> remark;

  /** The last tensor that was transposed to be read in pieces. */
  private Tensor turned;

  private ExportedWeights(
      PlacedTensors places,
      Map<String, TensorInfo> tensors,
      Set<String> transposed,
      Set<String> misaligned,
      List<Path> files,
      Optional<String> remark) {
    this.remark = remark;
    this.places = places;
    this.tensors = tensors;
    this.transposed = transposed;
    this.misaligned = misaligned;
    this.files = files;
  }

  /**
   * Opens the files that hold the weights.
   *
   * @param model the model's own file; among {@link #files()} even if all weights are elsewhere
   * @param parameters initializers by parameter
   * @param shapes shapes of the parameters
   * @param remark what to add to messages about tensors that are missed
   */
  static ExportedWeights open(
      Path model,
      Map<String, ParameterNames.Found> parameters,
      Map<String, Shape> shapes,
      Optional<String> remark)
      throws IOException {
    Map<String, TensorInfo> tensors = new LinkedHashMap<>();
    Set<String> transposed = new LinkedHashSet<>();
    Set<String> misaligned = new LinkedHashSet<>();
    Set<Path> files = new LinkedHashSet<>(List.of(model));
    parameters.forEach(
        (name, found) -> {
          TensorInfo stored = found.initializer();
          tensors.put(
              name,
              new TensorInfo(
                  name,
                  stored.type(),
                  shapes.get(name),
                  stored.file(),
                  stored.offset(),
                  stored.length()));
          files.add(stored.file());
          if (found.transposed()) {
            transposed.add(name);
          }
          if (stored.offset() % (stored.type().bits() / 8) != 0) {
            misaligned.add(name);
          }
        });
    return new ExportedWeights(
        PlacedTensors.open(tensors.values()),
        Collections.unmodifiableMap(tensors),
        transposed,
        misaligned,
        List.copyOf(files),
        remark);
  }

  @Override
  public Optional<String> remark() {
    return remark;
  }

  @Override
  public Map<String, TensorInfo> tensors() {
    return tensors;
  }

  @Override
  public Map<String, String> metadata() {
    return Map.of();
  }

  @Override
  public List<Path> files() {
    return files;
  }

  @Override
  public TensorLayout layout(String name) {
    // Weights inside a model.onnx lie wherever the names before them end.
    if (misaligned.contains(name)) {
      return TensorLayout.SCATTERED;
    }
    return transposed.contains(name) ? TensorLayout.TRANSPOSED : TensorLayout.ROW_MAJOR;
  }

  /** {@inheritDoc} A copy where the file holds the transpose. */
  @Override
  public Tensor tensor(String name) throws IOException {
    Tensor stored = places.tensor(name);
    if (!transposed.contains(name)) {
      return stored;
    }
    Shape shape = tensors.get(name).shape();
    int elementBytes = stored.type().bits() / 8;
    ByteBuffer result =
        ByteBuffer.allocateDirect(stored.data().remaining()).order(ByteOrder.LITTLE_ENDIAN);
    int rows = Math.toIntExact(shape.dimension(0));
    int columns = Math.toIntExact(shape.dimension(1));
    transpose(stored.data(), result, rows, columns, elementBytes);
    return Tensor.view(stored.type(), shape, result, stored.origin());
  }

  /**
   * Writes a matrix [rows, columns] whose transpose is given.
   *
   * @param source the transpose, [columns, rows]
   */
  private static void transpose(
      ByteBuffer source, ByteBuffer target, int rows, int columns, int elementBytes) {
    // In tiles, so that both sides stay in the cache.
    int tile = 64;
    for (int firstRow = 0; firstRow < rows; firstRow += tile) {
      int endRow = Math.min(rows, firstRow + tile);
      for (int firstColumn = 0; firstColumn < columns; firstColumn += tile) {
        int endColumn = Math.min(columns, firstColumn + tile);
        for (int row = firstRow; row < endRow; row++) {
          for (int column = firstColumn; column < endColumn; column++) {
            int from = (column * rows + row) * elementBytes;
            int to = (row * columns + column) * elementBytes;
            switch (elementBytes) {
              case 2 -> target.putShort(to, source.getShort(from));
              case 4 -> target.putInt(to, source.getInt(from));
              default -> target.putLong(to, source.getLong(from));
            }
          }
        }
      }
    }
  }

  @Override
  public void read(String name, long position, ByteBuffer target) throws IOException {
    if (!transposed.contains(name)) {
      places.read(name, position, target);
      return;
    }
    if (position < 0 || position + target.remaining() > tensors.get(name).length()) {
      throw new IllegalArgumentException(
          target.remaining() + " bytes from " + position + " exceed " + tensors.get(name));
    }
    target.put(turned(name).data().slice((int) position, target.remaining()));
  }

  private synchronized Tensor turned(String name) throws IOException {
    if (turned == null || !turned.origin().endsWith(": " + name)) {
      turned = tensor(name);
    }
    return turned;
  }

  @Override
  public void checkUnchanged() throws IOException {
    places.checkUnchanged();
  }

  @Override
  public synchronized void close() throws IOException {
    turned = null;
    places.close();
  }

  /** Returns the parameters that share their bytes with another. */
  List<String> shared() {
    Map<String, List<String>> byPlace = new LinkedHashMap<>();
    tensors.forEach(
        (name, info) ->
            byPlace
                .computeIfAbsent(info.file() + " " + info.offset(), p -> new ArrayList<>())
                .add(name));
    return byPlace.values().stream().filter(n -> n.size() > 1).flatMap(List::stream).toList();
  }
}
