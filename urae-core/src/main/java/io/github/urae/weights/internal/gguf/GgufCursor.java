package io.github.urae.weights.internal.gguf;

import io.github.urae.FileFormatException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.CharBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * A place in a GGUF file, from which its numbers and strings are read one after the other. Nothing
 * is taken for granted that the rest of the file cannot hold. For one thread.
 */
final class GgufCursor {

  private static final int WINDOW_BYTES = 1 << 16;

  private final Path file;
  private final FileChannel channel;
  private final long size;

  /** What has been read of the file, from {@link #start} on. */
  private final ByteBuffer window =
      ByteBuffer.allocate(WINDOW_BYTES).order(ByteOrder.LITTLE_ENDIAN).limit(0);

  private long start;

  GgufCursor(Path file, FileChannel channel, long position) throws IOException {
    this.file = file;
    this.channel = channel;
    this.size = channel.size();
    this.start = position;
  }

  Path file() {
    return file;
  }

  long fileSize() {
    return size;
  }

  long position() {
    return start + window.position();
  }

  long remaining() {
    return size - position();
  }

  /** Makes sure that a few bytes lie in the window. */
  private void need(int bytes, String what) throws IOException {
    if (remaining() < bytes) {
      throw truncated(what);
    }
    if (window.remaining() < bytes) {
      start += window.position();
      window.compact();
      while (window.position() < bytes) {
        if (channel.read(window, start + window.position()) < 0) {
          throw truncated(what);
        }
      }
      window.flip();
    }
  }

  private FileFormatException truncated(String what) {
    return new FileFormatException(
        file
            + ": truncated: the file ends, after "
            + size
            + " bytes, within "
            + what
            + "; download or copy it again");
  }

  FileFormatException damaged(String problem) {
    return new FileFormatException(file + ": " + problem + "; the file is damaged");
  }

  int readByte(String what) throws IOException {
    need(1, what);
    return window.get();
  }

  int readShort(String what) throws IOException {
    need(Short.BYTES, what);
    return window.getShort();
  }

  int readInt(String what) throws IOException {
    need(Integer.BYTES, what);
    return window.getInt();
  }

  long readLong(String what) throws IOException {
    need(Long.BYTES, what);
    return window.getLong();
  }

  /**
   * Reads a number of items.
   *
   * @param what which items, for messages
   * @param itemBytes the fewest bytes that one takes
   * @throws FileFormatException if the rest of the file cannot hold as many
   */
  long readCount(String what, int itemBytes) throws IOException {
    long count = readLong(what);
    long most = remaining() / itemBytes;
    if (count < 0 || count > most) {
      throw new FileFormatException(
          file
              + ": says that there are "
              + Long.toUnsignedString(count)
              + " "
              + what
              + ", but the "
              + remaining()
              + " bytes that follow hold at most "
              + most
              + "; the file is damaged, or was not downloaded to its end: download it again");
    }
    return count;
  }

  /** Passes over bytes. */
  void skip(long bytes, String what) throws IOException {
    if (bytes > remaining()) {
      throw truncated(what);
    }
    if (bytes <= window.remaining()) {
      window.position(window.position() + (int) bytes);
    } else {
      start = position() + bytes;
      window.limit(0);
    }
  }

  /** Reads bytes. */
  byte[] readBytes(int count, String what) throws IOException {
    byte[] bytes = new byte[count];
    for (int done = 0; done < count; ) {
      need(1, what);
      int piece = Math.min(window.remaining(), count - done);
      window.get(bytes, done, piece);
      done += piece;
    }
    return bytes;
  }

  /** Passes over a string. */
  void skipString(String what) throws IOException {
    skip(readCount("bytes in " + what, 1), what);
  }

  /** Reads a string, in which anything but UTF-8 is replaced. */
  String readText(int limit, String what) throws IOException {
    return new String(readStringBytes(limit, what), StandardCharsets.UTF_8);
  }

  /** Reads a string that has to be UTF-8. */
  String readName(int limit, String what) throws IOException {
    byte[] bytes = readStringBytes(limit, what);
    try {
      CharBuffer name =
          StandardCharsets.UTF_8
              .newDecoder()
              .onMalformedInput(CodingErrorAction.REPORT)
              .onUnmappableCharacter(CodingErrorAction.REPORT)
              .decode(ByteBuffer.wrap(bytes));
      return name.toString();
    } catch (CharacterCodingException e) {
      throw new FileFormatException(file + ": " + what + " is not UTF-8; the file is damaged", e);
    }
  }

  private byte[] readStringBytes(int limit, String what) throws IOException {
    long length = readCount("bytes in " + what, 1);
    if (length > limit) {
      throw damaged("expected at most " + limit + " bytes in " + what + ", found " + length);
    }
    return readBytes((int) length, what);
  }
}
