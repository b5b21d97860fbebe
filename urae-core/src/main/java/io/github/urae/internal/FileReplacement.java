package io.github.urae.internal;

import java.io.IOException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.OptionalLong;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writing a file so that it is at all times either what it was or whole: to a temporary sibling,
 * which is then renamed.
 *
 * <p>A symbolic link stays: what it leads to is replaced, in its own folder. Other hard links keep
 * what the file was. Devices, pipes and sockets are never replaced.
 *
 * <p>What killed processes have left is deleted when something else is written into the same
 * folder: partial files by their name, if nobody has written to them for an hour and nobody holds
 * their lock.
 */
public final class FileReplacement {

  /** Ending of temporary files; what carries it may be deleted when nobody writes it any more. */
  public static final String PARTIAL_SUFFIX = ".partial";

  private static final Logger LOG = LoggerFactory.getLogger(FileReplacement.class);

  /** Locked by whoever writes a partial folder, which ends with the process at the latest. */
  private static final String MARKER = ".being-written";

  /** Nobody pauses for longer while a file is written. */
  private static final Duration STALE = Duration.ofHours(1);

  /** What temporary files are called, after any name. */
  private static final Pattern PARTIAL =
      Pattern.compile(
          ".+\\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}" + Pattern.quote(PARTIAL_SUFFIX));

  private static final int MAX_LINKS = 40;

  /** Folders where this process has looked for partial files of others. */
  private static final Set<Path> SWEPT = ConcurrentHashMap.newKeySet();

  /** Partial files and folders of this process, absolute. */
  private static final Set<Path> BEING_WRITTEN = ConcurrentHashMap.newKeySet();

  private FileReplacement() {}

  /** Writes a file at a path. */
  @FunctionalInterface
  public interface Content {

    /**
     * Writes the content.
     *
     * @param file a path where nothing is yet
     * @throws IOException if that fails
     */
    void writeTo(Path file) throws IOException;
  }

  /** Tells how large a file is to be. */
  @FunctionalInterface
  public interface Size {

    /**
     * Returns the size; called only for a message.
     *
     * @return bytes, or empty if that is not known
     */
    OptionalLong inBytes();
  }

  /**
   * Finds where a file is to be written.
   *
   * @param target the file to be
   * @return the same, or what it leads to if it is a symbolic link
   * @throws IOException if a folder, device, pipe or socket is there, or the links lead nowhere
   */
  public static Path place(Path target) throws IOException {
    if (SpecialFile.is(target)) {
      throw new IOException(
          target + ": is a device, pipe or socket, where only pictures can be written");
    }
    Path place = target;
    for (int links = 0; Files.isSymbolicLink(place); links++) {
      if (links == MAX_LINKS) {
        throw new IOException(target + ": its links lead round in circles");
      }
      place = place.resolveSibling(Files.readSymbolicLink(place));
    }
    if (Files.isDirectory(place)) {
      throw new IOException(target + ": is a folder; expected a file to be");
    }
    return place;
  }

  /**
   * Returns a name for the temporary file of a target.
   *
   * @param target the file to be
   * @return a path beside it where nothing is
   */
  public static Path temporarySibling(Path target) {
    Path temporary =
        target.resolveSibling(target.getFileName() + "." + UUID.randomUUID() + PARTIAL_SUFFIX);
    BEING_WRITTEN.add(temporary.toAbsolutePath());
    return temporary;
  }

