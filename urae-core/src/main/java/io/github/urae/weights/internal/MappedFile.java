package io.github.urae.weights.internal;

import io.github.urae.FileFormatException;
import io.github.urae.weights.TensorInfo;
import java.io.Closeable;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * A file mapped in windows, since one Java buffer holds less than 2 GiB. Every tensor lies whole in
 * one window; windows are mapped when first asked for and released together by {@link #close()}.
 */
public final class MappedFile implements Closeable {

  /** Tensors are grouped up to this size; a larger one gets a window of its own. */
  private static final long WINDOW_BYTES = 1L << 30;

  private final FileChannel channel;

  /** Ends of the windows by their start, both as positions in the file. */
  private final TreeMap<Long, Long> windows = new TreeMap<>();

  private final Map<Long, MappedByteBuffer> mapped = new TreeMap<>();
  private boolean closed;

  /** Takes over the channel. */
  public MappedFile(FileChannel channel, Iterable<TensorInfo> tensorsInOrder) {
    this.channel = channel;
    long start = -1;
    for (TensorInfo tensor : tensorsInOrder) {
      long end = tensor.offset() + tensor.length();
      if (start < 0 || end - start > WINDOW_BYTES) {
        start = tensor.offset();
      }
      windows.merge(start, end, Math::max);
    }
  }

  /** Returns the bytes of a tensor as a slice of its window. */
  public synchronized ByteBuffer slice(TensorInfo tensor) throws IOException {
    checkOpen();
    Map.Entry<Long, Long> window = windows.floorEntry(tensor.offset());
    long start = window.getKey();
    MappedByteBuffer buffer = mapped.get(start);
    if (buffer == null) {
      buffer = channel.map(FileChannel.MapMode.READ_ONLY, start, window.getValue() - start);
      mapped.put(start, buffer);
    }
    return buffer.slice(Math.toIntExact(tensor.offset() - start), Math.toIntExact(tensor.length()));
  }

  /** Reads at a position of the file; returns the number of bytes, or -1 at its end. */
  public int read(ByteBuffer target, long position) throws IOException {
    synchronized (this) {
      checkOpen();
    }
    return channel.read(target, position);
  }

  /**
   * Refuses a tensor whose bytes are gone. Touching a page beyond a file's end gives an
   * InternalError at some later instruction, or ends the process: look first.
   */
  public synchronized void checkReadable(TensorInfo tensor) {
    checkOpen();
    long size;
    try {
      size = channel.size();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    if (size < tensor.offset() + tensor.length()) {
      throw new FileFormatException(
          tensor.file()
              + ": tensor '"
              + tensor.name()
              + "': the file was cut short to "
              + size
              + " bytes while it was open; open it again");
    }
  }

  public synchronized void checkOpen() {
    if (closed) {
      throw new IllegalStateException("this safetensors file is closed");
    }
  }

  @Override
  public synchronized void close() throws IOException {
    if (closed) {
      return;
    }
    closed = true;
    List<MappedByteBuffer> buffers = new ArrayList<>(mapped.values());
    mapped.clear();
    try (channel) {
      buffers.forEach(Unmapper::unmap);
    }
  }

  /**
   * Releases a mapping at once. Java 17 has no public way; without this one, mappings wait for the
   * garbage collector, which does not see their size, and on Windows keep the file from being
   * replaced.
   */
  private static final class Unmapper {

    private static final Object UNSAFE;
    private static final Method INVOKE_CLEANER;

    static {
      try {
        Class<?> unsafe = Class.forName("sun.misc.Unsafe");
        Field instance = unsafe.getDeclaredField("theUnsafe");
        instance.setAccessible(true);
        UNSAFE = instance.get(null);
        INVOKE_CLEANER = unsafe.getMethod("invokeCleaner", ByteBuffer.class);
      } catch (ReflectiveOperationException e) {
        throw new ExceptionInInitializerError(e);
      }
    }

    static void unmap(MappedByteBuffer buffer) {
      try {
        INVOKE_CLEANER.invoke(UNSAFE, buffer);
      } catch (ReflectiveOperationException e) {
        throw new IllegalStateException("a file mapping could not be released", e);
      }
    }
  }
}
