package io.github.urae.onnx.internal.session;

import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtLoggingLevel;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.OrtSession.SessionOptions;
import io.github.urae.InferenceException;
import io.github.urae.InvalidRequestException;
import io.github.urae.device.Device;
import io.github.urae.device.Precision;
import io.github.urae.tensor.ElementType;
import java.util.Locale;
import java.util.OptionalInt;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** ONNX Runtime in this process, and how its sessions are configured. */
public final class OnnxEngine {

  private static final Logger LOG = LoggerFactory.getLogger(OnnxEngine.class);

  /** The compute capability of Ampere. */
  private static final int FIRST_WITH_BFLOAT16 = 8;

  private OnnxEngine() {}

  /** ONNX Runtime has one environment a process, made when first asked for and never closed. */
  static OrtEnvironment environment() {
    OnnxTelemetry.prevent();
    OrtEnvironment environment = OrtEnvironment.getEnvironment();
    boolean held = EnvironmentHold.isHeld();
    try {
      // Never asked for; on Windows this is the way, elsewhere OnnxTelemetry.
      environment.setTelemetry(false);
    } catch (OrtException e) {
      LOG.debug("ONNX Runtime (held: {}) has no telemetry to switch off", held, e);
    }
    return environment;
  }

  /** Returns a device that is not a choice: a GPU only if it works. */
  public static Device resolve(Device device) {
    if (!(device instanceof Device.Auto)) {
      return device;
    }
    environment();
    if (!CudaProvider.isBuiltIn()) {
      return Device.cpu();
    }
    Device cuda = Device.cuda(0);
    try (SessionOptions options = options(new SessionSettings(cuda, OptionalInt.empty(), false))) {
      LOG.debug("CUDA can be used: {}", options);
      return cuda;
    } catch (OrtException | InferenceException e) {
      LOG.info("CUDA cannot be used, so the CPU is: {}", e.getMessage());
      return Device.cpu();
    }
  }

  /**
   * Returns the element type of text encoders and transformer.
   *
   * @param device a processor or GPU, not a choice between them
   * @throws InvalidRequestException if the device has no such arithmetic
   */
  public static ElementType elementType(Device device, Precision precision) {
    return elementType(
        device,
        precision,
        device instanceof Device.Cuda cuda && precision == Precision.AUTO
            ? CudaDriver.computeCapability(cuda)
            : OptionalInt.empty());
  }

  /** The same where the GPU's generation is known, or is not. */
  static ElementType elementType(Device device, Precision precision, OptionalInt capability) {
    if (device instanceof Device.Cuda) {
      return switch (precision) {
        case AUTO ->
            capability.orElse(FIRST_WITH_BFLOAT16) < FIRST_WITH_BFLOAT16
                ? ElementType.F16
                : ElementType.BF16;
        case FLOAT32 -> ElementType.F32;
        case FLOAT16 -> ElementType.F16;
        case BFLOAT16 -> ElementType.BF16;
      };
    }
    if (precision == Precision.FLOAT16 || precision == Precision.BFLOAT16) {
      throw new InvalidRequestException(
          "precision: expected float32 or auto on the "
              + device
              + ", where ONNX Runtime has no arithmetic in "
              + precision.name().toLowerCase(Locale.ROOT)
              + ", found that; or choose a GPU (device cuda)");
    }
    return ElementType.F32;
  }

  /** Creates session options; the caller closes them. */
  static SessionOptions options(SessionSettings settings) throws OrtException {
    environment();
    SessionOptions options = new SessionOptions();
    try {
      options.setOptimizationLevel(SessionOptions.OptLevel.ALL_OPT);
      options.setSessionLogLevel(OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR);
      // Sizes vary from run to run; a pattern would be kept for each.
      options.setMemoryPatternOptimization(false);
      options.addConfigEntry("session.use_device_allocator_for_initializers", "1");
      if (!settings.prepacking()) {
        options.addConfigEntry("session.disable_prepacking", "1");
      }
      if (settings.threads().isPresent()) {
        options.setIntraOpNumThreads(settings.threads().getAsInt());
      }
      if (settings.device() instanceof Device.Cuda cuda) {
        CudaProvider.addTo(options, cuda);
      }
      return options;
    } catch (OrtException | RuntimeException | Error e) {
      options.close();
      throw e;
    }
  }

  /** Creates the options of one run; the caller closes them. */
  static OrtSession.RunOptions runOptions(Device device) throws OrtException {
    OrtSession.RunOptions options = new OrtSession.RunOptions();
    try {
      if (device instanceof Device.Cuda cuda) {
        // What one network has used, the next one needs.
        options.addRunConfigEntry("memory.enable_memory_arena_shrinkage", "gpu:" + cuda.index());
      }
      return options;
    } catch (OrtException | RuntimeException | Error e) {
      options.close();
      throw e;
    }
  }

  static InferenceException failed(String what, OrtException cause) {
    return new InferenceException(what + ": " + cause.getMessage(), cause);
  }
}
