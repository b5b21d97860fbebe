package io.github.urae.flux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.urae.CancellationToken;
import io.github.urae.GenerationCancelledException;
import io.github.urae.flux.arithmetic.LatentLayout;
import io.github.urae.flux.model.ModelInfo;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A service's own fake: no more than four methods, without an engine. */
@Timeout(300)
class ImagePipelineTest {

  private final CountDownLatch waiting = new CountDownLatch(1);
  private final CountDownLatch cancelled = new CountDownLatch(1);
  private final GenerationRequest request = GenerationRequest.builder("a star").build();

  /** Draws nothing until it is cancelled, or nothing at once. */
  private final class Fake implements ImagePipeline {

    private final boolean endless;

    Fake(boolean endless) {
      this.endless = endless;
    }

    @Override
    public List<GeneratedImage> generate(GenerationRequest asked, RunOptions options) {
      CancellationToken token = options.cancellation().orElseThrow();
      token.onCancel(cancelled::countDown);
      waiting.countDown();
      try {
        if (endless) {
          cancelled.await();
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
      token.throwIfCancelled();
      return List.of();
    }

    @Override
    public GenerationPlan plan(GenerationRequest asked) {
      throw new UnsupportedOperationException();
    }

    @Override
    public ModelInfo model() {
      return new ModelInfo("fake", "FLUX.1", new LatentLayout(16, 8, 2), 1024, true, 512, 28);
    }

    @Override
    public void close() {}
  }

  @Test
  void aFutureHoldsThePictures() throws Exception {
    assertThat(new Fake(false).generateAsync(request).get()).isEmpty();
  }

  @Test
  void cancellingTheFutureCancelsTheCallAlone() throws Exception {
    CancellationToken token = new CancellationToken();
    CompletableFuture<List<GeneratedImage>> future =
        new Fake(true).generateAsync(request, RunOptions.builder().cancellation(token).build());
    waiting.await();
    future.cancel(true);
    cancelled.await();
    assertThat(token.isCancelled()).isFalse();
    assertThat(future).isCancelled();
  }

  @Test
  void aTimeOutCancelsTheCall() throws Exception {
    CompletableFuture<List<GeneratedImage>> future = new Fake(true).generateAsync(request);
    // Before it has begun, it would not begin at all.
    waiting.await();
    assertThatThrownBy(() -> future.orTimeout(10, TimeUnit.MILLISECONDS).get())
        .hasCauseInstanceOf(TimeoutException.class);
    cancelled.await();
  }

  @Test
  void theCallersTokenCancelsTheCall() throws Exception {
    CancellationToken token = new CancellationToken();
    CompletableFuture<List<GeneratedImage>> future =
        new Fake(true).generateAsync(request, RunOptions.builder().cancellation(token).build());
    waiting.await();
    token.cancel();
    assertThatThrownBy(future::get)
        .isInstanceOf(ExecutionException.class)
        .hasCauseInstanceOf(GenerationCancelledException.class);
  }

  @Test
  void itRunsWhereItIsTold() throws Exception {
    RunOptions here = RunOptions.builder().executor(Runnable::run).build();
    assertThat(new Fake(false).generateAsync(request, here).isDone()).isTrue();
    Executor full =
        task -> {
          throw new RejectedExecutionException("full");
        };
    CompletableFuture<List<GeneratedImage>> refused =
        new Fake(false).generateAsync(request, RunOptions.builder().executor(full).build());
    assertThatThrownBy(refused::get).hasCauseInstanceOf(RejectedExecutionException.class);
  }
}
