package io.github.urae.server.internal.job;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.urae.CancellationToken;
import io.github.urae.GenerationCancelledException;
import io.github.urae.adapter.AdapterSpec;
import io.github.urae.demo.DemoModel;
import io.github.urae.pipeline.FluxPipeline;
import java.io.IOException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class AdapterSwitchTest {

  private static final Path FILES = Path.of("target", "test-cache").toAbsolutePath();

  private static final List<List<AdapterChoice>> WANTED =
      List.of(
          List.of(), List.of(new AdapterChoice("two", 1)), List.of(new AdapterChoice("two", 0.5)));

  /** Whatever others want, and whoever is cancelled or interrupted while he waits. */
  @Test
  void everybodyWorksWithHisOwn() throws Exception {
    long seed = new Random().nextLong();
    System.out.println("seed " + seed);
    Random seeds = new Random(seed);
    Path adapter = DemoModel.unpackInto(FILES).adapter2k();
    ExecutorService workers = Executors.newFixedThreadPool(6);
    ScheduledExecutorService clock = Executors.newSingleThreadScheduledExecutor();
    AtomicInteger worked = new AtomicInteger();
    try (FluxPipeline pipeline =
        FluxPipeline.builder()
            .model(DemoModel.unpackInto(FILES).checkpoint())
            .cacheFolder(FILES)
            .build()) {
      AdapterSwitch adapters =
          new AdapterSwitch(
              pipeline, new AdapterCatalogue(Optional.empty(), Map.of("two", adapter)));
      List<Future<?>> ends = new ArrayList<>();
      for (int i = 0; i < 60; i++) {
        int fate = seeds.nextInt(4);
        CancellationToken cancellation = new CancellationToken();
        List<AdapterChoice> wanted = WANTED.get(seeds.nextInt(WANTED.size()));
        if (fate == 0) {
          int millis = seeds.nextInt(300);
          ends.add(clock.schedule(cancellation::cancel, millis, TimeUnit.MILLISECONDS));
        }
        ends.add(
            workers.submit(
                () -> {
                  if (fate == 1) {
                    Thread.currentThread().interrupt();
                  }
                  List<AdapterSpec> specs =
                      wanted.stream().map(w -> new AdapterSpec(adapter, w.scale())).toList();
                  try {
                    adapters.with(
                        wanted,
                        progress -> {},
                        cancellation,
                        () -> {
                          assertThat(pipeline.adapters()).isEqualTo(specs);
                          Thread.onSpinWait();
                          assertThat(pipeline.adapters()).isEqualTo(specs);
                          return worked.incrementAndGet();
                        });
                  } catch (GenerationCancelledException
                      | InterruptedException
                      | ClosedByInterruptException e) {
                    assertThat(fate).as("why this one ended: %s", e).isLessThan(2);
                  }
                  return Thread.interrupted();
                }));
      }
      for (Future<?> end : ends) {
        end.get(5, TimeUnit.MINUTES);
      }
      assertThat(worked.get()).isBetween(15, 60);
      assertThat(run(adapters, WANTED.get(1))).isEqualTo("done");
      assertThat(run(adapters, WANTED.get(0))).isEqualTo("done");
      assertThat(pipeline.adapters()).isEmpty();
    } finally {
      workers.shutdownNow();
      clock.shutdownNow();
    }
  }

  private static String run(AdapterSwitch adapters, List<AdapterChoice> wanted)
      throws IOException, InterruptedException {
    return adapters.with(wanted, progress -> {}, new CancellationToken(), () -> "done");
  }
}
