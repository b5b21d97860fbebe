package io.github.urae.weights.internal;

import io.github.urae.FileFormatException;
import io.github.urae.internal.OwnedResources;
import java.io.Closeable;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A file, mapped in windows, since one Java buffer holds less than 2 GiB. Windows are mapped when
 * first asked for and released together by {@link #close()}. Thread-safe.
 *
 * <p>Java closes a channel when a thread that uses it is interrupted, also under all other threads.
 * Here such a thread sees its piece through, and stays interrupted; the file is opened anew, which
 * is refused where it is not the same any more.
 */
public final class MappedFile implements Closeable {

  private static final Logger LOG = LoggerFactory.getLogger(MappedFile.class);

  /**
   * Windows start at multiples of this and are twice as large, so that every piece up to this size
   * lies whole in one. A bit less than half of what a buffer holds.
   */
  private static final long WINDOW_BYTES = (1L << 30) - (1 << 16);

  private final Path file;
  private final long size;
  private final FileTime modified;
  private final Object identity;

  /** By their position in the file; larger pieces than a window by theirs. */
  private final Map<Long, FileMapping> windows = new HashMap<>();

  private FileChannel channel;
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
    BasicFileAttributes attributes = Files.readAttributes(file, BasicFileAttributes.class);
    this.modified = attributes.lastModifiedTime();
    this.identity = attributes.fileKey();
  }

  @FunctionalInterface
  private interface Access<T> {
    T on(FileChannel open) throws IOException;
  }

  private <T> T access(Access<T> access) throws IOException {
    boolean interrupted = Thread.interrupted();
    try {
      while (true) {
        FileChannel open = open();
        try {
          return access.on(open);
        } catch (ClosedChannelException e) {
          LOG.debug("{} is opened anew: a thread was interrupted", file, e);
          interrupted |= Thread.interrupted();
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  private synchronized FileChannel open() throws IOException {
    checkOpen();
    if (!channel.isOpen()) {
      OwnedResources opened = new OwnedResources();
      try {
        FileChannel anew = opened.add(FileChannel.open(file, StandardOpenOption.READ));
        BasicFileAttributes attributes = Files.readAttributes(file, BasicFileAttributes.class);
        if (!attributes.lastModifiedTime().equals(modified)
            || !Objects.equals(attributes.fileKey(), identity)) {
          throw new FileFormatException(file + ": changed while it was open; open it again");
        }
        channel = anew;
      } catch (Throwable e) {
        opened.closeAfter(e);
        throw e;
      }
    }
    return channel;
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
    try {
      return access(open -> slice(open, name, position, length));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private ByteBuffer slice(FileChannel open, String name, long position, int length)
      throws IOException {
    checkNotCut(open, name, position + length);
    long start = length > WINDOW_BYTES ? position : position / WINDOW_BYTES * WINDOW_BYTES;
    FileMapping window = windows.get(start);
    if (window == null) {
      long end = Math.min(size, start + Math.max(length, 2 * WINDOW_BYTES));
      window = FileMapping.of(open, start, end - start);
      windows.put(start, window);
    }
    return window.buffer().slice(Math.toIntExact(position - start), length);
  }

  /**
   * Refuses a piece whose bytes are gone. Touching a page beyond a file's end gives an
   * InternalError at some later instruction, or ends the process: look first.
   */
  private void checkNotCut(FileChannel open, String name, long end) throws IOException {
    long found = open.size();
    if (found < end) {
      throw new FileFormatException(
          file
              + ": tensor '"
              + name
              + "': the file was cut short to "
              + found
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
    long start = position - target.position();
    while (target.hasRemaining()) {
      int count = access(open -> open.read(target, start + target.position()));
      if (count < 0) {
        throw new FileFormatException(
            file + ": tensor '" + name + "': the file was cut short while it was open");
      }
    }
  }

  /**
   * Tells whether the file is not found under its path any more. Its bytes stay readable here.
   *
   * @return whether it was deleted, or another took its place
   * @throws IOException if it cannot be looked at
   * @throws FileFormatException if it was changed or cut short where it lies
   * @throws IllegalStateException if this is closed
   */
  public boolean isDisplaced() throws IOException {
    long sizeNow = access(FileChannel::size);
    BasicFileAttributes now = null;
    try {
      now = Files.readAttributes(file, BasicFileAttributes.class);
    } catch (NoSuchFileException e) {
      LOG.debug("{} was deleted", file, e);
    }
    boolean displaced = now == null || !Objects.equals(now.fileKey(), identity);
    if (sizeNow != size || (!displaced && !now.lastModifiedTime().equals(modified))) {
      throw new FileFormatException(
          file
              + ": changed while it was open (expected "
              + size
              + " bytes, found "
              + sizeNow
              + "); open it again");
    }
    return displaced;
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
    try {
      mappings.forEach(FileMapping::release);
    } finally {
      channel.close();
    }
  }
}
