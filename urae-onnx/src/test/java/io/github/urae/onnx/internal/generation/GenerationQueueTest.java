package io.github.urae.onnx.internal.generation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.urae.CancellationToken;
import io.github.urae.GenerationCancelledException;
import io.github.urae.ProgressListener;
import io.github.urae.Stage;
import io.github.urae.StageProgress;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(300)
class GenerationQueueTest {

  private final GenerationQueue queue = new GenerationQueue(1);
  private final ExecutorService threads = Executors.newCachedThreadPool();
  private final BlockingQueue<String> began = new LinkedBlockingQueue<>();
  private final CountDownLatch first = new CountDownLatch(1);

  @AfterEach
  void stop() {
    first.countDown();
    threads.shutdownNow();
  }

  private String take() throws InterruptedException {
    return began.poll(30, TimeUnit.SECONDS);
  }

  /** Takes the only turn until {@link #first} is counted down. */
  private Future<String> occupy() throws InterruptedException {
    Future<String> running =
        threads.submit(
            () ->
                queue.inTurn(
                    ProgressListener.NONE,
                    new CancellationToken(),
                    () -> {
                      began.add("first");
                      try {
                        first.await();
                      } catch (InterruptedException e) {
                        Thread.currentThread().interrupt();
                      }
                      return "first";
                    }));
    assertThat(take()).isEqualTo("first");
    return running;
  }

  private Future<String> join(String name, CancellationToken token, ProgressListener listener)
      throws InterruptedException {
    CountDownLatch waits = new CountDownLatch(1);
    Future<String> result =
        threads.submit(
            () ->
                queue.inTurn(
                    progress -> {
                      listener.onProgress(progress);
                      waits.countDown();
                    },
                    token,
                    () -> {
                      began.add(name);
                      return name;
                    }));
    assertThat(waits.await(30, TimeUnit.SECONDS)).isTrue();
    return result;
  }

  @Test
  void turnsGoInOrderAndPlacesAreTold() throws Exception {
    Future<String> running = occupy();
    List<StageProgress> told = new ArrayList<>();
    Future<String> second = join("second", new CancellationToken(), ProgressListener.NONE);
    Future<String> third = join("third", new CancellationToken(), told::add);
    assertThat(told.get(0).stage()).isEqualTo(Stage.WAITING);
    assertThat(told.get(0).done()).isZero();
    assertThat(told.get(0).total()).isEqualTo(2);
    first.countDown();
    assertThat(List.of(running.get(), second.get(), third.get()))
        .containsExactly("first", "second", "third");
    assertThat(take() + take()).isEqualTo("secondthird");
    assertThat(told.get(told.size() - 1).isComplete()).isTrue();
  }

  @Test
  void whoWaitsMayBeCancelledAndOthersMoveUp() throws Exception {
    Future<String> unused = occupy();
    CancellationToken token = new CancellationToken();
    Future<String> second = join("second", token, ProgressListener.NONE);
    BlockingQueue<Long> ahead = new LinkedBlockingQueue<>();
    Future<String> third =
        join("third", new CancellationToken(), told -> ahead.add(told.total() - told.done()));
    assertThat(ahead.poll(30, TimeUnit.SECONDS)).isEqualTo(2);
    token.cancel();
    assertThatThrownBy(second::get)
        .isInstanceOf(ExecutionException.class)
        .hasCauseInstanceOf(GenerationCancelledException.class);
    assertThat(ahead.poll(30, TimeUnit.SECONDS)).isEqualTo(1);
    first.countDown();
    assertThat(third.get()).isEqualTo("third");
    assertThat(take()).isEqualTo("third");
  }

  @Test
  void closingEndsTheWaitingButNoTurn() throws Exception {
    Future<String> running = occupy();
    Future<String> second = join("second", new CancellationToken(), ProgressListener.NONE);
    queue.close();
    assertThatThrownBy(second::get)
        .hasCauseInstanceOf(IllegalStateException.class)
        .hasMessageContaining("closed while this generation waited for its turn");
    first.countDown();
    assertThat(running.get()).isEqualTo("first");
    assertThatThrownBy(
            () -> queue.inTurn(ProgressListener.NONE, new CancellationToken(), () -> "late"))
        .isInstanceOf(IllegalStateException.class);
  }

  @Test
  void failuresGiveTheirTurnBack() throws Exception {
    assertThatThrownBy(
            () ->
                queue.inTurn(
                    ProgressListener.NONE,
                    new CancellationToken(),
                    () -> {
                      throw new IllegalArgumentException("broken");
                    }))
        .isInstanceOf(IllegalArgumentException.class);
    Future<String> unused = occupy();
    ProgressListener failing =
        progress -> {
          throw new IllegalArgumentException("listener");
        };
    assertThatThrownBy(() -> queue.inTurn(failing, new CancellationToken(), () -> "never"))
        .hasMessage("listener");
    Future<String> second = join("second", new CancellationToken(), ProgressListener.NONE);
    first.countDown();
    assertThat(second.get()).isEqualTo("second");
  }
}
