package io.github.urae.internal;

import java.io.Closeable;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Deque;

/**
 * Resources of one owner, closed in reverse order of their adding. The first failure is thrown, the
 * others are suppressed in it. Thread-safe; closing twice is harmless.
 */
public final class OwnedResources implements Closeable {

  private final Deque<AutoCloseable> resources = new ArrayDeque<>();

  /** Creates an owner of nothing. */
  public OwnedResources() {}

  /**
   * Takes over a resource.
   *
   * @param resource closed with this
   * @param <T> its type
   * @return the resource
   */
  public synchronized <T extends AutoCloseable> T add(T resource) {
    resources.push(resource);
    return resource;
  }

  /**
   * Closes everything because something else failed.
   *
   * @param failure gets the failures of closing as suppressed ones; the caller throws it
   */
  public void closeAfter(Throwable failure) {
    try {
      close();
    } catch (IOException | RuntimeException suppressed) {
      failure.addSuppressed(suppressed);
    }
  }

  @Override
  public synchronized void close() throws IOException {
    Exception first = null;
    while (!resources.isEmpty()) {
      try {
        resources.pop().close();
      } catch (Exception e) {
        if (first == null) {
          first = e;
        } else {
          first.addSuppressed(e);
        }
      }
    }
    if (first instanceof IOException failure) {
      throw failure;
    }
    if (first instanceof RuntimeException failure) {
      throw failure;
    }
    if (first != null) {
      throw new IOException("closing failed", first);
    }
  }
}
