package io.github.urae.flux;

import io.github.urae.CancellationToken;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;

/** A generation on another thread, and the future of its pictures, which cancels it. */
final class AsyncGeneration {

  private static final AtomicLong STARTED = new AtomicLong();

  private AsyncGeneration() {}

  /**
   * Starts a generation on the options' executor, or on a thread of its own.
   *
   * @param generate called on that thread with options whose token the future cancels, and so does
   *     the token of the given ones
   * @return the pictures; completed in any way, it cancels the generation if that still goes on
   */
  static CompletableFuture<List<GeneratedImage>> start(
      RunOptions options, Function<RunOptions, List<GeneratedImage>> generate) {
    CancellationToken own = new CancellationToken();
    CancellationToken.Registration link =
        options.cancellation().map(given -> given.onCancel(own::cancel)).orElse(() -> {});
    CompletableFuture<List<GeneratedImage>> pictures = new CompletableFuture<>();
    CompletableFuture<List<GeneratedImage>> unused =
        pictures.whenComplete(
            (result, failure) -> {
              link.close();
              own.cancel();
            });
    RunOptions linked = options.toBuilder().cancellation(own).build();
    Runnable task =
        () -> {
          try {
            own.throwIfCancelled();
            pictures.complete(generate.apply(linked));
          } catch (Throwable e) {
            pictures.completeExceptionally(e);
          }
        };
    try {
      options.executor().orElse(AsyncGeneration::onOwnThread).execute(task);
    } catch (RuntimeException e) {
      // The executor takes no more.
      pictures.completeExceptionally(e);
    }
    return pictures;
  }

  private static void onOwnThread(Runnable task) {
    Thread thread = new Thread(task, "urae-generation-" + STARTED.incrementAndGet());
    thread.setDaemon(true);
    thread.start();
  }
}
