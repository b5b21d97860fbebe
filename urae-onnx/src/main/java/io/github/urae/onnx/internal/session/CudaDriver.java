package io.github.urae.onnx.internal.session;

import com.sun.jna.NativeLibrary;
import com.sun.jna.ptr.IntByReference;
import io.github.urae.device.Device;
import io.github.urae.internal.NativeLibraries;
import java.util.OptionalInt;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What the NVIDIA driver knows of a GPU and ONNX Runtime's Java interface does not tell. */
final class CudaDriver {

  private static final Logger LOG = LoggerFactory.getLogger(CudaDriver.class);

  /** CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR. */
  private static final int CAPABILITY_MAJOR = 75;

  private CudaDriver() {}

  /**
   * Asks for the generation of a GPU.
   *
   * @return the compute capability's first number: 7 for Volta and Turing, 8 for Ampere and Ada;
   *     empty where the driver does not answer
   */
  static OptionalInt computeCapability(Device.Cuda cuda) {
    try {
      return OnnxTelemetry.withJna(() -> ask(cuda.index()));
    } catch (LinkageError e) {
      LOG.debug("The NVIDIA driver cannot be asked", e);
      return OptionalInt.empty();
    }
  }

  private static OptionalInt ask(int index) {
    NativeLibrary driver =
        NativeLibrary.getInstance(
            NativeLibraries.system().equals("win") ? "nvcuda" : "libcuda.so.1");
    IntByReference device = new IntByReference();
    IntByReference capability = new IntByReference();
    boolean answered =
        succeeds(driver, "cuInit", 0)
            && succeeds(driver, "cuDeviceGet", device, index)
            && succeeds(
                driver, "cuDeviceGetAttribute", capability, CAPABILITY_MAJOR, device.getValue());
    return answered ? OptionalInt.of(capability.getValue()) : OptionalInt.empty();
  }

  private static boolean succeeds(NativeLibrary driver, String function, Object... arguments) {
    int status = driver.getFunction(function).invokeInt(arguments);
    if (status != 0) {
      LOG.debug("{} of the NVIDIA driver returned {}", function, status);
    }
    return status == 0;
  }
}
