package io.github.urae.cli;

import io.github.urae.adapter.AdapterSpec;
import io.github.urae.demo.DemoModel;
import io.github.urae.flux.model.internal.Checkpoint;
import io.github.urae.internal.CacheFolder;
import io.github.urae.weights.internal.WeightCache;
import java.io.IOException;
import java.nio.file.Path;
import picocli.CommandLine.Option;

/**
 * Options of every command that reads a checkpoint, and the names of what is bundled: {@code
 * demo:model}, {@code demo:2k} and {@code demo:4k} stand for its files wherever a path is expected.
 */
class CheckpointOptions {

  private static final String DEMO_MODEL = "demo:model";
  private static final String DEMO_2K = "demo:2k";
  private static final String DEMO_4K = "demo:4k";

  @Option(
      names = "--model",
      paramLabel = "DIR",
      description =
          "FLUX.1 checkpoint in diffusers layout, also a folder of a Hugging Face cache"
              + " (default: the bundled small one, demo:model).")
  String model;

  @Option(
      names = "--cache-dir",
      paramLabel = "DIR",
      description =
          "Folder for converted and merged weights and native libraries (default:"
              + " $XDG_CACHE_HOME/urae or ~/.cache/urae).")
  Path cacheDir;

  Path cacheFolder() {
    return cacheDir == null ? CacheFolder.byDefault() : cacheDir;
  }

  /** Returns the chosen checkpoint, or the bundled one, unpacked into the cache. */
  Path modelFolder() throws IOException {
    return path(model == null ? DEMO_MODEL : model);
  }

  /** Returns the same after a look at its configurations, with links of a cache followed. */
  Path checkedModelFolder() throws IOException {
    return Checkpoint.open(modelFolder()).folder();
  }

  /** Returns the path that a user means; what is bundled is unpacked into the cache. */
  Path path(String text) throws IOException {
    return switch (text) {
      case DEMO_MODEL -> DemoModel.unpackInto(cacheFolder()).checkpoint();
      case DEMO_2K -> DemoModel.unpackInto(cacheFolder()).adapter2k();
      case DEMO_4K -> DemoModel.unpackInto(cacheFolder()).adapter4k();
      default -> Path.of(text);
    };
  }

  /** Returns the adapter that a user means by {@code FILE} or {@code FILE=SCALE}. */
  AdapterSpec adapter(String text) throws IOException {
    for (String bundled : new String[] {DEMO_2K, DEMO_4K}) {
      if (text.equals(bundled) || text.startsWith(bundled + "=")) {
        return AdapterSpec.parse(path(bundled) + text.substring(bundled.length()));
      }
    }
    return AdapterSpec.parse(text);
  }
}
