package io.github.urae.image.internal;

import io.github.urae.FileFormatException;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Walks over the pieces of a picture's file; what it lacks is a file cut short. */
final class FileWalk {

  private final String origin;
  private final ByteBuffer bytes;

  FileWalk(String origin, byte[] file, ByteOrder order) {
    this.origin = origin;
    this.bytes = ByteBuffer.wrap(file).order(order);
  }

  int position() {
    return bytes.position();
  }

  int remaining() {
    return bytes.remaining();
  }

  void seek(long position) {
    if (position < 0 || position > bytes.limit()) {
      throw cut(null);
    }
    bytes.position((int) position);
  }

  void skip(long count) {
    seek(bytes.position() + count);
  }

  int u8() {
    try {
      return Byte.toUnsignedInt(bytes.get());
    } catch (BufferUnderflowException e) {
      throw cut(e);
    }
  }

  int u16() {
    try {
      return Short.toUnsignedInt(bytes.getShort());
    } catch (BufferUnderflowException e) {
      throw cut(e);
    }
  }

  long u32() {
    try {
      return Integer.toUnsignedLong(bytes.getInt());
    } catch (BufferUnderflowException e) {
      throw cut(e);
    }
  }

  /** Returns the next bytes, a copy. */
  byte[] bytes(long count) {
    if (count < 0 || count > bytes.remaining()) {
      throw cut(null);
    }
    byte[] part = new byte[(int) count];
    bytes.get(part);
    return part;
  }

  FileFormatException damaged(String message) {
    return new FileFormatException(origin + ": the picture cannot be read: " + message);
  }

  private FileFormatException cut(Exception cause) {
    return new FileFormatException(
        origin + ": the picture cannot be read: its file is cut short; download or copy it again",
        cause);
  }
}
