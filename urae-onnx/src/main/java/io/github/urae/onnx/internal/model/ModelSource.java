package io.github.urae.onnx.internal.model;

import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.Checkpoint;
import io.github.urae.flux.model.internal.ModelFamily;
import io.github.urae.onnx.internal.graph.Arithmetic;
import io.github.urae.onnx.internal.session.Weights;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * A stored model: where configurations, graphs and weights come from. The one place that knows in
 * which form a model is stored.
 */
public interface ModelSource {

  /** Returns the configurations; tokenizers lie in their folder. */
  Checkpoint checkpoint();

  /**
   * Opens a network: its graph, and the base weights under the names of diffusers' parameters.
   * Reads headers only, and checks everything.
   *
   * @param component which network
   * @param arithmetic what the session computes in; the autoencoder's is always float32
   * @return graph and weights; the caller closes them
   * @throws IOException if a file is missing or cannot be read
   * @throws io.github.urae.UraeException if a file is damaged or does not fit
   */
  Weights open(Component component, Arithmetic arithmetic) throws IOException;

  /**
   * Recognises a stored model by what lies at a path.
   *
   * @throws IOException if a file is missing or cannot be read
   * @throws io.github.urae.UraeException if it is no model of a family that is known
   */
  static ModelSource at(Path path) throws IOException {
    return at(path, Optional.empty());
  }

  /**
   * Recognises a stored model whose transformer may be kept elsewhere.
   *
   * @param transformer a file of the transformer, in diffusers' or the family's other names, which
   *     must fit the model's configuration; empty for the model's own
   * @throws IOException if a file is missing or cannot be read
   * @throws io.github.urae.UraeException if it is no model of a family that is known
   */
  static ModelSource at(Path path, Optional<Path> transformer) throws IOException {
    return at(path, transformer, Checkpoint.FAMILIES);
  }

  /**
   * Recognises a stored model of one of some families.
   *
   * @param transformer as above
   * @param families those that it may be of, at least one
   * @throws IOException if a file is missing or cannot be read
   * @throws io.github.urae.UraeException if it is of none of them
   */
  static ModelSource at(Path path, Optional<Path> transformer, List<ModelFamily> families)
      throws IOException {
    Checkpoint checkpoint = Checkpoint.open(path, families);
    ModelSource rest =
        ExportSource.recognises(checkpoint.folder())
            ? new ExportSource(checkpoint)
            : new DiffusersSource(checkpoint);
    if (transformer.isEmpty()) {
      return rest;
    }
    Path file = transformer.get();
    return new ModelSource() {
      @Override
      public Checkpoint checkpoint() {
        return rest.checkpoint();
      }

      @Override
      public Weights open(Component component, Arithmetic arithmetic) throws IOException {
        return component == Component.TRANSFORMER
            ? DiffusersSource.open(checkpoint(), component, arithmetic, file)
            : rest.open(component, arithmetic);
      }
    };
  }
}
