package io.github.urae.training.internal.torch;

import io.github.urae.InferenceException;
import io.github.urae.internal.JavaCppLibraries;
import io.github.urae.internal.NativeLibraries;
import java.io.IOException;
import java.util.OptionalInt;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.openblas.global.openblas_nolapack;
import org.bytedeco.pytorch.global.torch;

/** libtorch's native code, loaded once in a process. */
final class TorchLibrary {

  private static boolean loaded;

  /** One for each core, unless the environment says otherwise. */
  private static int usualThreads;

  private static int usualBlasThreads;

  private TorchLibrary() {}

  /**
   * Loads the library unless it is loaded.
   *
   * @throws IOException if the folder into which it is unpacked, 365 MB, cannot be written
   * @throws InferenceException if it is not there for this platform, or the system refuses it
   */
  static synchronized void load() throws IOException {
    if (loaded) {
      return;
    }
    try {
      JavaCppLibraries.load(
          "libtorch",
          torch.class.getClassLoader(),
          () -> {
            Loader.load(torch.class);
            Pointer.free(Pointer.calloc(1, 1));
          });
    } catch (IllegalCallerException e) {
      throw NativeLibraries.denied("libtorch", e);
    } catch (LinkageError e) {
      if (e.getCause() instanceof IllegalCallerException cause) {
        throw NativeLibraries.denied("libtorch", cause);
      }
      throw new InferenceException(
          "libtorch could not be loaded: expected org.bytedeco:pytorch, org.bytedeco:openblas and"
              + " org.bytedeco:javacpp also with this platform's classifier; there are"
              + " linux-x86_64, macosx-arm64 and windows-x86_64, for NVIDIA GPUs linux-x86_64-gpu"
              + " and windows-x86_64-gpu: "
              + e,
          e);
    }
    usualThreads = torch.get_num_threads();
    usualBlasThreads = openblas_nolapack.blas_get_num_threads();
    loaded = true;
  }

  /**
   * Sets the number of threads, of the whole process: libtorch's, and those of OpenBLAS, which
   * multiplies matrices of float32 for it. Minor components are computed with as many, too.
   *
   * @param threads empty for as many as there were at first
   */
  static synchronized void useThreads(OptionalInt threads) {
    int wanted = threads.orElse(usualThreads);
    if (torch.get_num_threads() != wanted) {
      torch.set_num_threads(wanted);
    }
    int wantedBlas = threads.orElse(usualBlasThreads);
    if (openblas_nolapack.blas_get_num_threads() != wantedBlas) {
      openblas_nolapack.blas_set_num_threads(wantedBlas);
    }
  }
}
