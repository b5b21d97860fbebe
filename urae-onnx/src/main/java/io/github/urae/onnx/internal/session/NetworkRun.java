package io.github.urae.onnx.internal.session;

import io.github.urae.CancellationToken;
import io.github.urae.GenerationCancelledException;
import io.github.urae.InferenceException;
import io.github.urae.internal.Lease;
import io.github.urae.tensor.Tensor;
import java.io.IOException;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A run of a network on a thread of its own, which owns inputs and native memory until the native
 * code returns. ONNX Runtime looks at a cancellation between two operators only, and one attention
 * over a large picture takes a minute: whoever cancels need not wait for that.
 */
final class NetworkRun {

  private static final Logger LOG = LoggerFactory.getLogger(NetworkRun.class);

  private final CancellationToken stop = new CancellationToken();
  private final CompletableFuture<float[]> output = new CompletableFuture<>();
  private final CompletableFuture<Void> ended = new CompletableFuture<>();

  private NetworkRun() {}

  /**
   * Starts a run.
   *
   * @param network let go of when the run ends
   * @param inputs must not change meanwhile
   */
  static NetworkRun start(Lease<LoadedNetwork> network, Map<String, Tensor> inputs) {
    NetworkRun run = new NetworkRun();
    try {
      NativeThreads.start("urae-" + network.get().name(), () -> run.complete(network, inputs));
    } catch (Throwable e) { // For want of memory for one more thread.
      release(network);
      throw e;
    }
    return run;
  }

  private void complete(Lease<LoadedNetwork> network, Map<String, Tensor> inputs) {
    float[] result = null;
    Throwable failure = null;
    try {
      result = network.get().run(inputs, stop);
    } catch (Throwable e) {
      failure = e;
    }
    try {
      release(network);
    } finally {
      // In this order: whoever has the output finds the run ended.
      ended.complete(null);
      if (failure == null) {
        output.complete(result);
      } else {
        output.completeExceptionally(failure);
      }
    }
  }

  /** Of a network that only the run still held, nobody else is left to hear. */
  private static void release(Lease<LoadedNetwork> network) {
    try {
      network.close();
    } catch (IOException | RuntimeException e) {
      LOG.warn("The {} could not be released", network.get().name(), e);
    }
  }

  /**
   * Waits for the output. If the token is cancelled or the thread interrupted meanwhile, returns at
   * once; the run then ends after its present operator.
   *
   * @return float32, row-major
   * @throws GenerationCancelledException if it was cancelled
   * @throws InferenceException if ONNX Runtime fails
   */
  float[] await(CancellationToken cancellation) {
    try {
      return await(output, cancellation);
    } catch (GenerationCancelledException e) {
      stop.cancel();
      throw e;
    }
  }

  /**
   * Waits for a result.
   *
   * @throws GenerationCancelledException if the token is cancelled or the thread interrupted first
   */
  static <T> T await(CompletableFuture<T> result, CancellationToken cancellation) {
    CompletableFuture<Void> cancelled = new CompletableFuture<>();
    CancellationToken.Registration registration =
        cancellation.onCancel(() -> cancelled.complete(null));
    try {
      CompletableFuture.anyOf(result, cancelled).get();
      if (result.isDone()) {
        return result.get();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (ExecutionException e) {
      cancellation.throwIfCancelled();
      throw failure(e.getCause());
    } finally {
      registration.close();
    }
    cancellation.throwIfCancelled();
    throw new GenerationCancelledException("cancelled");
  }

  private static RuntimeException failure(Throwable cause) {
    if (cause instanceof RuntimeException e) {
      return e;
    }
    if (cause instanceof Error e) {
      throw e;
    }
    return new InferenceException("a run failed", cause);
  }

  /** Completes normally, whatever became of the run, when its memory is released. */
  CompletableFuture<Void> ended() {
    return ended.copy();
  }

  /** Tells whether the native code has returned. */
  boolean hasEnded() {
    return ended.isDone();
  }
}