  /**
   * Renames a complete temporary file to its target, replacing what was there.
   *
   * @param temporary the complete file
   * @param target its path to be, in the same folder
   * @throws IOException if that fails; the target is then as it was
   */
  public static void rename(Path temporary, Path target) throws IOException {
    try {
      Files.move(
          temporary, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } catch (AtomicMoveNotSupportedException e) {
      Files.move(temporary, target, StandardCopyOption.REPLACE_EXISTING);
    }
    BEING_WRITTEN.remove(temporary.toAbsolutePath());
  }

  /**
   * Deletes a temporary file that will not be renamed.
   *
   * @param temporary a path of {@link #temporarySibling}
   * @throws IOException if it is there and cannot be deleted
   */
  public static void discard(Path temporary) throws IOException {
    deleteTree(temporary);
    BEING_WRITTEN.remove(temporary.toAbsolutePath());
  }

  /**
   * Deletes what this process has begun to write and not finished, as well as it can: for a process
   * that ends while threads still write.
   */
  public static void discardAll() {
    for (Path temporary : BEING_WRITTEN) {
      try {
        discard(temporary);
      } catch (IOException e) {
        LOG.warn("{} could not be deleted", temporary, e);
      }
    }
  }

  /**
   * Writes a file, waits until it is on the disk and renames it to its target; deletes it if any of
   * this fails. Without the wait, a failure of power could leave an empty file in the old one's
   * place.
   *
   * @param target the file to be
   * @param size tells the bytes that it takes, where they cannot be written
   * @param content writes the temporary file
   * @throws IOException if writing or renaming fails; the target is then as it was
   */
  public static void replace(Path target, Size size, Content content) throws IOException {
    Path place = place(target);
    if (SWEPT.add(folderOf(place))) {
      deleteStalePartials(place);
    }
    Path temporary = temporarySibling(place);
    try {
      content.writeTo(temporary);
      force(temporary);
      rename(temporary, place);
    } catch (ClosedByInterruptException e) {
      deleteAfter(e, temporary);
      throw e;
    } catch (IOException e) {
      deleteAfter(e, temporary);
      throw FileFailure.ofWriting(target, size.inBytes(), e);
    } catch (Throwable e) {
      deleteAfter(e, temporary);
      throw e;
    }
  }

  private static Path folderOf(Path file) {
    return file.toAbsolutePath().getParent();
  }

  /** Whoever may only read a file forces it by that: Windows alone wants more. */
  private static void force(Path file) throws IOException {
    StandardOpenOption option =
        Files.isWritable(file) ? StandardOpenOption.WRITE : StandardOpenOption.READ;
    try (FileChannel channel = FileChannel.open(file, option)) {
      channel.force(true);
    }
  }

  /**
   * Writes a folder under another name, waits until it is on the disk and renames it to its target;
   * deletes it if any of this fails. What killed processes have left of the same target is deleted
   * first.
   *
   * @param target the folder to be; must not exist
   * @param content fills the temporary folder, which is there and empty but for a hidden file
   * @throws IOException if writing or renaming fails, also because the target came into being
   */
  public static void createFolder(Path target, Content content) throws IOException {
    if (Files.exists(target, LinkOption.NOFOLLOW_LINKS)) {
      throw new FileAlreadyExistsException(
          target.toString(), null, "is there already; expected a folder to be");
    }
    deleteStalePartials(target);
    Path temporary = temporarySibling(target);
    Path marker = temporary.resolve(MARKER);
    Path unlocked = temporary.resolve(MARKER + PARTIAL_SUFFIX);
    try {
      Files.createDirectory(temporary);
      try (FileChannel channel =
          FileChannel.open(unlocked, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
        lockIfPossible(channel);
        // Under its name it is locked: nobody ever sees it otherwise while it is in use.
        Files.move(unlocked, marker, StandardCopyOption.ATOMIC_MOVE);
        content.writeTo(temporary);
        Files.delete(marker);
      }
      for (Path file : tree(temporary)) {
        if (Files.isRegularFile(file)) {
          force(file);
        }
      }
      Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      deleteAfter(e, temporary);
      throw namesNoFile(e) ? FileFailure.ofWriting(target, OptionalLong.empty(), e) : e;
    } catch (Throwable e) {
      deleteAfter(e, temporary);
      throw e;
    } finally {
      BEING_WRITTEN.remove(temporary.toAbsolutePath());
    }
  }

  /** What the system says of a write: nothing but the reason. */
  private static boolean namesNoFile(IOException failure) {
    return failure.getClass() == IOException.class
        && failure.getMessage() != null
        && !failure.getMessage().contains(":");
  }

  /**
   * Locks a file that is being written, so that nobody takes it for left behind.
   *
   * @param channel the open file; closing it gives the lock up
   */
  public static void lockIfPossible(FileChannel channel) {
    try {
      FileLock lock = channel.tryLock();
      LOG.debug("Writing under {}", lock);
    } catch (IOException e) {
      // Some network file systems have no locks; then nobody takes this for stale.
      LOG.debug("no locks here", e);
    }
  }

  /**
   * Deletes what killed processes have left in a target's folder: folders that nobody writes any
   * more, and files that were not written to for an hour. What cannot be deleted stays, without a
   * word.
   *
   * @param target a file or folder to be
   */
  public static void deleteStalePartials(Path target) {
    try {
      List<Path> left;
      try (Stream<Path> siblings = Files.list(folderOf(target))) {
        left =
            siblings
                .filter(path -> PARTIAL.matcher(path.getFileName().toString()).matches())
                .filter(path -> !Files.isSymbolicLink(path))
                .toList();
      }
      for (Path path : left) {
        if (isStale(path)) {
          LOG.info("Deleting {}, which a killed process has left", path);
          deleteTree(path);
        }
      }
    } catch (IOException e) {
      LOG.debug("something partial beside {} stays", target, e);
    }
  }

  private static boolean isStale(Path partial) throws IOException {
    // To open and close another channel of a file would give up this process's own lock of it.
    if (BEING_WRITTEN.contains(partial)) {
      return false;
    }
    Path marker = partial.resolve(MARKER);
    if (!Files.exists(marker)) {
      Instant latest = Instant.now().minus(STALE);
      return Files.getLastModifiedTime(partial).toInstant().isBefore(latest)
          && (Files.isDirectory(partial) || isUnlocked(partial));
    }
    try (FileChannel channel = FileChannel.open(marker, StandardOpenOption.WRITE)) {
      // Without its name it was given up by somebody who is done, just before the folder is
      // renamed.
      return channel.tryLock() != null && Files.exists(marker);
    } catch (OverlappingFileLockException e) {
      LOG.debug("{} is being written in this process", partial, e);
      return false;
    }
  }

  private static boolean isUnlocked(Path file) throws IOException {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      return channel.tryLock() != null;
    } catch (OverlappingFileLockException e) {
      LOG.debug("{} is being written in this process", file, e);
      return false;
    }
  }

  /** The failure is what the caller has to hear of, whatever else goes wrong. */
  private static void deleteAfter(Throwable failure, Path partial) {
    try {
      discard(partial);
    } catch (IOException | RuntimeException e) {
      failure.addSuppressed(e);
    }
  }

  private static void deleteTree(Path root) throws IOException {
    List<Path> entries = tree(root);
    for (int i = entries.size() - 1; i >= 0; i--) {
      Files.deleteIfExists(entries.get(i));
    }
  }

  /** Returns what is there, folders before what is in them. */
  private static List<Path> tree(Path root) throws IOException {
    if (!Files.exists(root)) {
      return List.of();
    }
    try (Stream<Path> files = Files.walk(root)) {
      return files.toList();
    }
  }
}
