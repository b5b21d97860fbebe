package io.github.urae.internal;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Set;

/**
 * What has a path but lies on no disk: a device, a pipe, a socket, or this process's standard
 * output. It is written to, and never replaced.
 */
public final class SpecialFile {

  /** Opened anew, a file behind these would be written from its beginning. */
  private static final Set<String> STANDARD_OUTPUT =
      Set.of("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1");

  private SpecialFile() {}

  /**
   * Tells whether a path is one.
   *
   * @param file a path; links are followed
   * @return false also where nothing is, or nothing is known
   */
  public static boolean is(Path file) {
    try {
      return isStandardOutput(file)
          || Files.readAttributes(file, BasicFileAttributes.class).isOther();
    } catch (IOException e) {
      return false; // Nothing is there, or whoever writes hears why.
    }
  }

  private static boolean isStandardOutput(Path file) {
    return STANDARD_OUTPUT.contains(file.toString());
  }

  /**
   * Opens one for writing; waits for a pipe's reader.
   *
   * @param file what {@link #is} one
   * @return takes the bytes; the caller closes it
   * @throws IOException if it cannot be opened
   */
  public static OutputStream open(Path file) throws IOException {
    return isStandardOutput(file)
        ? new FileOutputStream(FileDescriptor.out)
        : Files.newOutputStream(file, StandardOpenOption.WRITE);
  }
}
