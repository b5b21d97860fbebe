package io.github.urae.onnx.internal.session;

import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtProvider;
import ai.onnxruntime.OrtSession.SessionOptions;
import ai.onnxruntime.providers.OrtCUDAProviderOptions;
import io.github.urae.InferenceException;
import io.github.urae.device.Device;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** How sessions get onto an NVIDIA GPU, and why they may not. */
final class CudaProvider {

  /** What has CUDA's own version in its name, on Linux and Windows. */
  private static final Pattern CUDA_LIBRARY =
      Pattern.compile("(?:cublas|cublasLt|cudart)(?:\\.so\\.|64_)(\\d+)");

  private static final Pattern MISSING_LIBRARY =
      Pattern.compile("([\\w.+-]+\\.so[.\\d]*|[\\w.+-]+\\.dll): cannot open shared object file");

  private static final Pattern MISSING_DLL =
      Pattern.compile("(?:depends on|error loading) \"?([\\w.+-]+\\.dll)");

  private static final Pattern MISSING_SYMBOL =
      Pattern.compile("([\\w.+-]+\\.so[.\\d]*): (?:undefined symbol|version) ");

  /** Parts of CUDA's own messages, and the way out. */
  private static final Map<String, String> WAYS_OUT =
      Map.of(
          "driver version is insufficient",
          "the NVIDIA driver is older than the CUDA libraries; update the driver",
          "no CUDA-capable device",
          "there is no NVIDIA GPU, or the driver hides it (CUDA_VISIBLE_DEVICES)",
          "invalid device ordinal",
          "there is no GPU of that number; nvidia-smi lists them",
          "no kernel image",
          "the GPU is of a generation that this build of ONNX Runtime has no code for",
          "out of memory",
          "the GPU's memory is taken; nvidia-smi lists who holds it",
          "not compiled with CUDA support",
          "libonnxruntime4j_jni is the CPU build's, though libonnxruntime has CUDA; take both from"
              + " com.microsoft.onnxruntime:onnxruntime_gpu, without :onnxruntime on the class"
              + " path");

  private CudaProvider() {}

  static boolean isBuiltIn() {
    return OrtEnvironment.getAvailableProviders().contains(OrtProvider.CUDA);
  }

  /**
   * Puts a session on a GPU.
   *
   * @throws InferenceException if CUDA cannot be used; the message says what is missing
   */
  static void addTo(SessionOptions options, Device.Cuda cuda) {
    if (!isBuiltIn()) {
      throw new InferenceException(
          cuda
              + ": this build of ONNX Runtime is for the CPU only; depend on"
              + " com.microsoft.onnxruntime:onnxruntime_gpu instead of :onnxruntime, or use the"
              + " CPU",
          null);
    }
    try (OrtCUDAProviderOptions provider = new OrtCUDAProviderOptions(cuda.index())) {
      // Sizes vary: what one of them has taken, doubled, may be more than there is.
      provider.add("arena_extend_strategy", "kSameAsRequested");
      // An exhaustive search would be repeated for each size, and needs the memory of the largest.
      provider.add("cudnn_conv_algo_search", "HEURISTIC");
      // The float32 parts (rotary positions, the autoencoder) are float32 for a reason.
      provider.add("use_tf32", "0");
      options.addCUDA(provider);
    } catch (OrtException e) {
      throw new InferenceException(cuda + ": " + explain(String.valueOf(e.getMessage())), e);
    }
  }

  /** Says what is missing, and what to do; with the original message where that is not known. */
  static String explain(String message) {
    for (Pattern pattern : new Pattern[] {MISSING_LIBRARY, MISSING_DLL}) {
      Matcher missing = pattern.matcher(message);
      if (missing.find()) {
        return missing.group(1)
            + " is missing: "
            + needs(message)
            + "; install them, or put their folders into "
            + (missing.group(1).endsWith(".dll") ? "PATH" : "LD_LIBRARY_PATH");
      }
    }
    Matcher unfit = MISSING_SYMBOL.matcher(message);
    if (unfit.find()) {
      return unfit.group(1)
          + " does not fit: "
          + needs(message)
          + ", but finds another version: "
          + message;
    }
    for (Map.Entry<String, String> known : WAYS_OUT.entrySet()) {
      if (message.contains(known.getKey())) {
        return known.getValue() + ": " + message;
      }
    }
    return "CUDA cannot be used: " + needs(message) + ": " + message;
  }

  /** Maven's artifact was built with CUDA 12, other builds of the same version with CUDA 13. */
  private static String needs(String message) {
    Matcher library = CUDA_LIBRARY.matcher(message);
    String version = library.find() ? library.group(1) : "12 (or 13, if built so)";
    return "this build of ONNX Runtime needs CUDA " + version + " and cuDNN 9";
  }
}
