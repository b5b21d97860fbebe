package io.github.urae.internal;

import io.github.urae.FileFormatException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/**
 * Files that others made, read within bounds: a pipe has no end, a device may have side effects,
 * and a file of the right name may be of any size.
 */
public final class InputFile {

  private static final char BYTE_ORDER_MARK = '\uFEFF';

  private InputFile() {}

  /**
   * Checks that a path leads to a file, through links or not.
   *
   * @param file a path
   * @throws NoSuchFileException if there is nothing
   * @throws FileFormatException if it is a folder, a pipe, a socket or a device
   */
  public static void checkRegular(Path file) throws IOException {
    if (Files.isRegularFile(file)) {
      return;
    }
    if (!Files.exists(file)) {
      throw new NoSuchFileException(file.toString());
    }
    throw new FileFormatException(
        file
            + ": expected a file, found "
            + (Files.isDirectory(file) ? "a folder" : "a pipe, socket or device"));
  }

  /**
   * Reads a whole file.
   *
   * @param file a path
   * @param limit most bytes that make sense
   * @return its content
   * @throws IOException if the file is missing or cannot be read
   * @throws FileFormatException if it is no regular file, or larger
   */
  public static byte[] read(Path file, int limit) throws IOException {
    checkRegular(file);
    try (InputStream in = Files.newInputStream(file)) {
      byte[] content = in.readNBytes(limit);
      if (in.read() >= 0) {
        throw new FileFormatException(
            file + ": expected at most " + limit + " bytes, found more; this is another file");
      }
      return content;
    }
  }

  /**
   * Reads a whole file as text.
   *
   * @param file a path
   * @param limit most bytes that make sense
   * @return its content, without the mark that some editors put before it
   * @throws IOException if the file is missing or cannot be read
   * @throws FileFormatException if it is no regular file, larger, or not UTF-8
   */
  public static String text(Path file, int limit) throws IOException {
    byte[] content = read(file, limit);
    String text;
    try {
      text =
          StandardCharsets.UTF_8
              .newDecoder()
              .onMalformedInput(CodingErrorAction.REPORT)
              .onUnmappableCharacter(CodingErrorAction.REPORT)
              .decode(ByteBuffer.wrap(content))
              .toString();
    } catch (CharacterCodingException e) {
      throw MistakenFile.describe(content)
          .map(found -> new FileFormatException(file + ": expected text, found " + found, e))
          .orElseGet(() -> new FileFormatException(file + ": not UTF-8", e));
    }
    return !text.isEmpty() && text.charAt(0) == BYTE_ORDER_MARK ? text.substring(1) : text;
  }
}
