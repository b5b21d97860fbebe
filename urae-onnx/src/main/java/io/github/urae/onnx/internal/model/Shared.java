package io.github.urae.onnx.internal.model;

import java.io.Closeable;
import java.io.IOException;

/**
 * Something that is closed when its owner has let go of it and nobody uses it any more.
 * Thread-safe.
 */
public final class Shared<T extends Closeable> {

  private final T resource;
  private int holders = 1;
  private boolean retired;

  /** Takes over a resource; the caller becomes its owner. */
  public Shared(T resource) {
    this.resource = resource;
  }

  /** Keeps the resource open until the lease is closed. */
  public synchronized Lease<T> lease() {
    if (holders == 0) {
      throw new IllegalStateException("closed");
    }
    holders++;
    return new Lease<>(this);
  }

  /** Shares a resource that no one but its lessees owns. */
  static <T extends Closeable> Lease<T> leaseOf(T resource) {
    Shared<T> shared = new Shared<>(resource);
    // The owner's hold becomes the lease.
    return new Lease<>(shared);
  }

  /** The owner lets go. Calling it again changes nothing. */
  public void retire() throws IOException {
    synchronized (this) {
      if (retired) {
        return;
      }
      retired = true;
    }
    release();
  }

  private void release() throws IOException {
    boolean last;
    synchronized (this) {
      holders--;
      last = holders == 0;
    }
    if (last) {
      resource.close();
    }
  }

  /** One use of a shared resource. */
  public static final class Lease<T extends Closeable> implements Closeable {

    private Shared<T> shared;

    private Lease(Shared<T> shared) {
      this.shared = shared;
    }

    public T get() {
      return shared.resource;
    }

    /** Returns another lease of the same resource. This one must still be held. */
    Lease<T> again() {
      return shared.lease();
    }

    @Override
    public void close() throws IOException {
      if (shared != null) {
        Shared<T> released = shared;
        shared = null;
        released.release();
      }
    }
  }
}
