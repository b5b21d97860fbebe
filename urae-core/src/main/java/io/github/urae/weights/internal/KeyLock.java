package io.github.urae.weights.internal;

import io.github.urae.internal.OwnedResources;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * The lock of one file in the cache, between threads and processes. Its lock file's modification
 * time is the time at which it was last taken.
 *
 * <p>A file lock is the process's, and on Linux and macOS closing any channel of the file gives it
 * up: within a process no second channel may be opened while one holds the lock. Hence the map,
 * which is as wide as the locks are.
 *
 * <p>A lock file goes with the file that it is for. Whoever had it open by then would hold the lock
 * of a file that has no name any more, beside whoever makes a new one: so the lock counts only if
 * its file still has its name once it is held.
 */
final class KeyLock implements Closeable {

  /** How long another process's end of work may go unnoticed. */
  private static final long POLL_MILLIS = 100;

  private static final String SUFFIX = ".lock";

  private static final Map<Path, Semaphore> TURNS = new ConcurrentHashMap<>();

  private final Path lockFile;
  private final Semaphore turn;
  private final FileChannel channel;

  private KeyLock(Path lockFile, Semaphore turn, FileChannel channel) {
    this.lockFile = lockFile;
    this.turn = turn;
    this.channel = channel;
  }

  /**
   * Waits for the lock.
   *
   * @param file what it is for
   * @param waiting called a few times a second while somebody else holds it; what it throws ends
   *     the wait
   * @return the lock; the caller closes it
   * @throws IOException if the lock file cannot be made or written
   */
  static KeyLock acquire(Path file, Runnable waiting) throws IOException {
    while (true) {
      Optional<KeyLock> lock = tryAcquire(file, POLL_MILLIS);
      if (lock.isPresent()) {
        try {
          // For the modification time.
          lock.get().channel.write(ByteBuffer.wrap(new byte[1]), 0);
          return lock.get();
        } catch (Throwable e) {
          try {
            lock.get().close();
          } catch (IOException suppressed) {
            e.addSuppressed(suppressed);
          }
          throw e;
        }
      }
      waiting.run();
    }
  }

  /** Takes the lock if nobody holds it. */
  static Optional<KeyLock> tryAcquire(Path file) throws IOException {
    return tryAcquire(file, 0);
  }

  private static Optional<KeyLock> tryAcquire(Path file, long millis) throws IOException {
    Semaphore turn = TURNS.computeIfAbsent(file, f -> new Semaphore(1));
    long start = System.nanoTime();
    try {
      if (!turn.tryAcquire(millis, TimeUnit.MILLISECONDS)) {
        return Optional.empty();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return Optional.empty();
    }
    OwnedResources opened = new OwnedResources();
    opened.add(turn::release);
    try {
      Path lockFile = lockFile(file);
      FileChannel channel = openAndLock(lockFile);
      if (channel != null) {
        return Optional.of(new KeyLock(lockFile, turn, channel));
      }
      opened.close();
    } catch (Throwable e) {
      opened.closeAfter(e);
      throw e;
    }
    pause(millis - (System.nanoTime() - start) / 1_000_000);
    return Optional.empty();
  }

  private static void pause(long millis) {
    try {
      Thread.sleep(Math.max(0, millis));
    } catch (InterruptedException e) {
      // Whoever waits looks whether its thread is interrupted.
      Thread.currentThread().interrupt();
    }
  }

  /** Returns an open channel that holds the lock, or null if somebody else does. */
  private static FileChannel openAndLock(Path lockFile) throws IOException {
    while (true) {
      Optional<Object> before = identity(lockFile);
      OwnedResources opened = new OwnedResources();
      try {
        FileChannel channel =
            opened.add(
                FileChannel.open(
                    lockFile,
                    StandardOpenOption.CREATE,
                    StandardOpenOption.WRITE,
                    LinkOption.NOFOLLOW_LINKS));
        if (before.isPresent()) {
          if (channel.tryLock() == null) {
            opened.close();
            return null;
          }
          if (before.equals(identity(lockFile))) {
            return channel;
          }
        }
        // New, or deleted meanwhile by whoever held it: not known to be the file of that name.
        opened.close();
      } catch (Throwable e) {
        opened.closeAfter(e);
        throw e;
      }
    }
  }

  /** Tells files of the same name apart; where the system cannot, they are all taken for one. */
  private static Optional<Object> identity(Path file) throws IOException {
    try {
      Object key =
          Files.readAttributes(file, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS)
              .fileKey();
      return Optional.of(key == null ? "unknown" : key);
    } catch (NoSuchFileException e) {
      return Optional.empty();
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

  /** Returns what the lock files in a folder are for. */
  static List<Path> lockedFiles(Path folder) throws IOException {
    try (Stream<Path> entries = Files.list(folder)) {
      return entries
          .map(path -> path.getFileName().toString())
          .filter(name -> name.endsWith(SUFFIX))
          .map(name -> folder.resolve(name.substring(0, name.length() - SUFFIX.length())))
          .toList();
    }
  }

  private static Path lockFile(Path file) {
    return file.resolveSibling(file.getFileName() + SUFFIX);
  }

  /** Deletes the lock file, which is for nothing any more. The lock is held until it is closed. */
  void deleteLockFile() throws IOException {
    // Without identities nobody would notice.
    if (Files.readAttributes(lockFile, BasicFileAttributes.class).fileKey() != null) {
      Files.delete(lockFile);
    }
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
