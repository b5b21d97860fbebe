package io.github.urae.adapter.internal.format;

import io.github.urae.AdapterException;
import io.github.urae.internal.HuggingFaceCache;
import io.github.urae.internal.PrintableText;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** Finds the adapter in a folder, as PEFT, diffusers and Hugging Face's cache keep them. */
final class AdapterFolder {

  private static final String ENDING = ".safetensors";

  private static final List<String> PICKLES =
      List.of("adapter_model.bin", "pytorch_lora_weights.bin");

  /** Folders of a checkpoint, or of an adapter's networks, but not a whole disk. */
  private static final int DEPTH = 3;

  private static final int MAX_SHOWN = 10;

  private AdapterFolder() {}

  /**
   * Returns the file that is meant by a path.
   *
   * @param path a file, or a folder with one adapter
   * @return the file; the path itself where it is no folder
   * @throws IOException if the folder cannot be read
   * @throws AdapterException if it holds none, or several and none of the usual name; they are
   *     named
   */
  static Path fileIn(Path path) throws IOException {
    if (!Files.isDirectory(path)) {
      return path;
    }
    Path folder = HuggingFaceCache.snapshot(path);
    if (Files.exists(folder.resolve("model_index.json"))) {
      throw new AdapterException(
          folder + ": expected an adapter, found a whole checkpoint; give it as the model");
    }
    List<Path> usual =
        HuggingFaceCache.ADAPTER_NAMES.stream()
            .map(folder::resolve)
            .filter(Files::isRegularFile)
            .toList();
    List<Path> candidates = usual.isEmpty() ? weights(folder, 1) : usual;
    if (candidates.isEmpty()) {
      candidates = weights(folder, DEPTH);
    }
    if (candidates.size() == 1) {
      return candidates.get(0);
    }
    if (candidates.isEmpty()) {
      boolean pickled = PICKLES.stream().map(folder::resolve).anyMatch(Files::exists);
      throw new AdapterException(
          folder
              + ": expected a folder with an adapter, found no "
              + ENDING
              + " file in it"
              + (pickled
                  ? ", only pickled weights (.bin), which are not read; convert them, or take the"
                      + " repository's .safetensors"
                  : ""));
    }
    throw new AdapterException(
        folder
            + ": holds "
            + candidates.size()
            + " files that may be meant; name one of them: "
            + String.join(
                ", ",
                candidates.stream()
                    .limit(MAX_SHOWN)
                    .map(file -> PrintableText.shortened(folder.relativize(file).toString()))
                    .toList())
            + (candidates.size() > MAX_SHOWN ? ", ..." : ""));
  }

  private static List<Path> weights(Path folder, int depth) throws IOException {
    try (Stream<Path> files = Files.walk(folder, depth)) {
      return files
          .filter(file -> file.getFileName().toString().endsWith(ENDING))
          .filter(Files::isRegularFile)
          .sorted()
          .limit(1000)
          .toList();
    }
  }
}
