package io.github.urae.training.internal.torch;

import io.github.urae.flux.model.internal.TransformerConfig;
import io.github.urae.tensor.Shape;
import io.github.urae.training.internal.engine.AdapterStage;
import java.util.Map;

/** How much is trained, without opening a model. */
public final class TrainedShapes {

  private TrainedShapes() {}

  /**
   * Counts the numbers that are trained.
   *
   * @param config the transformer
   * @param stage what is trained of it
   * @return numbers
   * @throws io.github.urae.AdapterException if a target names no layer, or one that the stage's
   *     files have no key for
   */
  public static long parameters(TransformerConfig config, AdapterStage stage) {
    Map<String, Shape> shapes = TransformerShapes.of(config);
    return stage.targets().among(TransformerShapes.blockLayers(config)).stream()
        .map(layer -> shapes.get(TrainedModule.of(stage, layer).name() + ".weight"))
        .mapToLong(weight -> stage.rank() * (weight.dimension(0) + weight.dimension(1)))
        .sum();
  }
}
