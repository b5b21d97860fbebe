package io.github.urae.adapter.internal.merge;

import io.github.urae.ModelException;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.Checkpoint;
import io.github.urae.flux.model.internal.ModelLocation;
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
 * @param checkpoint its configurations, and where its components lie
 * @param byNetwork the weights by diffusers' names
 * @param autoencoder both halves, by diffusers' names; empty where they are in the checkpoint's own
 *     folder
 */
public record CheckpointWeights(
    Checkpoint checkpoint,
    Map<Component, TensorSource> byNetwork,
    Optional<TensorSource> autoencoder) {

  /**
   * Opens the weights.
   *
   * @param location where the model lies
   * @param opened becomes the owner of the open files
   * @return the weights, open until that is closed
   * @throws IOException if a file is missing or cannot be read
   * @throws io.github.urae.UraeException if this is no checkpoint of FLUX.1, a directory of ONNX
   *     exports, or a file is damaged
   */
  public static CheckpointWeights open(ModelLocation location, OwnedResources opened)
      throws IOException {
    Checkpoint checkpoint = Checkpoint.open(location, Checkpoint.FAMILIES);
    Map<Component, TensorSource> weights = new EnumMap<>(Component.class);
    for (Component network : checkpoint.family().networks()) {
      if (!network.isAdaptable()) {
        continue;
      }
      Path place = checkpoint.place(network);
      refuseExport(place);
      weights.put(network, opened.add(NetworkWeights.open(place, checkpoint.family(), network)));
    }
    checkpoint.checkGuidance(weights.get(Component.TRANSFORMER));
    Optional<TensorSource> autoencoder = Optional.empty();
    if (checkpoint.folder().isEmpty() || location.parts().containsKey(Component.VAE_DECODER)) {
      Path place = checkpoint.place(Component.VAE_DECODER);
      autoencoder =
          Optional.of(
              opened.add(NetworkWeights.open(place, checkpoint.family(), Component.VAE_DECODER)));
    }
    return new CheckpointWeights(checkpoint, weights, autoencoder);
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
