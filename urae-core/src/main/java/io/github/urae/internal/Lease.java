package io.github.urae.internal;

import java.io.Closeable;
import java.io.IOException;
import java.util.Optional;

/**
 * One of several holds on a resource, which is closed when the last of them is: whoever needs it
 * longer than the one who opened it holds it, too, and nobody waits for anybody. Thread-safe;
 * closing twice is harmless.
 *
 * @param <T> the resource
 */
public final class Lease<T> implements Closeable {

  /** The resource, and how many leases of it there are. */
  private static final class Shared<T> {

    private final T resource;
    private final Closeable closing;
    private int holders;

    private Shared(T resource, Closeable closing) {
      this.resource = resource;
      this.closing = closing;
    }
  }

  private final Shared<T> shared;
  private boolean closed;

  /** To be called with the lock on what is shared, or before anybody else knows it. */
  private Lease(Shared<T> shared) {
    this.shared = shared;
    shared.holders++;
  }

  /**
   * Takes over a resource.
   *
   * @param resource what others will use
   * @param closing closes it, and what it needed
   * @param <T> the resource
   * @return the first lease of it
   */
  public static <T> Lease<T> of(T resource, Closeable closing) {
    return new Lease<>(new Shared<>(resource, closing));
  }

  /**
   * Takes over a resource that needs nothing else.
   *
   * @param resource closed with the last lease
   * @param <T> the resource
   * @return the first lease of it
   */
  public static <T extends Closeable> Lease<T> of(T resource) {
    return of(resource, resource);
  }

  /**
   * Returns the resource.
   *
   * @return open for as long as this lease is
   */
  public T get() {
    return shared.resource;
  }

  /**
   * Returns one more lease.
   *
   * @return the caller closes it
   * @throws IllegalStateException if the resource is closed
   */
  public Lease<T> another() {
    return anotherIfOpen().orElseThrow(() -> new IllegalStateException("closed"));
  }

  /**
   * Returns one more lease, unless the last one is closed; whether this one is does not matter.
   *
   * @return the caller closes it; empty if the resource is closed
   */
  public Optional<Lease<T>> anotherIfOpen() {
    synchronized (shared) {
      return shared.holders == 0 ? Optional.empty() : Optional.of(new Lease<>(shared));
    }
  }

  @Override
  public void close() throws IOException {
    synchronized (shared) {
      if (closed) {
        return;
      }
      closed = true;
      shared.holders--;
      if (shared.holders == 0) {
        // With the lock: who hears that the resource is closed may open another in its place.
        shared.closing.close();
      }
    }
  }
}
