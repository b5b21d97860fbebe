package io.github.urae.cli;

import io.github.urae.device.Device;
import io.github.urae.device.Precision;
import io.github.urae.pipeline.FluxPipeline;
import java.io.IOException;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** Options of every command that runs a model. */
public final class ModelOptions extends CheckpointOptions {

  @Option(
      names = "--device",
      paramLabel = "DEVICE",
      defaultValue = "auto",
      converter = DeviceConverter.class,
      description = "cpu, cuda[:N] or auto (default: ${DEFAULT-VALUE}).")
  Device device;

  @Option(
      names = "--precision",
      paramLabel = "TYPE",
      defaultValue = "auto",
      converter = PrecisionConverter.class,
      description =
          "auto, exact: float32, or on a GPU bfloat16 or float16 (default: ${DEFAULT-VALUE}); fast:"
              + " int8 on the CPU, about as exact as bfloat16; q8 or q4: fewer bits a weight, for"
              + " memory; float32, float16, bfloat16, int8.")
  Precision precision;

  @Option(
      names = "--threads",
      paramLabel = "N",
      converter = ThreadsConverter.class,
      description = "Threads for each operator on the CPU (default: one a core).")
  Integer threads;

  /** Chooses what suits the machine. */
  public ModelOptions() {}

  /**
   * Starts a pipeline.
   *
   * @return a builder with these options
   * @throws IOException if the model cannot be found
   */
  public FluxPipeline.Builder pipeline() throws IOException {
    FluxPipeline.Builder builder = FluxPipeline.builder().device(device).precision(precision);
    applyTo(builder);
    if (threads != null) {
      builder.threads(threads);
    }
    return builder;
  }

  /** Reads a number of threads. */
  static final class ThreadsConverter implements ITypeConverter<Integer> {

    private static final int MAX_THREADS = 1024;

    @Override
    public Integer convert(String value) {
      if (!value.matches("[1-9]\\d{0,3}") || Integer.parseInt(value) > MAX_THREADS) {
        throw new TypeConversionException(
            "expected 1 to " + MAX_THREADS + ", found '" + value + "'");
      }
      return Integer.valueOf(value);
    }
  }

  /** Reads a precision. */
  static final class PrecisionConverter implements ITypeConverter<Precision> {
    @Override
    public Precision convert(String value) {
      try {
        return Precision.parse(value);
      } catch (IllegalArgumentException e) {
        throw new TypeConversionException(e.getMessage());
      }
    }
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
