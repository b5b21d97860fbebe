package io.github.urae.cli;

import io.github.urae.ModelException;
import io.github.urae.adapter.AdapterSpec;
import io.github.urae.adapter.ModelBuilder;
import io.github.urae.demo.DemoModel;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.Checkpoint;
import io.github.urae.flux.model.internal.ModelLocation;
import io.github.urae.internal.CacheFolder;
import io.github.urae.internal.HuggingFaceCache;
import io.github.urae.internal.ScaledName;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/**
 * Options of every command that reads a checkpoint, and the names of what is bundled: {@code
 * demo:model}, {@code demo:2k} and {@code demo:4k} stand for its files wherever a path is expected.
 */
public class CheckpointOptions {

  private static final String DEMO_MODEL = "demo:model";
  private static final String DEMO_2K = "demo:2k";
  private static final String DEMO_4K = "demo:4k";

  @Option(
      names = "--model",
      paramLabel = "DIR|FILE|ID",
      description =
          "FLUX.1 checkpoint in diffusers layout, one file or a folder of files of weights, or the"
              + " id (ORG/NAME[@REVISION][:FILE]) of any of these in Hugging Face's local cache"
              + " (default: the bundled small one, demo:model).")
  String model;

  @Option(
      names = "--cache-dir",
      paramLabel = "DIR",
      description =
          "Folder for converted and merged weights and native libraries (default:"
              + " $XDG_CACHE_HOME/urae or ~/.cache/urae).")
  Path cacheDir;

  @Mixin PartOptions parts = new PartOptions();

  /** Names the bundled checkpoint and the default cache. */
  public CheckpointOptions() {}

  /**
   * Returns the cache.
   *
   * @return the folder; made if missing by whoever writes to it
   * @throws IOException if the system names no home folder
   */
  public Path cacheFolder() throws IOException {
    return cacheDir == null ? CacheFolder.byDefault() : cacheDir;
  }

  /**
   * Tells whether the bundled checkpoint is meant.
   *
   * @return false where another is named, or all of its parts
   */
  public boolean isBundled() {
    return model == null ? !parts.areAllNetworks() : model.equals(DEMO_MODEL);
  }

  private DemoModel demo() throws IOException {
    Path folder = cacheFolder();
    CacheFolder.create(folder);
    return DemoModel.unpackInto(folder);
  }

  /**
   * Returns the chosen checkpoint, or the bundled one, unpacked into the cache.
   *
   * @return a folder or file
   * @throws IOException if it cannot be found or unpacked
   */
  public Path modelFolder() throws IOException {
    return modelFolder(model == null ? DEMO_MODEL : model);
  }

  /** Returns the checkpoint that a user means by a path, an id, or the name of what is bundled. */
  Path modelFolder(String text) throws IOException {
    NativeText.checkFileName(text);
    return text.equals(DEMO_MODEL)
        ? demo().checkpoint()
        : HuggingFaceCache.ofThisProcess().modelOrFile(text);
  }

  /** Returns the adapter's file that a user means by a path, an id, or what is bundled. */
  Path adapterFile(String text) throws IOException {
    NativeText.checkFileName(text);
    return switch (text) {
      case DEMO_2K -> demo().adapter2k();
      case DEMO_4K -> demo().adapter4k();
      default -> HuggingFaceCache.ofThisProcess().adapter(text);
    };
  }

  /** Returns the checkpoint or the file that a user means. */
  Path anything(String text) throws IOException {
    boolean bundledAdapter = text.equals(DEMO_2K) || text.equals(DEMO_4K);
    return bundledAdapter ? adapterFile(text) : modelFolder(text);
  }

  /**
   * Returns the adapter that a user means.
   *
   * @param text {@code FILE} or {@code FILE=SCALE}; or the name of what is bundled
   * @return file and scale
   * @throws IOException if the bundled files cannot be unpacked
   */
  public AdapterSpec adapter(String text) throws IOException {
    ScaledName given = ScaledName.parse(text);
    return new AdapterSpec(adapterFile(given.name()), given.scale());
  }

  /**
   * Tells a builder of the model, its parts and the cache folder.
   *
   * @param builder of anything that opens a model
   * @throws IOException if a file is missing
   */
  public void applyTo(ModelBuilder<?> builder) throws IOException {
    if (model != null || !parts.areAllNetworks()) {
      builder.model(modelFolder());
    }
    if (model == null && !parts.areAllNetworks() && !parts.networks().isEmpty()) {
      checkFitBundled();
    }
    parts.applyTo(builder);
    builder.cacheFolder(cacheFolder());
  }

  /** What is not named is the bundled model's, of which hardly anything else has the sizes. */
  private void checkFitBundled() throws IOException {
    ModelLocation location = ModelLocation.of(modelFolder());
    Checkpoint bundled = Checkpoint.open(location, Checkpoint.FAMILIES);
    for (Map.Entry<Component, Path> part : parts.networks().entrySet()) {
      location = location.with(part.getKey(), part.getValue());
    }
    String reason;
    try {
      Checkpoint mixed = Checkpoint.open(location, Checkpoint.FAMILIES);
      if (mixed.transformer().equals(bundled.transformer())
          && mixed.clip().equals(bundled.clip())
          && mixed.t5().equals(bundled.t5())) {
        return;
      }
      reason = "they are of other sizes";
    } catch (ModelException e) {
      reason = e.getMessage();
    }
    throw new ModelException(
        "no --model is given, so that what is not named is taken from the bundled small model,"
            + " which the named parts do not fit ("
            + reason
            + "); name the model that the rest is taken from (--model), or all of --transformer,"
            + " --text-encoder, --text-encoder-2 and --vae");
  }

  /** Adds adapters as {@link #adapter} reads them. */
  void addAdapters(List<String> texts, ModelBuilder<?> builder) throws IOException {
    for (String text : texts) {
      builder.adapters(List.of(adapter(text)));
    }
  }
}
