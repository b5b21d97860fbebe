package io.github.urae.weights.internal;

import io.github.urae.CancellationToken;
import io.github.urae.FileFormatException;
import io.github.urae.GenerationCancelledException;
import io.github.urae.ProgressListener;
import io.github.urae.internal.CacheFolder;
import io.github.urae.internal.FileFailure;
import io.github.urae.internal.FileReplacement;
import io.github.urae.internal.OwnedResources;
import io.github.urae.weights.SafetensorsFile;
import io.github.urae.weights.SafetensorsWriter;
import io.github.urae.weights.TensorSource;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A folder of derived weight files, each under the name of its key, with checksums of its content.
 *
 * <p>Safe for several threads and processes at once: whoever first asks for a file makes it, the
 * others wait for that. A file is at all times whole or absent, and never changed; a damaged one is
 * made again. When the folder grows over its bound, the files that were not used for longest are
 * deleted; on Linux and macOS a process that has one of them open goes on with it. The same holds
 * for whatever else deletes files or the folder, at any time.
 *
 * <p>Files that are there are found in a folder that cannot be written, too.
 */
public final class WeightCache {

  /**
   * Bound on the folder's size where the user sets none: 100 GiB, FLUX.1-dev in float32 with room.
   */
  public static final long DEFAULT_MAX_BYTES = 100L << 30;

  private static final Logger LOG = LoggerFactory.getLogger(WeightCache.class);

  private static final String ENTRY_SUFFIX = ".safetensors";

  /** Whoever deletes the folder this often while a file is being made wants no cache. */
  private static final int ATTEMPTS = 3;

  private final Path folder;
  private final long maxBytes;
  private final ContentChecksums.Depth depth;

  /** The folder's real path when it was last looked at. */
  private volatile Path realFolder;

  /** What a derived file holds. */
  @FunctionalInterface
  public interface Content {

    /**
     * Writes all tensors. May be called again, from the beginning, if somebody deletes the file
     * meanwhile.
     *
     * @param sink takes the bytes of the tensors, in their order
     * @throws IOException if that fails; nothing is then in the cache
     */
    void writeTo(Sink sink) throws IOException;
  }

  /** Takes the bytes of a file's tensors. */
  @FunctionalInterface
  public interface Sink {

    /**
     * Takes the next bytes.
     *
     * @param tensor whose turn it is
     * @param bytes from position to limit; the position advances to the limit
     * @throws IOException if they cannot be written
     */
    void write(String tensor, ByteBuffer bytes) throws IOException;
  }

  /**
   * Creates a cache; the folder itself is made when first needed. Of large files parts are checked
   * before they are used.
   *
   * @param folder where files go
   * @param maxBytes bound on their size together, positive
   */
  public WeightCache(Path folder, long maxBytes) {
    this(folder, maxBytes, false);
  }

