package io.github.urae.server.internal.job;

import io.github.urae.AdapterException;
import io.github.urae.CancellationToken;
import io.github.urae.ProgressListener;
import io.github.urae.adapter.AdapterSpec;
import io.github.urae.pipeline.FluxPipeline;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.function.Supplier;

/**
 * Gives every job the adapters that it asks for: jobs that want the same are drawn side by side,
 * others one after the other, in the order in which they come. Thread-safe.
 */
final class AdapterSwitch {

  private final FluxPipeline pipeline;
  private final AdapterCatalogue catalogue;

  /** What the pipeline was built with; requests add to it. */
  private final List<AdapterSpec> always;

  /** Those who wait; guarded by this object, as are the fields below. */
  private final Deque<Place> line = new ArrayDeque<>();

  /** What the pipeline has; empty while it is exchanged. */
  private Optional<List<AdapterChoice>> present = Optional.of(List.of());

  private int users;

  AdapterSwitch(FluxPipeline pipeline, AdapterCatalogue catalogue) {
    this.pipeline = pipeline;
    this.catalogue = catalogue;
    this.always = pipeline.adapters();
  }

  /**
   * Somebody who waits.
   *
   * @param wanted the adapters
   * @param turn what they are to be exchanged for, which is nothing where they are there
   */
  private record Place(
      List<AdapterChoice> wanted, CompletableFuture<Optional<List<AdapterChoice>>> turn) {}

  /** Works with adapters, after waiting until nobody works with others. */
  <R> R with(
      List<AdapterChoice> wanted,
      ProgressListener listener,
      CancellationToken cancellation,
      Supplier<R> work)
      throws IOException, InterruptedException {
    Optional<List<AdapterChoice>> before = enter(wanted, cancellation);
    try {
      if (before.isPresent()) {
        exchange(before.get(), wanted, listener, cancellation);
      }
      return work.get();
    } finally {
      leave();
    }
  }

  /** Waits; returns what has to be exchanged, if anything. */
  private Optional<List<AdapterChoice>> enter(
      List<AdapterChoice> wanted, CancellationToken cancellation) throws InterruptedException {
    Place place = new Place(wanted, new CompletableFuture<>());
    synchronized (this) {
      line.add(place);
      admit();
    }
    CancellationToken.Registration watch = cancellation.onCancel(() -> place.turn.cancel(false));
    try {
      return place.turn.get();
    } catch (InterruptedException | CancellationException e) {
      giveUp(place);
      cancellation.throwIfCancelled();
      throw e;
    } catch (ExecutionException e) {
      throw new IllegalStateException("a turn does not fail", e);
    } finally {
      watch.close();
    }
  }

  /** Lets those in who are first and may work beside those who do. */
  private void admit() {
    while (!line.isEmpty()) {
      Place first = line.element();
      boolean there = present.filter(first.wanted::equals).isPresent();
      if (!there && users > 0) {
        return;
      }
      line.remove();
      // Whoever has been cancelled is passed over.
      if (first.turn.complete(there ? Optional.empty() : present)) {
        users++;
        present = there ? present : Optional.empty();
      }
    }
  }

  private synchronized void giveUp(Place place) {
    boolean waited = line.remove(place);
    if (!waited && !place.turn.isCancelled()) {
      users--; // His turn came at the same moment.
      // And nothing was exchanged yet.
      place.turn.join().ifPresent(before -> present = Optional.of(before));
    }
    admit();
  }

  private void exchange(
      List<AdapterChoice> before,
      List<AdapterChoice> wanted,
      ProgressListener listener,
      CancellationToken cancellation)
      throws IOException {
    List<AdapterChoice> now = before;
    try {
      pipeline.setAdapters(specs(wanted), listener, cancellation);
      now = wanted;
    } finally {
      has(now);
    }
  }

  private synchronized void has(List<AdapterChoice> adapters) {
    present = Optional.of(adapters);
    admit();
  }

  private synchronized void leave() {
    users--;
    admit();
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
