package io.github.urae.demo;

import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/**
 * The small checkpoint and its adapters as files on disk. It paints landscapes: 'a lighthouse on a
 * cliff at sunset with clouds'. Native size 128x128, T5 length 32.
 */
public final class DemoModel {

  /**
   * Part of the folder's name; changes with the files, so that old copies are not taken for new.
   */
  private static final String VERSION = "8";

  private final Path folder;

  private DemoModel(Path folder) {
    this.folder = folder;
  }

  /**
   * Unpacks the files (10 MB) unless they are there already. Several processes may do so at once. A
   * file that is missing, cut short or otherwise not what was unpacked is unpacked again.
   *
   * @param parent folder to hold the folder {@code demo-model-N}; made if missing
   * @return the unpacked files
   * @throws IOException if they cannot be written
   */
  public static DemoModel unpackInto(Path parent) throws IOException {
    Path target = parent.resolve("demo-model-" + VERSION);
    if (!Files.isDirectory(target)) {
      Files.createDirectories(parent);
      try {
        create(target);
      } catch (FileSystemException e) {
        // Another process may have been faster.
        if (!Files.isDirectory(target)) {
          throw e;
        }
      }
    }
    for (DemoFile file : DemoFile.all()) {
      if (!file.isWholeIn(target)) {
        file.replaceIn(target);
      }
    }
    return new DemoModel(target);
  }

  /**
   * Returns the checkpoint.
   *
   * @return a folder in diffusers layout
   */
  public Path checkpoint() {
    return folder.resolve("flux-landscape");
  }

  /**
   * Returns URAE's LoRA for twice the native size.
   *
   * @return a safetensors file
   */
  public Path adapter2k() {
    return folder.resolve("adapters/urae_2k_adapter.safetensors");
  }

  /**
   * Returns URAE's minor components for four times the native size, to be used after {@link
   * #adapter2k()}.
   *
   * @return a safetensors file
   */
  public Path adapter4k() {
    return folder.resolve("adapters/urae_4k_adapter.safetensors");
  }

  /** Makes the folder under another name and renames it, so that it is whole or not there. */
  private static void create(Path target) throws IOException {
    Path temporary = Files.createTempDirectory(target.getParent(), target.getFileName() + ".");
    try {
      copyTo(temporary);
      Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      try {
        delete(temporary);
      } catch (IOException suppressed) {
        e.addSuppressed(suppressed);
      }
      throw e;
    }
  }

  private static void delete(Path root) throws IOException {
    List<Path> entries;
    try (Stream<Path> files = Files.walk(root)) {
      entries = files.sorted(Comparator.reverseOrder()).toList();
    }
    for (Path entry : entries) {
      Files.delete(entry);
    }
  }

  private static void copyTo(Path folder) throws IOException {
    for (DemoFile file : DemoFile.all()) {
      file.unpackTo(folder.resolve(file.name()));
    }
  }
}
