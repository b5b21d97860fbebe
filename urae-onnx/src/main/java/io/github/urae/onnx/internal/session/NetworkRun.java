package io.github.urae.onnx.internal.session;

import ai.onnxruntime.OrtException;
import io.github.urae.CancellationToken;
import io.github.urae.GenerationCancelledException;
import io.github.urae.InferenceException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;

/**
 * A run of a network on a thread of its own, which owns inputs and native memory until the native
 * code returns. ONNX Runtime looks at a cancellation between two operators only, and one attention
 * over a large picture takes a minute: whoever cancels need not wait for that.
 */
public final class NetworkRun {

  private final String network;
  private final CancellationToken stop = new CancellationToken();
  private final CompletableFuture<float[]> output = new CompletableFuture<>();
  private final CompletableFuture<Void> ended = new CompletableFuture<>();

  /** What the thread does. */
  @FunctionalInterface
  interface Body {

    /** Runs to the end, or until stopped, and releases what the run has used. */
    float[] run(CancellationToken stop) throws OrtException;
  }

  private NetworkRun(String network) {
    this.network = network;
  }

  /** Starts a run. */
  static NetworkRun start(String network, Body body) {
    NetworkRun run = new NetworkRun(network);
    Thread thread = new Thread(() -> run.complete(body), "urae-" + network);
    thread.setDaemon(true);
    thread.start();
    return run;
  }

  private void complete(Body body) {
    float[] result = null;
    Throwable failure = null;
    try {
      result = body.run(stop);
    } catch (Throwable e) {
      failure = e;
    }
    // In this order: whoever has the output finds the run ended.
    ended.complete(null);
    if (failure == null) {
      output.complete(result);
    } else {
      output.completeExceptionally(failure);
    }
  }

  /**
   * Waits for the output. If the token is cancelled or the thread interrupted meanwhile, returns at
   * once; the run then ends after its present operator.
   *
   * @param cancellation a token
   * @return float32, row-major
   * @throws GenerationCancelledException if it was cancelled
   * @throws InferenceException if ONNX Runtime fails
   */
  public float[] await(CancellationToken cancellation) {
    CompletableFuture<Void> cancelled = new CompletableFuture<>();
    CancellationToken.Registration registration =
        cancellation.onCancel(() -> cancelled.complete(null));
    try {
      CompletableFuture.anyOf(output, cancelled).get();
      if (output.isDone()) {
        return output.get();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (ExecutionException e) {
      cancellation.throwIfCancelled();
      throw failure(e.getCause());
    } finally {
      registration.close();
    }
    stop.cancel();
    cancellation.throwIfCancelled();
    throw new GenerationCancelledException("cancelled");
  }

  private RuntimeException failure(Throwable cause) {
    if (cause instanceof OrtException e) {
      return OnnxEngine.failed("the " + network + " failed", e);
    }
    if (cause instanceof RuntimeException e) {
      return e;
    }
    if (cause instanceof Error e) {
      throw e;
    }
    return new InferenceException("the " + network + " failed", cause);
  }

  /**
   * Returns when the native code has returned and the run's memory is released.
   *
   * @return completes normally, whatever became of the run
   */
  public CompletionStage<Void> ended() {
    return ended.minimalCompletionStage();
  }

  /**
   * Tells whether the native code has returned.
   *
   * @return true from then on
   */
  public boolean hasEnded() {
    return ended.isDone();
  }
}
