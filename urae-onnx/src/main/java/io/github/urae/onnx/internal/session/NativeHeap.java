package io.github.urae.onnx.internal.session;

import com.sun.jna.Function;
import com.sun.jna.NativeLibrary;
import io.github.urae.internal.NativeLibraries;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Native memory that was freed goes back to the system. The GNU C library keeps it: once a block of
 * some megabytes was freed, blocks up to that size come from its heaps, of which each keeps as much
 * again for later. After a thousand small pictures that is half a gigabyte, of which a tenth is in
 * use. Its function {@code malloc_trim} gives back what is free; elsewhere nothing is done.
 * Thread-safe.
 */
public final class NativeHeap {

  private static final Logger LOG = LoggerFactory.getLogger(NativeHeap.class);

  /** What is given back is soon needed again, for some milliseconds of the system's time. */
  private static final long PAUSE_NANOS = Duration.ofSeconds(10).toNanos();

  private static final long START = System.nanoTime();
  private static final AtomicLong LAST = new AtomicLong(START);

  /** Looked up once. */
  private static volatile Function function;

  private NativeHeap() {}

  /** Gives back what is free, unless that was done a moment ago: after work that recurs. */
  public static void trimNowAndThen() {
    long last = LAST.get();
    long now = System.nanoTime();
    if (now - last >= PAUSE_NANOS && LAST.compareAndSet(last, now)) {
      giveBack();
    }
  }

  /** Gives back what is free, after much was freed; nothing in a process that has just begun. */
  public static void trim() {
    long now = System.nanoTime();
    if (now - START >= PAUSE_NANOS) {
      LAST.set(now);
      giveBack();
    }
  }

  private static void giveBack() {
    if (!NativeLibraries.system().equals("linux")) {
      return;
    }
    try {
      if (function == null) {
        function =
            OnnxTelemetry.withJna(() -> NativeLibrary.getProcess().getFunction("malloc_trim"));
      }
      Object[] keepNothing = {0L};
      int freed = function.invokeInt(keepNothing);
      LOG.trace("Native memory was given back: {}", freed != 0);
    } catch (LinkageError e) {
      LOG.trace("This C library has no malloc_trim, or JNA is missing", e);
    }
  }
}
