package io.github.urae.weights.internal;

import io.github.urae.internal.OwnedResources;
import java.io.Closeable;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;

/**
 * The lock of one file in the cache, between threads and processes. Its lock file's modification
 * time is the time at which it was last taken.
 *
 * <p>A file lock is the process's, and on Linux and macOS closing any channel of the file gives it
 * up: within a process no second channel may be opened while one holds the lock. Hence the map,
 * which is as wide as the locks are.
 */
final class KeyLock implements Closeable {

  private static final Map<Path, Semaphore> TURNS = new ConcurrentHashMap<>();

  private final Semaphore turn;
  private final FileChannel channel;

  private KeyLock(Semaphore turn, FileChannel channel) {
    this.turn = turn;
    this.channel = channel;
  }

  /** Waits for the lock. */
  static KeyLock acquire(Path file) throws IOException {
    Semaphore turn = turnOf(file);
    try {
      turn.acquire();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw (IOException) new InterruptedIOException("waiting for " + file).initCause(e);
    }
    OwnedResources opened = new OwnedResources();
    opened.add(turn::release);
    try {
      FileChannel channel = opened.add(open(file));
      channel.lock();
      channel.write(ByteBuffer.wrap(new byte[1]), 0); // for the modification time
      return new KeyLock(turn, channel);
    } catch (Throwable e) {
      opened.closeAfter(e);
      throw e;
    }
  }

  /** Takes the lock if nobody holds it. */
  static Optional<KeyLock> tryAcquire(Path file) throws IOException {
    Semaphore turn = turnOf(file);
    if (!turn.tryAcquire()) {
      return Optional.empty();
    }
    OwnedResources opened = new OwnedResources();
    opened.add(turn::release);
    try {
      FileChannel channel = opened.add(open(file));
      FileLock lock = channel.tryLock();
      if (lock == null) {
        opened.close();
        return Optional.empty();
      }
      return Optional.of(new KeyLock(turn, channel));
    } catch (Throwable e) {
      opened.closeAfter(e);
      throw e;
    }
  }

  /** Returns when a file's lock was last taken by {@link #acquire}. */
  static FileTime lastUse(Path file) throws IOException {
    try {
      return Files.getLastModifiedTime(lockFile(file));
    } catch (NoSuchFileException e) {
      return Files.getLastModifiedTime(file);
    }
  }

  private static Semaphore turnOf(Path file) {
    return TURNS.computeIfAbsent(file, f -> new Semaphore(1));
  }

  private static FileChannel open(Path file) throws IOException {
    return FileChannel.open(lockFile(file), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
  }

  private static Path lockFile(Path file) {
    return file.resolveSibling(file.getFileName() + ".lock");
  }

  /** Gives the lock back. To be called once. */
  @Override
  public void close() throws IOException {
    try {
      channel.close();
    } finally {
      turn.release();
    }
  }
}
