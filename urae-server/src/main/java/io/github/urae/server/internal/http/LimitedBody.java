package io.github.urae.server.internal.http;

import java.io.IOException;
import java.io.InputStream;
import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

/** The body of a request, no longer and no slower than is allowed. Not thread-safe. */
final class LimitedBody extends InputStream {

  /** What it has to come by at least after the time that every body has. */
  private static final long BYTES_PER_SECOND = 1 << 16;

  private final InputStream in;
  private final long max;
  private final Duration grace;
  private final long begun = System.nanoTime();
  private long count;

  /** Whoever closes a part of a form would read on. */
  private boolean refused;

  /**
   * Limits a body.
   *
   * @param max bytes
   * @param grace how long it may take, however short it is
   */
  LimitedBody(InputStream in, long max, Duration grace) {
    this.in = in;
    this.max = max;
    this.grace = grace;
  }

  static ApiException tooLarge(long max) {
    return ApiException.of(
        413, "body_too_large", "expected a body of at most " + max + " bytes, found more");
  }

  @Override
  public int read() throws IOException {
    byte[] one = new byte[1];
    return read(one, 0, 1) < 0 ? -1 : Byte.toUnsignedInt(one[0]);
  }

  @Override
  public int read(byte[] piece, int offset, int length) throws IOException {
    if (refused) {
      throw new IOException("nothing more is read of a body that was refused");
    }
    int read;
    try {
      read = in.read(piece, offset, length);
    } catch (SocketTimeoutException e) {
      throw refused(tooSlow());
    }
    count += Math.max(0, read);
    if (count > max) {
      throw refused(tooLarge(max));
    }
    long allowed = grace.toNanos() + TimeUnit.SECONDS.toNanos(count) / BYTES_PER_SECOND;
    if (System.nanoTime() - begun > allowed) {
      throw refused(tooSlow());
    }
    return read;
  }

  private ApiException refused(ApiException why) {
    refused = true;
    return why;
  }

  private static ApiException tooSlow() {
    return ApiException.of(408, "too_slow", "the body came too slowly");
  }
}
