package io.github.urae.benchmarks;

import io.github.urae.flux.model.internal.TransformerConfig;
import io.github.urae.onnx.internal.graph.TransformerGraph;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import java.util.List;
import java.util.Map;

/** The transformer of FLUX.1-dev: true shapes, no values. */
final class FluxDev {

  static final TransformerConfig TRANSFORMER =
      new TransformerConfig(64, 64, 19, 38, 24, 128, List.of(16, 56, 56), 4096, 768, true);

  private FluxDev() {}

  /** Returns the shapes of its 780 weights, 24 GB in bfloat16. */
  static Map<String, Shape> weights() {
    return TransformerGraph.build(TRANSFORMER, ElementType.BF16).parameters();
  }
}