  /**
   * Creates a cache; the folder itself is made when first needed.
   *
   * @param folder where files go
   * @param maxBytes bound on their size together, positive
   * @param checkedWhole whether files are read whole before they are used; otherwise large ones in
   *     parts
   */
  public WeightCache(Path folder, long maxBytes, boolean checkedWhole) {
    this.folder = Objects.requireNonNull(folder, "folder").toAbsolutePath().normalize();
    if (maxBytes <= 0) {
      throw new IllegalArgumentException("the cache's bound must be positive, got " + maxBytes);
    }
    this.realFolder = this.folder;
    this.maxBytes = maxBytes;
    this.depth = checkedWhole ? ContentChecksums.Depth.WHOLE : ContentChecksums.Depth.SAMPLED;
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
   * @param tensors what it holds, in order
   * @param metadata strings that go with the tensors
   * @param content writes them
   * @param listener hears while somebody else makes the file or opens it
   * @param cancellation ends that wait
   * @return the open file, which deleting does not take away; the caller closes it
   * @throws IOException if the file cannot be made, for want of space or otherwise
   * @throws GenerationCancelledException if the wait was cancelled, or the thread interrupted while
   *     it waited or made the file
   */
  public TensorSource open(
      CacheKey key,
      List<SafetensorsWriter.Declaration> tensors,
      Map<String, String> metadata,
      Content content,
      ProgressListener listener,
      CancellationToken cancellation)
      throws IOException {
    Recipe recipe = new Recipe(key, tensors, metadata, content);
    WaitReporter waiting = new WaitReporter(listener, cancellation);
    try {
      for (int attempt = 1; true; attempt++) {
        try {
          return open(recipe, waiting);
        } catch (NoSuchFileException e) {
          Path missing = Path.of(e.getFile());
          if (attempt == ATTEMPTS
              || !(missing.startsWith(folder) || missing.startsWith(realFolder))) {
            throw e;
          }
          LOG.info("Once more: {} was deleted from the cache while it was being made", e.getFile());
        }
      }
    } catch (ClosedByInterruptException e) {
      throw new GenerationCancelledException("cancelled: the thread was interrupted", e);
    }
  }

  /** A file to be found or made. */
  private record Recipe(
      CacheKey key,
      List<SafetensorsWriter.Declaration> tensors,
      Map<String, String> metadata,
      Content content) {

    String fileName() {
      return key.name() + ENTRY_SUFFIX;
    }

    long bytes() {
      return tensors.stream().mapToLong(SafetensorsWriter.Declaration::byteSize).sum();
    }

    void write(Path target) throws IOException {
      try (DerivedFileWriter writer = new DerivedFileWriter(target, metadata, tensors)) {
        content.writeTo(writer::write);
        writer.finish();
      }
    }
  }

  private TensorSource open(Recipe recipe, WaitReporter waiting) throws IOException {
    CacheFolder.create(folder);
    // The real path, by which all pipelines of this process agree on the file's lock.
    realFolder = folder.toRealPath();
    Path file = realFolder.resolve(recipe.fileName());
    KeyLock lock;
    try {
      lock = KeyLock.acquire(file, waiting::report);
    } catch (ClosedByInterruptException | NoSuchFileException e) {
      throw e;
    } catch (IOException e) {
      waiting.end();
      return openUnlocked(file, e);
    }
    try (lock) {
      waiting.end();
      Optional<TensorSource> whole = openWhole(file);
      if (whole.isPresent()) {
        return whole.get();
      }
      try {
        deletePartialFilesOf(file);
        makeRoom(file, recipe.bytes());
        recipe.write(file);
      } catch (Throwable e) {
        deleteLockOfNothing(file, lock, e);
        throw e;
      }
      return opened(SafetensorsFile.open(file));
    }
  }

  /** Opens a file of a folder where nothing can be written: whoever deletes it must be able to. */
  private TensorSource openUnlocked(Path file, IOException reason) throws IOException {
    String found = "is not there";
    if (Files.exists(file)) {
      try {
        return openChecked(file);
      } catch (FileFormatException e) {
        reason.addSuppressed(e);
        found = "is damaged";
      }
    }
    throw new IOException(
        file
            + ": "
            + found
            + " and cannot be made, since the cache folder cannot be written ("
            + FileFailure.reason(reason)
            + "); "
            + CacheFolder.WAY_OUT,
        reason);
  }

  /** Opens a file if it is there; deletes it if it is damaged. */
  private Optional<TensorSource> openWhole(Path file) throws IOException {
    if (!Files.exists(file)) {
      return Optional.empty();
    }
    try {
      return Optional.of(openChecked(file));
    } catch (FileFormatException e) {
      LOG.warn("Replacing a damaged file in the cache: {}", e.getMessage());
      Files.delete(file);
      return Optional.empty();
    }
  }

  private TensorSource openChecked(Path file) throws IOException {
    SafetensorsFile opened = SafetensorsFile.open(file);
    try {
      ContentChecksums.check(opened, depth);
    } catch (Throwable e) {
      closeAfter(e, opened);
      throw e;
    }
    return opened(opened);
  }

  private static TensorSource opened(SafetensorsFile file) {
    return new WithoutTensor(file, ContentChecksums.TENSOR);
  }

  private static void closeAfter(Throwable failure, Closeable resource) {
    try {
      resource.close();
    } catch (IOException e) {
      failure.addSuppressed(e);
    }
  }

  /**
   * Tells whether a derived file is there.
   *
   * @param key what the file depends on
   * @return whether {@link #open} would find it, unless it is deleted before then or damaged
   */
  public boolean holds(CacheKey key) {
    return Files.exists(folder.resolve(key.name() + ENTRY_SUFFIX));
  }

  /**
   * What a file of a cache was found to be.
   *
   * @param file its path
   * @param bytes its size
   * @param damage what is wrong with it; empty if nothing is
   * @param deleted whether it was deleted for that
   */
  public record Finding(Path file, long bytes, Optional<String> damage, boolean deleted) {}

  /**
   * Reads all files whole, compares them with their checksums, and deletes those that are damaged:
   * they are made again when they are needed. Waits for whoever makes or opens one.
   *
   * @param listener hears while it waits
   * @param cancellation ends that, and the reading between two files
   * @return what was found, by file
   * @throws IOException if a file or the folder cannot be read
   */
  public List<Finding> verify(ProgressListener listener, CancellationToken cancellation)
      throws IOException {
    List<Finding> findings = new ArrayList<>();
    if (!Files.isDirectory(folder)) {
      return findings;
    }
    WaitReporter waiting = new WaitReporter(listener, cancellation);
    for (Path file : list(folder.toRealPath(), ENTRY_SUFFIX)) {
      cancellation.throwIfCancelled();
      Optional<KeyLock> lock = Optional.empty();
      try {
        lock = Optional.of(KeyLock.acquire(file, waiting::report));
      } catch (IOException e) {
        LOG.debug("{} cannot be locked, and so not be deleted", file, e);
      }
      OwnedResources held = new OwnedResources();
      lock.ifPresent(held::add);
      try {
        waiting.end();
        verify(file, lock).ifPresent(findings::add);
      } catch (Throwable e) {
        held.closeAfter(e);
        throw e;
      }
      held.close();
    }
    return findings;
  }

  private static Optional<Finding> verify(Path file, Optional<KeyLock> lock) throws IOException {
    long bytes = 0;
    try {
      bytes = Files.size(file);
      try (SafetensorsFile opened = SafetensorsFile.open(file)) {
        ContentChecksums.check(opened, ContentChecksums.Depth.WHOLE);
      }
      return Optional.of(new Finding(file, bytes, Optional.empty(), false));
    } catch (NoSuchFileException e) {
      LOG.debug("{} was deleted meanwhile", file, e);
      return Optional.empty();
    } catch (FileFormatException e) {
      if (lock.isPresent()) {
        Files.delete(file);
        lock.get().deleteLockFile();
      }
      return Optional.of(new Finding(file, bytes, Optional.of(e.getMessage()), lock.isPresent()));
    }
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
              + "; raise the bound (cacheLimit(...))");
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
              + " are free; make room, or choose a cache folder on another disk (--cache-dir,"
              + " cacheFolder(...))");
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
