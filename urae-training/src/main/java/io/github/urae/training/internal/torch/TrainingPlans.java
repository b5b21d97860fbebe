package io.github.urae.training.internal.torch;

import io.github.urae.flux.model.internal.TransformerConfig;
import io.github.urae.tensor.Shape;
import io.github.urae.training.internal.engine.EngineSettings;
import io.github.urae.training.internal.engine.TrainingCost;
import java.util.Map;

/** What a training would take, without libtorch and without a weight being read. */
public final class TrainingPlans {

  private TrainingPlans() {}

  /**
   * Computes the cost of a step.
   *
   * @param config the transformer's sizes
   * @param settings what is trained, and how
   * @param textTokens of T5; 512
   * @param imageTokens of the picture
   * @return the cost
   * @throws io.github.urae.AdapterException if a target names no layer, or none that the stage's
   *     files have a key for
   */
  public static TrainingCost cost(
      TransformerConfig config, EngineSettings settings, long textTokens, long imageTokens) {
    Map<String, Shape> shapes = TransformerShapes.of(config);
    long weights = shapes.values().stream().mapToLong(Shape::elementCount).sum();
    long adapters = 0;
    for (String layer : settings.stage().targets().among(TransformerShapes.blockLayers(config))) {
      Shape weight = shapes.get(TrainedModule.of(settings.stage(), layer).name() + ".weight");
      adapters +=
          TrainingCost.adapterNumbers(
              settings.stage().rank(), weight.dimension(1), weight.dimension(0));
    }
    return TrainingCost.of(config, settings, weights, adapters, textTokens, imageTokens);
  }
}
