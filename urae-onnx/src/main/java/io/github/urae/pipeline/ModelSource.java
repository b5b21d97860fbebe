package io.github.urae.pipeline;

import io.github.urae.session.Weights;
import io.github.urae.tensor.ElementType;
import java.io.IOException;
import java.nio.file.Path;

/**
 * A stored model: where configurations, graphs and weights come from. The one place that knows in
 * which form a model is stored.
 */
interface ModelSource {

  /** Returns the configurations; tokenizers lie in their folder. */
  FluxCheckpoint checkpoint();

  /**
   * Opens a network: its graph, and the base weights under the names of diffusers' parameters.
   * Reads headers only, and checks everything.
   *
   * @param part which network
   * @param type element type of the session; the autoencoder's is always float32
   * @return graph and weights; the caller closes them
   * @throws IOException if a file is missing or cannot be read
   * @throws io.github.urae.UraeException if a file is damaged or does not fit
   */
  Weights open(Part part, ElementType type) throws IOException;

  /**
   * Recognises a stored model by what lies at a path.
   *
   * @throws IOException if a file is missing or cannot be read
   * @throws io.github.urae.UraeException if it is no model of FLUX.1
   */
  static ModelSource at(Path path) throws IOException {
    return new DiffusersSource(FluxCheckpoint.open(path));
  }
}
