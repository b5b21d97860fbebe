package io.github.urae.weights.internal;

import io.github.urae.CancellationToken;
import io.github.urae.FileFormatException;
import io.github.urae.GenerationCancelledException;
import io.github.urae.ProgressListener;
import io.github.urae.internal.FileReplacement;
import io.github.urae.internal.OwnedResources;
import io.github.urae.weights.SafetensorsFile;
import io.github.urae.weights.SafetensorsWriter;
import java.io.Closeable;
import java.io.IOException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A folder of derived weight files, each under the name of its key.
 *
 * <p>Safe for several threads and processes at once: whoever first asks for a file makes it, the
 * others wait for that. A file is at all times whole or absent. When the folder grows over its
 * bound, the files that were not used for longest are deleted; on Linux and macOS a process that
 * has one of them open goes on with it.
 */
public final class WeightCache {

  /**
   * Bound on the folder's size where the user sets none: 100 GiB, FLUX.1-dev in float32 with room.
   */
  public static final long DEFAULT_MAX_BYTES = 100L << 30;

  private static final Logger LOG = LoggerFactory.getLogger(WeightCache.class);

  private static final String ENTRY_SUFFIX = ".safetensors";

  private final Path folder;
  private final long maxBytes;

  /** Makes a derived file. */
  @FunctionalInterface
  public interface Producer {

    /**
     * Writes the file, with a {@link SafetensorsWriter}.
     *
     * @param target where it belongs
     * @throws IOException if that fails; nothing is then at {@code target}
     */
    void write(Path target) throws IOException;
  }

  /**
   * Creates a cache; the folder itself is made when first needed.
   *
   * @param folder where files go
   * @param maxBytes bound on their size together, positive
   */
  public WeightCache(Path folder, long maxBytes) {
    this.folder = Objects.requireNonNull(folder, "folder").toAbsolutePath().normalize();
    if (maxBytes <= 0) {
      throw new IllegalArgumentException("the cache's bound must be positive, got " + maxBytes);
    }
    this.maxBytes = maxBytes;
  }

  /**
   * Returns the folder of this cache.
   *
   * @return an absolute path; it need not exist
   */
  public Path folder() {
    return folder;
  }

  /**
   * Finds a derived file, or makes it.
   *
   * @param key what the file depends on
   * @param expectedBytes about how large it will be; checked against the bound and the free space
   *     before it is made
   * @param producer makes it
   * @param listener hears while somebody else makes it or opens it
   * @param cancellation ends that wait
   * @return a lease on the file. It keeps the file from being deleted and others from having it:
   *     close it as soon as the file is open
   * @throws IOException if the file cannot be made, for want of space or otherwise
   * @throws GenerationCancelledException if the wait was cancelled, or the thread interrupted while
   *     it waited or made the file
   */
  public Lease obtain(
      CacheKey key,
      long expectedBytes,
      Producer producer,
      ProgressListener listener,
      CancellationToken cancellation)
      throws IOException {
    Files.createDirectories(folder);
    // The real path, by which all pipelines of this process agree on the file's lock.
    Path file = folder.toRealPath().resolve(key.name() + ENTRY_SUFFIX);
    WaitReporter waiting = new WaitReporter(listener, cancellation);
    OwnedResources opened = new OwnedResources();
    try {
      KeyLock lock = opened.add(KeyLock.acquire(file, waiting::report));
      waiting.end();
      try {
        if (!isWhole(file)) {
          deletePartialFilesOf(file);
          makeRoom(file, expectedBytes);
          producer.write(file);
        }
      } catch (Throwable e) {
        deleteLockOfNothing(file, lock, e);
        throw e;
      }
      return new Lease(file, lock);
    } catch (ClosedByInterruptException e) {
      opened.closeAfter(e);
      throw new GenerationCancelledException("cancelled: the thread was interrupted", e);
    } catch (Throwable e) {
      opened.closeAfter(e);
      throw e;
    }
  }

  /**
   * Tells whether a derived file is there.
   *
   * @param key what the file depends on
   * @return whether {@link #obtain} would find it, unless it is deleted before then or damaged
   */
  public boolean holds(CacheKey key) {
    return Files.exists(folder.resolve(key.name() + ENTRY_SUFFIX));
  }

