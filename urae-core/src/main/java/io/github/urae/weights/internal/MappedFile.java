package io.github.urae.weights.internal;

import io.github.urae.FileFormatException;
import java.io.Closeable;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
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
   * Windows start at multiples of this and are twice as large, so that every piece up to this size
   * lies whole in one. A bit less than half of what a buffer holds.
   */
  private static final long WINDOW_BYTES = (1L << 30) - (1 << 16);

  private final Path file;
  private final FileChannel channel;
  private final long size;

  /** By their position in the file; larger pieces than a window by theirs. */
  private final Map<Long, FileMapping> windows = new HashMap<>();

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
      FileMapping window = windows.get(start);
      if (window == null) {
        long end = Math.min(size, start + Math.max(length, 2 * WINDOW_BYTES));
        window = FileMapping.of(channel, start, end - start);
        windows.put(start, window);
      }
      return window.buffer().slice(Math.toIntExact(position - start), length);
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
    List<FileMapping> mappings = List.copyOf(windows.values());
    windows.clear();
    try (channel) {
      mappings.forEach(FileMapping::release);
    }
  }
}
