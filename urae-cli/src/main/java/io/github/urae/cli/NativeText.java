package io.github.urae.cli;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.TypeConversionException;

/**
 * Text on its way between the terminal and this program. In the locale {@code C}, as in many
 * containers, Java reads and writes ASCII only: a prompt in any other script would be lost without
 * a word. The start script chooses {@code C.UTF-8} then; this is for {@code java -jar}.
 */
final class NativeText {

  /** What Java puts in the place of a byte that it cannot read. */
  private static final char UNREADABLE = '\uFFFD';

  /** The arguments of this process as they were given, on Linux. */
  private static final Path COMMAND_LINE = Path.of("/proc/self/cmdline");

  private static final String ENCODING = System.getProperty("sun.jnu.encoding");
  private static final String ADVICE = "; set LC_ALL=C.UTF-8, or a UTF-8 locale of your language";

  private NativeText() {}

  /** Returns the encoding of standard output: the locale's, and UTF-8 where that is ASCII. */
  static Charset charset() {
    Charset locale = Charset.forName(System.getProperty("native.encoding", "UTF-8"));
    return locale.equals(StandardCharsets.US_ASCII) ? StandardCharsets.UTF_8 : locale;
  }

  /**
   * Returns arguments with the characters that the locale lacks, where they are UTF-8 and the
   * system tells.
   *
   * @param arguments as Java read them
   * @return the same where nothing was lost or can be found again
   */
  static String[] restored(String[] arguments) {
    if (String.join("", arguments).indexOf(UNREADABLE) < 0) {
      return arguments;
    }
    try {
      List<byte[]> given = split(Files.readAllBytes(COMMAND_LINE));
      String[] restored = arguments.clone();
      int before = given.size() - arguments.length;
      for (int i = 0; i < arguments.length; i++) {
        byte[] bytes = given.get(before + i);
        if (!new String(bytes, StandardCharsets.US_ASCII).equals(arguments[i])) {
          return arguments;
        }
        restored[i] = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
      }
      return restored;
    } catch (CharacterCodingException e) {
      return arguments; // Of another encoding.
    } catch (IOException | IndexOutOfBoundsException e) {
      return arguments; // Another system.
    }
  }

  /** Splits what the system tells: each argument ends with a zero byte. */
  private static List<byte[]> split(byte[] all) {
    List<byte[]> parts = new ArrayList<>();
    int start = 0;
    for (int i = 0; i < all.length; i++) {
      if (all[i] == 0) {
        parts.add(Arrays.copyOfRange(all, start, i));
        start = i + 1;
      }
    }
    return parts;
  }

  /** Says what is wrong with the first argument that could not be read, if there is one. */
  static Optional<String> unreadable(String... arguments) {
    return Arrays.stream(arguments)
        .filter(argument -> argument.indexOf(UNREADABLE) >= 0)
        .findFirst()
        .map(a -> "'" + a + "' cannot be read in the locale's encoding, " + ENCODING + ADVICE);
  }

  /** Reads a path. */
  static Path path(String text) {
    try {
      return Path.of(text);
    } catch (InvalidPathException e) {
      throw new TypeConversionException(notAFileName(text));
    }
  }

  /** Refuses what may be a path but cannot be one here, so that it is not looked for in vain. */
  static void checkFileName(String text) throws IOException {
    if (!Charset.forName(ENCODING).newEncoder().canEncode(text)) {
      throw new IOException(notAFileName(text));
    }
  }

  /** Says why Java cannot name a file: with characters that the locale lacks. */
  static String notAFileName(String text) {
    return "'" + text + "' is no file name in the locale's encoding, " + ENCODING + ADVICE;
  }
}
