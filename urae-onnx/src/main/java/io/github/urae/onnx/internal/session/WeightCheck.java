package io.github.urae.onnx.internal.session;

import io.github.urae.ModelException;
import io.github.urae.onnx.internal.graph.NetworkGraph;
import io.github.urae.tensor.Shape;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import java.nio.file.Path;
import java.util.Map;

/** Compares what a graph needs with what a checkpoint holds, before anything is loaded. */
final class WeightCheck {

  private WeightCheck() {}

  /**
   * Checks names, shapes and element types of all weights.
   *
   * @throws ModelException at the first that is missing or does not fit
   */
  static void check(NetworkGraph graph, TensorSource source) {
    for (Map.Entry<String, Shape> weight : graph.parameters().entrySet()) {
      check(graph.name(), weight.getKey(), weight.getValue(), source);
    }
  }

  private static void check(String network, String name, Shape expected, TensorSource source) {
    TensorInfo found = source.tensors().get(name);
    if (found == null) {
      Path file = source.files().get(0);
      throw new ModelException(
          file
              + ": the "
              + network
              + " needs tensor '"
              + name
              + "' "
              + expected
              + ", which is missing");
    }
    if (!found.shape().equals(expected)) {
      throw new ModelException(
          found.file()
              + ": tensor '"
              + name
              + "': expected shape "
              + expected
              + " by the configuration, found "
              + found.shape());
    }
    if (!found.type().isFloatingPoint()) {
      throw new ModelException(
          found.file()
              + ": tensor '"
              + name
              + "': expected floating-point weights, found "
              + found.encoding().name()
              + "; quantised checkpoints are not supported");
    }
  }
}
