package io.github.urae.onnx.internal.model;

import io.github.urae.flux.model.Component;
import io.github.urae.internal.OwnedResources;
import io.github.urae.onnx.internal.graph.Arithmetic;
import io.github.urae.onnx.internal.session.Weights;
import io.github.urae.pipeline.FluxPipeline;
import io.github.urae.weights.TensorSource;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.EnumMap;
import java.util.Map;

/**
 * The weights of a model that adapters may change, in whatever form the model is stored. Owns the
 * open files.
 */
public final class AdaptableWeights implements Closeable {

  private final Map<Component, TensorSource> byNetwork = new EnumMap<>(Component.class);
  private final OwnedResources opened = new OwnedResources();

  private AdaptableWeights() {}

  /**
   * Opens a model's weights. Reads headers only, and checks them.
   *
   * @param model as for {@link FluxPipeline.Builder#model}
   * @return the weights; the caller closes them
   * @throws IOException if a file is missing or cannot be read
   * @throws io.github.urae.UraeException if a file is damaged or of another model
   */
  public static AdaptableWeights open(Path model) throws IOException {
    ModelSource source = ModelSource.at(model);
    AdaptableWeights weights = new AdaptableWeights();
    try {
      for (Component component : source.checkpoint().family().networks()) {
        if (component.isAdaptable()) {
          Weights own = weights.opened.add(source.open(component, Arithmetic.FLOAT32));
          weights.byNetwork.put(component, own.original());
        }
      }
      return weights;
    } catch (Throwable e) {
      weights.opened.closeAfter(e);
      throw e;
    }
  }

  /**
   * Returns the weights.
   *
   * @return immutable; by the names and shapes of diffusers' parameters, open until this is closed
   */
  public Map<Component, TensorSource> byNetwork() {
    return Collections.unmodifiableMap(byNetwork);
  }

  @Override
  public void close() throws IOException {
    opened.close();
  }
}
