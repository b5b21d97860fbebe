package io.github.urae.weights.internal;

import io.github.urae.internal.PrintableText;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Optional;

/**
 * Tells by its first bytes what a file is that was taken for safetensors: what downloads end as,
 * and other formats for weights.
 */
final class MistakenFile {

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
  static Optional<String> describe(FileChannel channel) throws IOException {
    ByteBuffer start = ByteBuffer.allocate(LOOKED_AT);
    while (start.hasRemaining() && channel.read(start, start.position()) >= 0) {
      // Until the buffer is full or the file ends.
    }
    // Every byte is a character in Latin-1.
    return describe(new String(start.array(), 0, start.position(), StandardCharsets.ISO_8859_1));
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
    } else if (start.startsWith("version https://git-lfs.github.com/spec/")) {
      found =
          "a pointer of Git LFS, which stands for the file; run 'git lfs pull' where it was cloned,"
              + " or download the file itself";
    } else if (start.startsWith("GGUF")) {
      found = "a GGUF file; take the .safetensors file of the same weights";
    } else if (start.startsWith("PK\003\004")) {
      found = isTorchArchive(start) ? PICKLE : "a ZIP archive; unpack it and name the file in it";
    } else if (isPickle(start)) {
      found = PICKLE;
    } else if (start.startsWith("\037\213") || start.startsWith("7z\274\257\047\034")) {
      found = "a packed archive; unpack it and name the file in it";
    } else if (start.startsWith("\211PNG") || start.startsWith("\377\330\377")) {
      found = "a picture";
    } else if (isText(start) && !start.isEmpty()) {
      found = "text that begins " + PrintableText.quoted(firstLine(start));
    }
    return Optional.ofNullable(found);
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
