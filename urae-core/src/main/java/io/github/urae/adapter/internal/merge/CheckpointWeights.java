package io.github.urae.adapter.internal.merge;

import io.github.urae.ModelException;
import io.github.urae.flux.model.Component;
import io.github.urae.internal.OwnedResources;
import io.github.urae.weights.Safetensors;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.Map;

/** Opens the networks of a checkpoint that adapters may change. */
public final class CheckpointWeights {

  private CheckpointWeights() {}

  /**
   * Opens the networks that are there; the transformer must be.
   *
   * @param model a checkpoint's folder in diffusers layout
   * @param opened becomes their owner
   */
  public static Map<Component, TensorSource> open(Path model, OwnedResources opened)
      throws IOException {
    Map<Component, TensorSource> weights = new EnumMap<>(Component.class);
    for (Component network : Component.adaptable()) {
      Path folder = model.resolve(network.folder());
      if (Files.isDirectory(folder)) {
        weights.put(network, opened.add(Safetensors.openByParameters(folder)));
      }
    }
    if (!weights.containsKey(Component.TRANSFORMER)) {
      throw new ModelException(
          model
              + ": expected a checkpoint in diffusers layout, found no folder '"
              + Component.TRANSFORMER.folder()
              + "'");
    }
    return weights;
  }
}
