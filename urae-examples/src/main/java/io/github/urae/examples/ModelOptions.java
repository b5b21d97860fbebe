package io.github.urae.examples;

import io.github.urae.cache.WeightCache;
import io.github.urae.demo.DemoModel;
import io.github.urae.pipeline.FluxPipeline;
import io.github.urae.session.Device;
import java.io.IOException;
import java.nio.file.Path;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** Options of every command that opens a model. */
final class ModelOptions {

  @Option(
      names = "--model",
      paramLabel = "DIR",
      description =
          "FLUX.1 checkpoint in diffusers layout, also a folder of a Hugging Face cache"
              + " (default: the bundled small one).")
  Path model;

  @Option(
      names = "--device",
      paramLabel = "DEVICE",
      defaultValue = "auto",
      converter = DeviceConverter.class,
      description = "cpu, cuda[:N] or auto (default: ${DEFAULT-VALUE}).")
  Device device;

  @Option(
      names = "--cache-dir",
      paramLabel = "DIR",
      description =
          "Folder for converted weights and native libraries (default: $XDG_CACHE_HOME/urae or"
              + " ~/.cache/urae).")
  Path cacheDir;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "Threads for each operator on the CPU (default: one a core).")
  Integer threads;

  Path cacheFolder() {
    return cacheDir == null ? WeightCache.defaultFolder() : cacheDir;
  }

  /** Returns the chosen checkpoint, or the bundled one, unpacked into the cache. */
  Path modelFolder() throws IOException {
    return model == null ? DemoModel.unpackInto(cacheFolder()).checkpoint() : model;
  }

  FluxPipeline.Builder pipeline() throws IOException {
    FluxPipeline.Builder builder =
        FluxPipeline.builder().model(modelFolder()).device(device).cacheFolder(cacheFolder());
    if (threads != null) {
      builder.threads(threads);
    }
    return builder;
  }

  /** Reads a device. */
  static final class DeviceConverter implements ITypeConverter<Device> {
    @Override
    public Device convert(String value) {
      try {
        return Device.parse(value);
      } catch (IllegalArgumentException e) {
        throw new TypeConversionException(e.getMessage());
      }
    }
  }
}
