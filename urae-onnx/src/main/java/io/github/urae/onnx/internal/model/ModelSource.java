package io.github.urae.onnx.internal.model;

import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.Checkpoint;
import io.github.urae.flux.model.internal.ModelFamily;
import io.github.urae.flux.model.internal.ModelLocation;
import io.github.urae.onnx.internal.graph.Arithmetic;
import io.github.urae.onnx.internal.session.Weights;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/**
 * A stored model: where configurations, graphs and weights come from. The one place that knows in
 * which form a model is stored.
 */
public interface ModelSource {

  /** Returns the configurations, and where tokenizers lie. */
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
    return at(ModelLocation.of(path), Checkpoint.FAMILIES);
  }

  /**
   * Recognises a stored model of one of some families.
   *
   * @param location where it lies, and what is taken from elsewhere
   * @param families those that it may be of, at least one
   * @throws IOException if a file is missing or cannot be read
   * @throws io.github.urae.UraeException if it is of none of them, or parts do not fit
   */
  static ModelSource at(ModelLocation location, List<ModelFamily> families) throws IOException {
    Checkpoint checkpoint = Checkpoint.open(location, families);
    ModelSource stored = new DiffusersSource(checkpoint);
    if (checkpoint.folder().isEmpty() || !ExportSource.recognises(checkpoint.folder().get())) {
      return stored;
    }
    ModelSource export = new ExportSource(checkpoint);
    if (location.parts().isEmpty()) {
      return export;
    }
    return new ModelSource() {
      @Override
      public Checkpoint checkpoint() {
        return checkpoint;
      }

      @Override
      public Weights open(Component component, Arithmetic arithmetic) throws IOException {
        boolean replaced = location.parts().containsKey(component);
        return (replaced ? stored : export).open(component, arithmetic);
      }
    };
  }
}
