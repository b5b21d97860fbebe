package io.github.urae.onnx.internal.session;

import com.sun.jna.Function;
import com.sun.jna.NativeLibrary;
import io.github.urae.internal.NativeLibraries;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Native memory that was freed goes back to the system. The GNU C library keeps it: once a block of
 * some megabytes was freed, blocks up to that size come from its heaps, of which each thread's may
 * keep up to 64 MB at its end for later. After a thousand small pictures that is half a gigabyte,
 * of which a tenth is in use. Its function {@code malloc_trim} gives back what is free between what
 * is in use, {@code mallopt} bounds what is kept at the ends; elsewhere nothing is done.
 * Thread-safe.
 *
 * @see <a href="https://man7.org/linux/man-pages/man3/mallopt.3.html">mallopt(3)</a>
 */
public final class NativeHeap {

  private static final Logger LOG = LoggerFactory.getLogger(NativeHeap.class);

  /** What is given back is soon needed again, for some milliseconds of the system's time. */
  private static final long PAUSE_NANOS = Duration.ofSeconds(10).toNanos();

  private static final long START = System.nanoTime();
  private static final AtomicLong LAST = new AtomicLong(START);

  /** From {@code malloc.h}. */
  private static final int M_TRIM_THRESHOLD = -1;

  private static final int M_MMAP_THRESHOLD = -3;

  /** Larger blocks go back as soon as they are freed. */
  private static final int KEPT_BYTES = 1 << 20;

  /** By which the user says the same; that holds. */
  private static final List<String> SETTINGS =
      List.of("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES");

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
        function = OnnxTelemetry.withJna(NativeHeap::prepare);
      }
      Object[] keepNothing = {0L};
      int freed = function.invokeInt(keepNothing);
      LOG.trace("Native memory was given back: {}", freed != 0);
    } catch (LinkageError e) {
      LOG.trace("This C library has no malloc_trim, or JNA is missing", e);
    }
  }

  /** Bounds what is kept from now on, and finds what gives back the rest. */
  private static Function prepare() {
    NativeLibrary library = NativeLibrary.getProcess();
    Function trim = library.getFunction("malloc_trim");
    if (SETTINGS.stream().allMatch(name -> System.getenv(name) == null)) {
      Function option = library.getFunction("mallopt");
      for (int which : new int[] {M_TRIM_THRESHOLD, M_MMAP_THRESHOLD}) {
        int done = option.invokeInt(new Object[] {which, KEPT_BYTES});
        LOG.trace("mallopt({}, {}): {}", which, KEPT_BYTES, done);
      }
    }
    return trim;
  }
}
