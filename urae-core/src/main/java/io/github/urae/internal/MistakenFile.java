package io.github.urae.internal;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Optional;

/**
 * Tells by its first bytes what a file is that was taken for safetensors or a configuration: what
 * downloads end as, and other formats for weights.
 */
public final class MistakenFile {

  private static final int LOOKED_AT = 512;

  private static final String PICKLE =
      "a PyTorch pickle (.bin, .pt, .ckpt), which may hold any program and is not read; take the"
          + " .safetensors file of the same name, or convert it with PyTorch:"
          + " safetensors.torch.save_file(torch.load(FILE, weights_only=True), \"NEW.safetensors\")";

  private MistakenFile() {}

  /**
   * Describes a file.
   *
   * @param channel the file, open
   * @return what it is and the way out, to follow {@code "found "}; empty if its bytes do not tell
   * @throws IOException if it cannot be read
   */
  public static Optional<String> describe(FileChannel channel) throws IOException {
    ByteBuffer start = ByteBuffer.allocate(LOOKED_AT);
    while (start.hasRemaining() && channel.read(start, start.position()) >= 0) {
      // Until the buffer is full or the file ends.
    }
    return describe(latin1(start.array(), start.position()));
  }

  /**
   * Describes a file that was taken for JSON or other text.
   *
   * @param content all of it, or its first kilobyte
   * @return what it is and the way out, to follow {@code "found "}; empty if its bytes do not tell,
   *     or it is text
   */
  public static Optional<String> describe(byte[] content) {
    String start = latin1(content, Math.min(LOOKED_AT, content.length));
    if (content.length == 0) {
      return Optional.of("an empty file; download or copy it again");
    }
    if (isSafetensors(content)) {
      return Optional.of("a safetensors file");
    }
    boolean page = isHtml(start.strip().toLowerCase(Locale.ROOT)) || isPointer(start);
    return page || !isText(start) ? describe(start) : Optional.empty();
  }

  /** Every byte is a character in Latin-1. */
  private static String latin1(byte[] bytes, int length) {
    return new String(bytes, 0, length, StandardCharsets.ISO_8859_1);
  }

  /**
   * Tells by its beginning whether a file is meant to be safetensors.
   *
   * @param content nine bytes of it or more; with fewer it is none
   */
  public static boolean isSafetensors(byte[] content) {
    if (content.length <= Long.BYTES || content[Long.BYTES] != '{') {
      return false;
    }
    long header = ByteBuffer.wrap(content).order(ByteOrder.LITTLE_ENDIAN).getLong();
    return header > 0 && header <= Integer.MAX_VALUE;
  }

  /**
   * Tells by its beginning whether a file is meant to be GGUF.
   *
   * @param content four bytes of it or more; with fewer it is none
   */
  public static boolean isGguf(byte[] content) {
    return latin1(content, Math.min(LOOKED_AT, content.length)).startsWith("GGUF");
  }

  private static boolean isPointer(String start) {
    return start.startsWith("version https://git-lfs") || start.startsWith("# xet version");
  }

  private static Optional<String> describe(String start) {
    String text = start.strip().toLowerCase(Locale.ROOT);
    String found = null;
    if (start.length() >= Long.BYTES && start.chars().allMatch(c -> c == 0)) {
      found =
          "nothing but zeros where it begins: a download that was not finished; download it again";
    } else if (isHtml(text)) {
      found =
          "an HTML page: a log-in or error page that was saved under this name; download the file"
              + " again, signed in where the model asks for it ('hf auth login', 'hf download')";
    } else if (isPointer(start)) {
      found =
          "a pointer of Git LFS, which stands for the file; run 'git lfs pull' where it was cloned,"
              + " or download the file itself";
    } else if (start.startsWith("GGUF")) {
      found = "a GGUF file; take the .safetensors file of the same weights";
    } else if (start.startsWith("tjgg")
        || start.startsWith("fmgg")
        || start.startsWith("lmgg")
        || start.startsWith("GGML")) {
      found = "a GGML file; take the .safetensors file of the same weights";
    } else if (start.startsWith("\211HDF")) {
      found = "an HDF5 file; take the .safetensors file of the same weights";
    } else if (start.startsWith("\223NUMPY")) {
      found = "a NumPy array; take the .safetensors file of the same weights";
    } else if (start.startsWith("PK\003\004")) {
      found = isTorchArchive(start) ? PICKLE : "a ZIP archive; unpack it and name the file in it";
    } else if (isPickle(start)) {
      found = PICKLE;
    } else if (isPacked(start)) {
      found = "a packed archive; unpack it and name the file in it";
    } else if (start.startsWith("\211PNG") || start.startsWith("\377\330\377")) {
      found = "a picture";
    } else if (isText(start) && !start.isEmpty()) {
      found = "text that begins " + PrintableText.quoted(firstLine(start));
    }
    return Optional.ofNullable(found);
  }

  /** By gzip, 7-Zip, xz, Zstandard, RAR, bzip2 and tar. */
  private static boolean isPacked(String start) {
    return start.startsWith("\037\213")
        || start.startsWith("7z\274\257\047\034")
        || start.startsWith("\3757zXZ")
        || start.startsWith("(\265/\375")
        || start.startsWith("Rar!")
        || start.startsWith("BZh")
        || start.startsWith("ustar", 257);
  }

  private static boolean isHtml(String text) {
    String withoutMark = text.startsWith("ï»¿") ? text.substring(3).strip() : text;
    return withoutMark.startsWith("<!doctype html")
        || withoutMark.startsWith("<html")
        || withoutMark.startsWith("<head")
        || withoutMark.startsWith("<?xml")
        || withoutMark.startsWith("<!--");
  }

  /** PyTorch's archives hold one folder, and the pickle is among the first of its entries. */
  private static boolean isTorchArchive(String start) {
    return start.contains("/data.pkl")
        || start.contains("/.format_version")
        || start.contains("/byteorder")
        || start.contains("/version");
  }

  /** Protocol 2 and later begin with their number, a dictionary or a frame. */
  private static boolean isPickle(String start) {
    return start.length() > 2
        && start.charAt(0) == '\200'
        && start.charAt(1) >= 2
        && start.charAt(1) <= 5
        && "}]()\212\225cX\214".indexOf(start.charAt(2)) >= 0;
  }

  private static boolean isText(String start) {
    return start
            .chars()
            .allMatch(c -> (c >= ' ' && c != 0x7F) || c == '\n' || c == '\r' || c == '\t')
        && start.chars().filter(c -> c >= 0x80).count() * 8 <= start.length();
  }

  private static String firstLine(String start) {
    return start
        .strip()
        .lines()
        .findFirst()
        .map(line -> line.substring(0, Math.min(line.length(), 60)))
        .orElse("");
  }
}
