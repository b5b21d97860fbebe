package io.github.urae.server.internal.job;

import io.github.urae.AdapterException;
import io.github.urae.CancellationToken;
import io.github.urae.ProgressListener;
import io.github.urae.adapter.AdapterSpec;
import io.github.urae.pipeline.FluxPipeline;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;

/**
 * Gives every job the adapters that it asks for: jobs that want the same are drawn side by side,
 * others one after the other, in the order in which they come. Thread-safe.
 */
final class AdapterSwitch {

  private static final long PATIENCE_MILLIS = 50;

  private final FluxPipeline pipeline;
  private final AdapterCatalogue catalogue;

  /** What the pipeline was built with; requests add to it. */
  private final List<AdapterSpec> always;

  private final ReentrantLock entrance = new ReentrantLock(true);
  private List<AdapterChoice> present = List.of();
  private int users;

  AdapterSwitch(FluxPipeline pipeline, AdapterCatalogue catalogue) {
    this.pipeline = pipeline;
    this.catalogue = catalogue;
    this.always = pipeline.adapters();
  }

  /** Works with adapters, after waiting until nobody works with others. */
  <R> R with(
      List<AdapterChoice> wanted,
      ProgressListener listener,
      CancellationToken cancellation,
      Supplier<R> work)
      throws IOException, InterruptedException {
    while (!entrance.tryLock(PATIENCE_MILLIS, TimeUnit.MILLISECONDS)) {
      cancellation.throwIfCancelled();
    }
    try {
      enter(wanted, listener, cancellation);
    } finally {
      entrance.unlock();
    }
    try {
      return work.get();
    } finally {
      leave();
    }
  }

  private synchronized void enter(
      List<AdapterChoice> wanted, ProgressListener listener, CancellationToken cancellation)
      throws IOException, InterruptedException {
    while (!present.equals(wanted) && users > 0) {
      wait(PATIENCE_MILLIS);
      cancellation.throwIfCancelled();
    }
    if (!present.equals(wanted)) {
      pipeline.setAdapters(specs(wanted), listener, cancellation);
      present = wanted;
    }
    users++;
  }

  private synchronized void leave() {
    users--;
    notifyAll();
  }

  private List<AdapterSpec> specs(List<AdapterChoice> wanted) {
    Map<String, Path> files = catalogue.files();
    List<AdapterSpec> specs = new ArrayList<>(always);
    for (AdapterChoice choice : wanted) {
      Path file = files.get(choice.name());
      if (file == null) {
        throw new AdapterException(choice.name() + ": there is no such adapter any more");
      }
      specs.add(new AdapterSpec(file, choice.scale()));
    }
    return specs;
  }
}