  private static void deleteLockOfNothing(Path file, KeyLock lock, Throwable failure) {
    try {
      if (!Files.exists(file)) {
        lock.deleteLockFile();
      }
    } catch (IOException e) {
      failure.addSuppressed(e);
    }
  }

  /** A derived file that nobody deletes meanwhile. Close it when the file is open. */
  public static final class Lease implements Closeable {

    private final Path file;
    private KeyLock lock;

    private Lease(Path file, KeyLock lock) {
      this.file = file;
      this.lock = lock;
    }

    /**
     * Returns the file.
     *
     * @return a whole safetensors file
     */
    public Path file() {
      return file;
    }

    @Override
    public synchronized void close() throws IOException {
      if (lock != null) {
        KeyLock held = lock;
        lock = null;
        held.close();
      }
    }
  }

  private static boolean isWhole(Path file) throws IOException {
    if (!Files.exists(file)) {
      return false;
    }
    try {
      SafetensorsFile.open(file).close();
      return true;
    } catch (FileFormatException e) {
      LOG.warn("Replacing a damaged file in the cache: {}", e.getMessage());
      Files.delete(file);
      return false;
    }
  }

  /** Left behind by killed processes: whoever holds the lock knows that nobody writes them. */
  private static void deletePartialFilesOf(Path file) throws IOException {
    String prefix = file.getFileName() + ".";
    for (Path entry : list(file.getParent(), FileReplacement.PARTIAL_SUFFIX)) {
      if (entry.getFileName().toString().startsWith(prefix)) {
        Files.deleteIfExists(entry);
      }
    }
  }

  private void makeRoom(Path newFile, long expectedBytes) throws IOException {
    if (expectedBytes > maxBytes) {
      throw new IOException(
          newFile
              + ": needs "
              + expectedBytes
              + " bytes, but the cache is bounded to "
              + maxBytes
              + "; raise the bound");
    }
    evict(newFile, maxBytes - expectedBytes);
    long free = Files.getFileStore(folder).getUsableSpace();
    if (expectedBytes > free) {
      throw new IOException(
          newFile
              + ": needs "
              + expectedBytes
              + " bytes, but only "
              + free
              + " are free; make room, or choose a cache folder on another disk");
    }
  }

  private static void evict(Path keep, long allowedBytes) throws IOException {
    record Entry(Path file, long size, FileTime lastUse) {}

    long total = 0;
    List<Entry> entries = new ArrayList<>();
    for (Path file : list(keep.getParent(), ENTRY_SUFFIX)) {
      try {
        long size = Files.size(file);
        entries.add(new Entry(file, size, KeyLock.lastUse(file)));
        total += size;
      } catch (NoSuchFileException e) {
        LOG.debug("{} was deleted meanwhile", file, e);
      }
    }
    for (Path file : KeyLock.lockedFiles(keep.getParent())) {
      if (!file.equals(keep) && !Files.exists(file)) {
        // Nobody's, or of somebody who is making it just now and holds it.
        deleteUnlessLocked(file);
      }
    }
    entries.sort(Comparator.comparing(Entry::lastUse));
    for (Entry entry : entries) {
      if (total <= allowedBytes) {
        return;
      }
      if (!entry.file().equals(keep) && deleteUnlessLocked(entry.file())) {
        LOG.info("Deleted {} from the cache to keep its bound", entry.file());
        total -= entry.size();
      }
    }
  }

  private static boolean deleteUnlessLocked(Path file) {
    try {
      Optional<KeyLock> lock = KeyLock.tryAcquire(file);
      if (lock.isEmpty()) {
        return false;
      }
      try (KeyLock held = lock.get()) {
        boolean deleted = Files.deleteIfExists(file);
        held.deleteLockFile();
        return deleted;
      }
    } catch (IOException e) {
      // On Windows: mapped by someone.
      LOG.debug("{} stays in the cache", file, e);
      return false;
    }
  }

  private static List<Path> list(Path folder, String suffix) throws IOException {
    try (Stream<Path> entries = Files.list(folder)) {
      return entries.filter(p -> p.getFileName().toString().endsWith(suffix)).toList();
    }
  }
}
