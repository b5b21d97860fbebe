package io.github.urae.adapter.internal.merge;

import io.github.urae.ModelException;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.Checkpoint;
import io.github.urae.flux.model.internal.ModelFamily;
import io.github.urae.flux.model.internal.NetworkWeights;
import io.github.urae.internal.OwnedResources;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The weights of a checkpoint that adapters may change.
 *
 * @param family which kind of model it is
 * @param folder the checkpoint's folder, links of a cache followed
 * @param byNetwork the weights by diffusers' names
 */
public record CheckpointWeights(
    ModelFamily family, Path folder, Map<Component, TensorSource> byNetwork) {

  /**
   * Opens the weights.
   *
   * @param model a checkpoint in diffusers layout, also in a Hugging Face cache
   * @param transformer where the transformer comes from; empty for the checkpoint's own
   * @param opened becomes the owner of the open files
   * @return the weights, open until that is closed
   * @throws IOException if a file is missing or cannot be read
   * @throws io.github.urae.UraeException if this is no checkpoint of FLUX.1, a directory of ONNX
   *     exports, or a file is damaged
   */
  public static CheckpointWeights open(
      Path model, Optional<Path> transformer, OwnedResources opened) throws IOException {
    Checkpoint checkpoint = Checkpoint.open(model);
    Path folder = checkpoint.folder();
    Map<Component, TensorSource> weights = new EnumMap<>(Component.class);
    for (Component network : checkpoint.family().networks()) {
      if (!network.isAdaptable()) {
        continue;
      }
      Path own = folder.resolve(network.folder());
      refuseExport(own);
      Path file = network == Component.TRANSFORMER ? transformer.orElse(own) : own;
      weights.put(network, opened.add(NetworkWeights.open(file, checkpoint.family(), network)));
    }
    checkpoint.checkGuidance(weights.get(Component.TRANSFORMER));
    return new CheckpointWeights(checkpoint.family(), folder, weights);
  }

  private static void refuseExport(Path network) throws IOException {
    Path graph = network.resolve("model.onnx");
    if (Files.exists(graph) && !holdsSafetensors(network)) {
      throw new ModelException(
          graph
              + ": expected a checkpoint in diffusers layout, found ONNX exports; adapters are merged"
              + " into those by an export ('urae export', OnnxExport), or while a pipeline is opened");
    }
  }

  private static boolean holdsSafetensors(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.anyMatch(file -> file.getFileName().toString().endsWith(".safetensors"));
    }
  }
}
