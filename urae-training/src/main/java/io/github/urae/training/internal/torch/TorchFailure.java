package io.github.urae.training.internal.torch;

import io.github.urae.InferenceException;
import java.util.Locale;

/** What libtorch reports becomes an exception of this library. */
final class TorchFailure {

  private TorchFailure() {}

  /**
   * Calls libtorch.
   *
   * @param <T> what comes of it
   * @param <E> what may be thrown beside libtorch's failures
   */
  @FunctionalInterface
  interface Computation<T, E extends Exception> {
    T get() throws E;
  }

  /**
   * Computes something that the end of the process waits for.
   *
   * @param what for messages: what is computed, such as {@code "a step of 4608 tokens"}
   * @param wayOut what to do where memory does not suffice
   * @param computation calls libtorch
   * @return its result
   * @throws InferenceException if libtorch fails
   */
  static <T, E extends Exception> T explained(
      String what, String wayOut, Computation<T, E> computation) throws E {
    return named(what, wayOut, () -> RunningCalls.during(computation));
  }

  /**
   * Computes something that takes long and may be cut off by the end of the process.
   *
   * @param what as for {@link #explained}
   * @param wayOut as for {@link #explained}
   * @param computation calls libtorch here and there
   * @return its result
   * @throws InferenceException if libtorch fails
   */
  static <T, E extends Exception> T named(String what, String wayOut, Computation<T, E> computation)
      throws E {
    try {
      return computation.get();
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
