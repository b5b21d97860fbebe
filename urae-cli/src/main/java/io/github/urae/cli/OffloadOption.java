package io.github.urae.cli;

import io.github.urae.device.Offload;
import io.github.urae.pipeline.FluxPipeline;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** Which networks are out of memory while others run. */
public final class OffloadOption {

  @Option(
      names = {"--offload", "--residency"},
      paramLabel = "WHEN",
      defaultValue = "all",
      converter = OffloadConverter.class,
      description =
          "Networks in memory: all, one-at-a-time, or block: of large ones, one block after the"
              + " other (default: ${DEFAULT-VALUE}).")
  Offload offload;

  /** Keeps all networks in memory. */
  public OffloadOption() {}

  /**
   * Tells a builder.
   *
   * @param builder gets the option
   */
  public void applyTo(FluxPipeline.Builder builder) {
    builder.offload(offload);
  }

  /** Reads an offload. */
  static final class OffloadConverter implements ITypeConverter<Offload> {
    @Override
    public Offload convert(String value) {
      try {
        return Offload.parse(value);
      } catch (IllegalArgumentException e) {
        throw new TypeConversionException(e.getMessage());
      }
    }
  }
}
