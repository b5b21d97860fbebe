package io.github.urae.internal;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Comparator;
import java.util.List;
import java.util.UUID;
import java.util.stream.Stream;

/**
 * Writing a file so that it is at all times either what it was or whole: to a temporary sibling,
 * which is then renamed.
 */
public final class FileReplacement {

  /** Ending of temporary files; what carries it may be deleted when nobody writes it any more. */
  public static final String PARTIAL_SUFFIX = ".partial";

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

  /**
   * Returns a name for the temporary file of a target.
   *
   * @param target the file to be
   * @return a path beside it where nothing is
   */
  public static Path temporarySibling(Path target) {
    return target.resolveSibling(target.getFileName() + "." + UUID.randomUUID() + PARTIAL_SUFFIX);
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
  }

  /**
   * Writes a file, waits until it is on the disk and renames it to its target; deletes it if any of
   * this fails. Without the wait, a failure of power could leave an empty file in the old one's
   * place.
   *
   * @param target the file to be
   * @param content writes the temporary file
   * @throws IOException if writing or renaming fails; the target is then as it was
   */
  public static void replace(Path target, Content content) throws IOException {
    Path temporary = temporarySibling(target);
    try {
      content.writeTo(temporary);
      force(temporary);
      rename(temporary, target);
    } finally {
      Files.deleteIfExists(temporary);
    }
  }

  private static void force(Path file) throws IOException {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      channel.force(true);
    }
  }

  /**
   * Writes a folder under another name and renames it to its target; deletes it if either fails.
   *
   * @param target the folder to be; must not exist
   * @param content makes and fills the temporary folder
   * @throws IOException if writing or renaming fails, also because the target came into being
   */
  public static void createFolder(Path target, Content content) throws IOException {
    Path temporary = temporarySibling(target);
    try {
      content.writeTo(temporary);
      Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
    } finally {
      deleteTree(temporary);
    }
  }

  private static void deleteTree(Path root) throws IOException {
    if (!Files.exists(root)) {
      return;
    }
    List<Path> entries;
    try (Stream<Path> files = Files.walk(root)) {
      entries = files.sorted(Comparator.reverseOrder()).toList();
    }
    for (Path entry : entries) {
      Files.delete(entry);
    }
  }
}
