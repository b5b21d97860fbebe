package io.github.urae.onnx.internal.session;

import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtLoggingLevel;
import ai.onnxruntime.OrtSession.SessionOptions;
import io.github.urae.InferenceException;
import io.github.urae.InvalidRequestException;
import io.github.urae.device.Device;
import io.github.urae.device.Precision;
import io.github.urae.onnx.internal.graph.Arithmetic;
import io.github.urae.onnx.internal.graph.LinearArithmetic;
import io.github.urae.tensor.ElementType;
import java.util.OptionalInt;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** ONNX Runtime in this process, and how its sessions are configured. */
public final class OnnxEngine {

  private static final Logger LOG = LoggerFactory.getLogger(OnnxEngine.class);

  /** The compute capability of Ampere. */
  private static final int FIRST_WITH_BFLOAT16 = 8;

  /** Those that say the element type themselves. */
  private static final Set<Precision> FLOATS =
      Set.of(Precision.FLOAT32, Precision.FLOAT16, Precision.BFLOAT16);

  /**
   * How long a session's threads turn round in wait of work before they sleep: longer than from one
   * operator to the next. By itself ONNX Runtime does so for 75 ms on each thread of each session,
   * from when it is made, and takes the processor from whoever has work.
   */
  private static final String SPINNING_MICROSECONDS = "10000";

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
   * Returns what text encoders and transformer compute in.
   *
   * @param device a processor or GPU, not a choice between them
   * @throws InvalidRequestException if the device has no such arithmetic
   */
  public static Arithmetic arithmetic(Device device, Precision precision) {
    return arithmetic(
        device,
        precision,
        device instanceof Device.Cuda cuda && !FLOATS.contains(precision)
            ? CudaDriver.computeCapability(cuda)
            : OptionalInt.empty());
  }

  /** The same where the GPU's generation is known, or is not. */
  static Arithmetic arithmetic(Device device, Precision precision, OptionalInt capability) {
    return device instanceof Device.Cuda
        ? onGpu(device, precision, capability)
        : onProcessor(device, precision);
  }

  private static Arithmetic onProcessor(Device device, Precision precision) {
    return switch (precision) {
      case AUTO -> new Arithmetic(ElementType.F32, LinearArithmetic.AS_STORED);
      case FLOAT32 -> Arithmetic.FLOAT32;
      case FAST, INT8 ->
          new Arithmetic(
              ElementType.F32,
              IntegerSaturation.happensHere()
                  ? LinearArithmetic.INT8_UNSIGNED
                  : LinearArithmetic.INT8);
      case Q8 -> new Arithmetic(ElementType.F32, LinearArithmetic.Q8);
      case Q4 -> new Arithmetic(ElementType.F32, LinearArithmetic.Q4);
      case FLOAT16, BFLOAT16 ->
          throw InvalidRequestException.of(
              "precision",
              "precision: expected float32 or auto on the "
                  + device
                  + ", where ONNX Runtime has no arithmetic in "
                  + precision
                  + ", found that; or choose a GPU (device cuda), or fast, which is about as exact"
                  + " as bfloat16");
    };
  }

  private static Arithmetic onGpu(Device device, Precision precision, OptionalInt capability) {
    ElementType own =
        capability.orElse(FIRST_WITH_BFLOAT16) < FIRST_WITH_BFLOAT16
            ? ElementType.F16
            : ElementType.BF16;
    return switch (precision) {
      case AUTO, FAST -> new Arithmetic(own, LinearArithmetic.AS_STORED);
      case FLOAT32 -> Arithmetic.FLOAT32;
      case FLOAT16 -> new Arithmetic(ElementType.F16, LinearArithmetic.PLAIN);
      case BFLOAT16 -> new Arithmetic(ElementType.BF16, LinearArithmetic.PLAIN);
      case Q8 -> new Arithmetic(own, LinearArithmetic.Q8);
      case Q4 -> new Arithmetic(own, LinearArithmetic.Q4);
      case INT8 ->
          throw InvalidRequestException.of(
              "precision",
              "precision: int8 is the processor's, found it with "
                  + device
                  + "; there, auto is the fastest, and q8 and q4 take less memory");
    };
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
      options.addConfigEntry("session.intra_op.spin_duration_us", SPINNING_MICROSECONDS);
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

  static InferenceException failed(String what, OrtException cause) {
    return new InferenceException(what + ": " + cause.getMessage(), cause);
  }
}
