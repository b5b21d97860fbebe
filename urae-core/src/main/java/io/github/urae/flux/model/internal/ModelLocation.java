package io.github.urae.flux.model.internal;

import io.github.urae.flux.model.Component;
import java.nio.file.Path;
import java.util.Collections;
import java.util.EnumMap;
import java.util.Map;
import java.util.Optional;

/**
 * Where a model is said to lie.
 *
 * @param model a checkpoint's folder, a directory of exports, a file of weights, or a folder of
 *     such files; empty where all networks are among the parts
 * @param parts files or folders of components that are taken from there and not from the model;
 *     both halves of the autoencoder have the same one
 */
public record ModelLocation(Optional<Path> model, Map<Component, Path> parts) {

  /** Copies the map. */
  public ModelLocation {
    Map<Component, Path> copy = new EnumMap<>(Component.class);
    copy.putAll(parts);
    parts = Collections.unmodifiableMap(copy);
  }

  /**
   * Returns where a model lies whose components are all its own.
   *
   * @param model as above
   * @return the location
   */
  public static ModelLocation of(Path model) {
    return new ModelLocation(Optional.of(model), Map.of());
  }

  /**
   * Returns the same model with one component from elsewhere.
   *
   * @param component which one
   * @param path its file or folder
   * @return the location
   */
  public ModelLocation with(Component component, Path path) {
    Map<Component, Path> more = new EnumMap<>(Component.class);
    more.putAll(parts);
    more.put(component, path);
    return new ModelLocation(model, more);
  }
}
