package io.github.urae.training.internal.engine;

import io.github.urae.adapter.AdapterSpec;
import io.github.urae.flux.model.internal.ModelLocation;
import io.github.urae.weights.internal.WeightCache;
import java.util.List;
import java.util.Objects;

/**
 * The transformer that adapters are trained on.
 *
 * @param location the checkpoint, in any form that pipelines read
 * @param adapters merged into its weights first, in order; they are not trained
 * @param cache where weights lie that are not in the user's files as they are needed: converted,
 *     merged, and without their minor components
 */
public record BaseModel(ModelLocation location, List<AdapterSpec> adapters, WeightCache cache) {

  /** Copies the list. */
  public BaseModel {
    Objects.requireNonNull(location, "location");
    Objects.requireNonNull(cache, "cache");
    adapters = List.copyOf(adapters);
  }
}
