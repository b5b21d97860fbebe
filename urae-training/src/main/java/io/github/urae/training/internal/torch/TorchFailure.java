package io.github.urae.training.internal.torch;

import io.github.urae.InferenceException;
import java.util.Locale;
import java.util.function.Supplier;

/** What libtorch reports becomes an exception of this library. */
final class TorchFailure {

  private TorchFailure() {}

  /**
   * Computes something.
   *
   * @param what for messages: what is computed, such as {@code "a step of 4608 tokens"}
   * @param wayOut what to do where memory does not suffice
   * @param computation calls libtorch
   * @return its result
   * @throws InferenceException if libtorch fails
   */
  static <T> T explained(String what, String wayOut, Supplier<T> computation) {
    try {
      return RunningCalls.during(computation);
    } catch (OutOfMemoryError e) {
      throw new InferenceException(
          what + " takes more memory than there is (" + firstLine(e) + "); " + wayOut, e);
    } catch (RuntimeException e) {
      // Thrown as this very class for every exception of C++.
      if (e.getClass() != RuntimeException.class) {
        throw e;
      }
      throw isOutOfMemory(e)
          ? new InferenceException(
              what + " takes more memory than there is (" + firstLine(e) + "); " + wayOut, e)
          : new InferenceException(what + " failed in libtorch: " + firstLine(e), e);
    }
  }

  private static boolean isOutOfMemory(RuntimeException failure) {
    String message = String.valueOf(failure.getMessage()).toLowerCase(Locale.ROOT);
    return message.contains("can't allocate memory")
        || message.contains("not enough memory")
        || message.contains("out of memory")
        || message.contains("bad_alloc");
  }

  /** The rest is a trace of C++ calls. */
  private static String firstLine(Throwable failure) {
    return String.valueOf(failure.getMessage()).lines().findFirst().orElse("").strip();
  }
}
