package io.github.urae.internal;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** SHA-256 digests, as names that are long enough not to be met twice. */
public final class Sha256 {

  private static final int NAME_BYTES = 20;
  private static final int BUFFER_BYTES = 1 << 20;

  private Sha256() {}

  /**
   * Starts a digest.
   *
   * @return a new digest
   */
  public static MessageDigest start() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }

  /**
   * Completes a digest.
   *
   * @param digest reset by this
   * @return its first 160 bits, as 40 hexadecimal digits
   */
  public static String name(MessageDigest digest) {
    return HexFormat.of().formatHex(digest.digest(), 0, NAME_BYTES);
  }

  /**
   * Digests a file's content.
   *
   * @param file a file of any size
   * @return the digest's {@link #name}
   * @throws IOException if the file cannot be read
   */
  public static String nameOfContent(Path file) throws IOException {
    MessageDigest digest = start();
    byte[] buffer = new byte[BUFFER_BYTES];
    try (InputStream in = Files.newInputStream(file)) {
      for (int count = in.read(buffer); count >= 0; count = in.read(buffer)) {
        digest.update(buffer, 0, count);
      }
    }
    return name(digest);
  }
}
