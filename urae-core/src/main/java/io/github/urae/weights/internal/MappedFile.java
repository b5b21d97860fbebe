package io.github.urae.weights.internal;

import io.github.urae.FileFormatException;
import java.io.Closeable;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A file, mapped in windows, since one Java buffer holds less than 2 GiB. Windows are mapped when
 * first asked for and released together by {@link #close()}. Thread-safe.
 */
public final class MappedFile implements Closeable {

  /**
   * Windows start at multiples of this and are almost twice as large, so that every piece up to
   * this size lies whole in one.
   */
  private static final long WINDOW_BYTES = 1L << 30;

  private final Path file;
  private final FileChannel channel;
  private final long size;

  /** By their position in the file; larger pieces than a window by theirs. */
  private final Map<Long, MappedByteBuffer> windows = new HashMap<>();

  private boolean closed;

  /**
   * Takes over a channel.
   *
   * @param file its file, for messages
   * @param channel closed with this
   * @throws IOException if the file cannot be looked at
   */
  public MappedFile(Path file, FileChannel channel) throws IOException {
    this.file = file;
    this.channel = channel;
    this.size = channel.size();
  }

  /**
   * Returns the file's size when it was opened.
   *
   * @return its size in bytes
   */
  public long size() {
    return size;
  }

  /**
   * Maps a piece.
   *
   * @param name the tensor that it belongs to, for messages
   * @param position of its first byte in the file
   * @param length its size in bytes
   * @return a read-only view, from 0 to its limit
   * @throws FileFormatException if the file was cut short
   * @throws IllegalStateException if this is closed
   */
  public synchronized ByteBuffer slice(String name, long position, int length) {
    checkOpen();
    try {
      checkNotCut(name, position + length);
      long start = length > WINDOW_BYTES ? position : position / WINDOW_BYTES * WINDOW_BYTES;
      MappedByteBuffer window = windows.get(start);
      if (window == null) {
        long end = Math.min(size, start + Integer.MAX_VALUE);
        window = channel.map(FileChannel.MapMode.READ_ONLY, start, end - start);
        windows.put(start, window);
      }
      return window.slice(Math.toIntExact(position - start), length);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * Refuses a piece whose bytes are gone. Touching a page beyond a file's end gives an
   * InternalError at some later instruction, or ends the process: look first.
   */
  private void checkNotCut(String name, long end) throws IOException {
    if (channel.size() < end) {
      throw new FileFormatException(
          file
              + ": tensor '"
              + name
              + "': the file was cut short to "
              + channel.size()
              + " bytes while it was open; open it again");
    }
  }

  /**
   * Reads a piece without mapping it.
   *
   * @param name the tensor that it belongs to, for messages
   * @param position of its first byte in the file
   * @param target filled from its position to its limit
   * @throws IOException if reading fails
   * @throws FileFormatException if the file was cut short
   * @throws IllegalStateException if this is closed
   */
  public void read(String name, long position, ByteBuffer target) throws IOException {
    synchronized (this) {
      checkOpen();
    }
    long at = position;
    while (target.hasRemaining()) {
      int count = channel.read(target, at);
      if (count < 0) {
        throw new FileFormatException(
            file + ": tensor '" + name + "': the file was cut short while it was open");
      }
      at += count;
    }
  }

  /**
   * Refuses to go on after {@link #close()}.
   *
   * @throws IllegalStateException if this is closed
   */
  public synchronized void checkOpen() {
    if (closed) {
      throw new IllegalStateException(file + " is closed");
    }
  }

  @Override
  public synchronized void close() throws IOException {
    if (closed) {
      return;
    }
    closed = true;
    List<MappedByteBuffer> buffers = List.copyOf(windows.values());
    windows.clear();
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
