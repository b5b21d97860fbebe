package io.github.urae.flux.model.internal;

import io.github.urae.ModelException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** Finds a model's files in a folder of Hugging Face's download cache. */
final class HuggingFaceCache {

  private static final String REPOSITORY_PREFIX = "models--";

  private HuggingFaceCache() {}

  /** Returns the repository of a snapshot, {@code ORG/NAME}; empty for any other folder. */
  static Optional<String> repository(Path snapshot) {
    Path snapshots = snapshot.toAbsolutePath().normalize().getParent();
    Path model = snapshots == null ? null : snapshots.getParent();
    if (model == null
        || model.getFileName() == null
        || !snapshots.endsWith("snapshots")
        || !model.getFileName().toString().startsWith(REPOSITORY_PREFIX)) {
      return Optional.empty();
    }
    String name = model.getFileName().toString().substring(REPOSITORY_PREFIX.length());
    return Optional.of(name.replace("--", "/"));
  }

  /**
   * Returns the snapshot of a folder {@code models--ORG--NAME}: the one that {@code refs/main}
   * names, or the only one. Any other path is returned as it is.
   */
  static Path snapshot(Path path) throws IOException {
    Path snapshots = path.resolve("snapshots");
    if (!Files.isDirectory(snapshots) || Files.exists(path.resolve("model_index.json"))) {
      return path;
    }
    Path main = path.resolve("refs").resolve("main");
    if (Files.exists(main)) {
      Path named = snapshots.resolve(Files.readString(main).strip());
      if (Files.isDirectory(named)) {
        return named;
      }
    }
    List<Path> all;
    try (Stream<Path> entries = Files.list(snapshots)) {
      all = entries.filter(Files::isDirectory).toList();
    }
    if (all.size() != 1) {
      throw new ModelException(
          path
              + ": expected one snapshot of a model, found "
              + all.size()
              + "; name a folder below "
              + snapshots);
    }
    return all.get(0);
  }
}
