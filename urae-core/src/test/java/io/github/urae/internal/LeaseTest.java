package io.github.urae.internal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class LeaseTest {

  @Test
  void theLastOneCloses() throws IOException {
    AtomicInteger closings = new AtomicInteger();
    Lease<String> first = Lease.of("resource", closings::incrementAndGet);
    Lease<String> second = first.another();
    first.close();
    first.close();
    assertThat(closings).hasValue(0);
    // Also by way of a lease that is closed itself.
    Lease<String> third = first.another();
    second.close();
    assertThat(third.get()).isEqualTo("resource");
    third.close();
    third.close();
    assertThat(closings).hasValue(1);
    assertThat(first.anotherIfOpen()).isEmpty();
    assertThatThrownBy(third::another).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void failuresReachWhoClosesLast() throws IOException {
    Lease<String> lease =
        Lease.of(
            "resource",
            () -> {
              throw new IOException("no");
            });
    Lease<String> another = lease.another();
    lease.close();
    assertThatThrownBy(another::close).isInstanceOf(IOException.class).hasMessage("no");
    another.close();
    assertThat(lease.anotherIfOpen()).isEmpty();
  }

  /** Whoever finds it closed finds it closed altogether. */
  @Test
  void manyThreadsShareOneAtATime() throws Exception {
    AtomicInteger open = new AtomicInteger();
    AtomicInteger most = new AtomicInteger();
    ExecutorService threads = Executors.newFixedThreadPool(8);
    try {
      Object lock = new Object();
      List<Lease<String>> last = new ArrayList<>();
      List<Future<?>> users = new ArrayList<>();
      for (int i = 0; i < 8; i++) {
        users.add(
            threads.submit(
                () -> {
                  for (int use = 0; use < 1000; use++) {
                    Lease<String> lease;
                    synchronized (lock) {
                      lease =
                          last.stream()
                              .findFirst()
                              .flatMap(Lease::anotherIfOpen)
                              .orElseGet(
                                  () -> {
                                    most.accumulateAndGet(open.incrementAndGet(), Math::max);
                                    return Lease.of("resource", open::decrementAndGet);
                                  });
                      last.clear();
                      last.add(lease);
                    }
                    lease.close();
                  }
                  return null;
                }));
      }
      for (Future<?> user : users) {
        user.get();
      }
    } finally {
      threads.shutdownNow();
    }
    assertThat(most).hasValue(1);
    assertThat(open).hasValue(0);
  }
}
