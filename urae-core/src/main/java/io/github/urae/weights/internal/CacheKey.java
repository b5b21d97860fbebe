package io.github.urae.weights.internal;

import io.github.urae.internal.Sha256;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.concurrent.TimeUnit;

/**
 * Everything that a derived file depends on, as a SHA-256 digest. Equal keys mean equal content.
 * Not thread-safe while it is being built.
 */
public final class CacheKey {

  /** The safetensors format's limit. */
  private static final long MAX_HEADER_BYTES = 100_000_000;

  private static final int BEGINNING_BYTES = 1 << 20;

  private static final int PIECES = 16;
  private static final int PIECE_BYTES = 1 << 12;

  private final MessageDigest digest;
  private String name;

  /**
   * Starts a key.
   *
   * @param kind what the file is and how it is made; change it when the way of making changes
   */
  public CacheKey(String kind) {
    digest = Sha256.start();
    add(kind);
  }

  /**
   * Adds a value.
   *
   * @param value anything with a string form that tells it from others
   * @return this
   */
  public CacheKey add(Object value) {
    if (name != null) {
      throw new IllegalStateException("the key is complete");
    }
    byte[] bytes = value.toString().getBytes(StandardCharsets.UTF_8);
    // The length first: no two sequences of values give the same bytes.
    digest.update(ByteBuffer.allocate(Integer.BYTES).putInt(0, bytes.length));
    digest.update(bytes);
    return this;
  }

  /**
   * Adds a checkpoint: of each file the real path, size, second of the last modification, header
   * and some pieces of its content; of a file that is no safetensors the first mebibyte for a
   * header. Container images keep no fractions of seconds.
   *
   * @param source an open checkpoint
   * @return this
   * @throws IOException if a file cannot be looked at
   */
  public CacheKey addCheckpoint(TensorSource source) throws IOException {
    for (Path file : source.files()) {
      add(file.toRealPath());
      add(Files.size(file));
      add(Files.getLastModifiedTime(file).to(TimeUnit.SECONDS));
      add(headerDigest(file));
      add(piecesDigest(file));
    }
    return this;
  }

  private static String headerDigest(Path file) throws IOException {
    try (InputStream in = Files.newInputStream(file)) {
      byte[] prefix = in.readNBytes(Long.BYTES);
      long length =
          prefix.length < Long.BYTES
              ? 0
              : ByteBuffer.wrap(prefix).order(ByteOrder.LITTLE_ENDIAN).getLong();
      MessageDigest header = Sha256.start();
      header.update(prefix);
      boolean plausible = length >= 0 && length <= MAX_HEADER_BYTES;
      header.update(in.readNBytes(plausible ? (int) length : BEGINNING_BYTES));
      return Sha256.name(header);
    }
  }

  /** Other weights are other weights everywhere: they differ in some piece. */
  private static String piecesDigest(Path file) throws IOException {
    MessageDigest pieces = Sha256.start();
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      ByteBuffer piece = ByteBuffer.allocate(PIECE_BYTES);
      long last = Math.max(0, channel.size() - PIECE_BYTES);
      for (int i = 0; i < PIECES; i++) {
        long position = last / (PIECES - 1) * i;
        piece.clear();
        while (piece.hasRemaining() && channel.read(piece, position + piece.position()) > 0) {
          // A file system may give less than it is asked for.
        }
        pieces.update(piece.flip());
      }
    }
    return Sha256.name(pieces);
  }

  /** Returns the key as a file name: 40 hexadecimal digits. Completes the key. */
  String name() {
    if (name == null) {
      name = Sha256.name(digest);
    }
    return name;
  }
}
