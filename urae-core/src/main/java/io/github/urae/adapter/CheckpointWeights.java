package io.github.urae.adapter;

import io.github.urae.ModelException;
import io.github.urae.internal.OwnedResources;
import io.github.urae.safetensors.Safetensors;
import io.github.urae.safetensors.TensorSource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.Map;

/** Opens the networks of a checkpoint that adapters may change. */
final class CheckpointWeights {

  private CheckpointWeights() {}

  /**
   * Opens the networks that are there; the transformer must be.
   *
   * @param model a checkpoint's folder in diffusers layout
   * @param opened becomes their owner
   */
  static Map<Network, TensorSource> open(Path model, OwnedResources opened) throws IOException {
    Map<Network, TensorSource> weights = new EnumMap<>(Network.class);
    for (Network network : Network.values()) {
      Path folder = model.resolve(network.folder());
      if (Files.isDirectory(folder)) {
        weights.put(network, opened.add(Safetensors.openByParameters(folder)));
      }
    }
    if (!weights.containsKey(Network.TRANSFORMER)) {
      throw new ModelException(
          model
              + ": expected a checkpoint in diffusers layout, found no folder '"
              + Network.TRANSFORMER.folder()
              + "'");
    }
    return weights;
  }
}
