package io.github.urae.onnx.internal.source;

import io.github.urae.tensor.Shape;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.WeightEncoding;
import io.github.urae.weights.internal.PlacedTensors;
import io.github.urae.weights.internal.TransposedElements;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The weights of an exported network by the names and shapes of its parameters, in the export's own
 * files. Of parameters that share an initializer, each is a tensor of its own over the same bytes,
 * so that one can be changed and the others stay.
 */
final class ExportedWeights {

  private ExportedWeights() {}

  /**
   * Opens the files that hold the weights.
   *
   * @param model the model's own file; the first of the files even if all weights are elsewhere
   * @param parameters initializers by parameter
   * @param shapes shapes of the parameters
   * @param remark what to add to messages about tensors that are missed
   */
  static TensorSource open(
      Path model,
      Map<String, ParameterNames.Found> parameters,
      Map<String, Shape> shapes,
      Optional<String> remark)
      throws IOException {
    List<TensorInfo> tensors = new ArrayList<>();
    parameters.forEach(
        (name, found) -> {
          TensorInfo stored = found.initializer();
          WeightEncoding encoding =
              found.transposed() ? new TransposedElements(stored.type()) : stored.encoding();
          tensors.add(
              new TensorInfo(
                  name,
                  encoding,
                  shapes.get(name),
                  stored.file(),
                  stored.offset(),
                  stored.length()));
        });
    return PlacedTensors.open(List.of(model), tensors, Map.of(), remark);
  }

  /** Returns those of some tensors that share their bytes with another. */
  static List<String> shared(Collection<TensorInfo> tensors) {
    Map<String, List<String>> byPlace = new LinkedHashMap<>();
    for (TensorInfo info : tensors) {
      byPlace
          .computeIfAbsent(info.file() + " " + info.offset(), p -> new ArrayList<>())
          .add(info.name());
    }
    return byPlace.values().stream().filter(n -> n.size() > 1).flatMap(List::stream).toList();
  }
}
