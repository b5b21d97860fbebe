package io.github.urae.internal;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Remembers of a file that it was read whole and found right, in a small file beside it, so that it
 * need not be read again until something touches it. That is told by its size, its place on the
 * disk, and the times of its last modification and of the last change of either: the system sets
 * the latter, and no program can. Where there are no such times (Windows), nothing is remembered.
 */
final class CheckedFile {

  private static final Logger LOG = LoggerFactory.getLogger(CheckedFile.class);

  private static final String SUFFIX = ".checked";

  /** What is changed twice in a short time may have the same times after both. */
  private static final Duration SETTLED = Duration.ofSeconds(2);

  private CheckedFile() {}

  /** Describes a file as it is now, and what it was found to hold; empty where that says little. */
  static Optional<String> state(Path file, long checksum) throws IOException {
    Map<String, Object> now;
    try {
      now =
          Files.readAttributes(
              file, "unix:size,ino,lastModifiedTime,ctime", LinkOption.NOFOLLOW_LINKS);
    } catch (UnsupportedOperationException | IllegalArgumentException e) {
      return Optional.empty();
    }
    FileTime changed = (FileTime) now.get("ctime");
    if (System.currentTimeMillis() - changed.toMillis() < SETTLED.toMillis()) {
      return Optional.empty();
    }
    return Optional.of(
        checksum
            + " "
            + now.get("size")
            + " "
            + now.get("ino")
            + " "
            + ((FileTime) now.get("lastModifiedTime")).to(TimeUnit.NANOSECONDS)
            + " "
            + changed.to(TimeUnit.NANOSECONDS)
            + "\n");
  }

  /** Tells whether a file was found right in the state in which it is. */
  static boolean isKnown(Path file, String state) throws IOException {
    Path note = note(file);
    return Files.isRegularFile(note, LinkOption.NOFOLLOW_LINKS)
        && Files.size(note) == state.length()
        && state.equals(Files.readString(note, StandardCharsets.ISO_8859_1));
  }

  /** Remembers that a file was found right; not where nothing can be written. */
  static void remember(Path file, String state) {
    try {
      // Never written through a link that somebody has put there.
      Files.deleteIfExists(note(file));
      Files.writeString(note(file), state, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
    } catch (IOException e) {
      LOG.debug("{} is read whole the next time, too", file, e);
    }
  }

  private static Path note(Path file) {
    return file.resolveSibling(file.getFileName() + SUFFIX);
  }
}
