package io.github.urae.onnx.internal.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import io.github.urae.InferenceException;
import io.github.urae.device.Device;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CudaProviderTest {

  @Test
  void withoutCudaTheErrorNamesTheDependency() {
    OnnxEngine.environment();
    assumeFalse(CudaProvider.isBuiltIn(), "a build with CUDA");
    SessionSettings settings = new SessionSettings(Device.cuda(1), OptionalInt.empty(), false);
    assertThatThrownBy(() -> OnnxEngine.options(settings))
        .isInstanceOf(InferenceException.class)
        .hasMessageContaining("cuda:1")
        .hasMessageContaining("onnxruntime_gpu");
    assertThat(OnnxEngine.resolve(Device.auto())).isEqualTo(Device.cpu());
  }

  /** The messages are those of the dynamic linker, of Windows' loader, and of CUDA. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "Failed to load library libonnxruntime_providers_cuda.so with error: libcublasLt.so.12:"
            + " cannot open shared object file: No such file or directory"
            + "|libcublasLt.so.12 is missing: this build of ONNX Runtime needs CUDA 12 and cuDNN 9;"
            + " install them, or put their folders into LD_LIBRARY_PATH",
        "Failed to load library libonnxruntime_providers_cuda.so with error: libcublasLt.so.13:"
            + " cannot open shared object file: No such file or directory|libcublasLt.so.13 is"
            + " missing: this build of ONNX Runtime needs CUDA 13 and cuDNN 9;",
        "Error loading onnxruntime_providers_cuda.dll which depends on \"cublas64_13.dll\" which is"
            + " missing.|needs CUDA 13",
        "Error loading onnxruntime_providers_cuda.dll which depends on \"cudnn64_9.dll\" which is"
            + " missing.|cudnn64_9.dll is missing",
        "libcudart.so.12: version `libcudart.so.12' not found|libcudart.so.12 does not fit",
        "CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version"
            + "|update the driver",
        "CUDA failure 101: invalid device ordinal|no GPU of that number",
        "Error code - ORT_INVALID_ARGUMENT - message: This binary was not compiled with CUDA"
            + " support.|libonnxruntime4j_jni is the CPU build's",
        "something new|CUDA cannot be used"
      })
  void theErrorNamesWhatIsMissing(String message, String expected) {
    assertThat(CudaProvider.explain(message)).contains(expected);
  }
}
