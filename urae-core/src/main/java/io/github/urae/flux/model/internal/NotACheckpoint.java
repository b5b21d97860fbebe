package io.github.urae.flux.model.internal;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Stream;

/** Says what people have named in place of a checkpoint's folder, and where that may be. */
final class NotACheckpoint {

  private static final String INDEX = "model_index.json";

  /** From the folder of all downloads to an index: models--ORG--NAME/snapshots/COMMIT. */
  private static final int DEPTH = 4;

  /** As many files and folders are looked at. */
  private static final int MOST_ENTRIES = 20_000;

  private NotACheckpoint() {}

  /**
   * Describes what lies at a path.
   *
   * @param path exists and is no folder with an index
   * @return to follow {@code "found "}
   */
  static String describe(Path path) throws IOException {
    return Files.isDirectory(path) ? folder(path) : file(path);
  }

  private static String file(Path path) {
    String name = path.getFileName().toString().toLowerCase(Locale.ROOT);
    String found = "a file";
    if (name.equals(INDEX)) {
      return found + "; name its folder";
    }
    if (name.endsWith(".ckpt") || name.endsWith(".pt") || name.endsWith(".bin")) {
      return found + " of PyTorch (pickle), which is not read; use safetensors";
    }
    return found;
  }

  private static String folder(Path folder) throws IOException {
    String found = "no " + INDEX + " in it";
    Path parent = folder.toAbsolutePath().normalize().getParent();
    if (parent != null && Files.exists(parent.resolve(INDEX))) {
      return found + "; it is a part of the checkpoint " + parent + ": name that";
    }
    List<Path> entries;
    try (Stream<Path> listed = Files.list(folder)) {
      entries = listed.limit(MOST_ENTRIES).sorted().toList();
    }
    if (entries.isEmpty()) {
      return found + ", it is an empty folder";
    }
    if (Files.exists(folder.resolve("transformer/config.json"))) {
      return found + "; the download is not complete: fetch that file, too";
    }
    Optional<Path> below = below(folder, DEPTH);
    if (below.isPresent()) {
      return found + "; there is one in " + below.get() + ": name that folder";
    }
    for (Path entry : entries) {
      if (ModelFiles.isWeights(entry)) {
        return found + ", but " + entry.getFileName() + ", which holds no network of a model";
      }
    }
    return found;
  }

  /** Returns the first folder below that holds an index. */
  private static Optional<Path> below(Path folder, int depth) throws IOException {
    if (depth == 0) {
      return Optional.empty();
    }
    List<Path> folders;
    try (Stream<Path> listed = Files.list(folder)) {
      folders = listed.limit(MOST_ENTRIES).filter(Files::isDirectory).sorted().limit(100).toList();
    }
    for (Path one : folders) {
      if (Files.exists(one.resolve(INDEX))) {
        return Optional.of(one);
      }
    }
    for (Path one : folders) {
      Optional<Path> found = Files.isReadable(one) ? below(one, depth - 1) : Optional.empty();
      if (found.isPresent()) {
        return found;
      }
    }
    return Optional.empty();
  }
}
