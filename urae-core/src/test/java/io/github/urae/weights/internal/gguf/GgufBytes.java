package io.github.urae.weights.internal.gguf;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** GGUF files byte by byte, also such as no writer would make. */
final class GgufBytes {

  int magic = 0x46554747;
  int version = 3;
  Long tensorCount;
  Long entryCount;
  int alignment = 32;

  private final List<byte[]> entries = new ArrayList<>();
  private final List<byte[]> tensors = new ArrayList<>();
  private final ByteArrayOutputStream data = new ByteArrayOutputStream();

  static ByteBuffer bytes(int count) {
    return ByteBuffer.allocate(count).order(ByteOrder.LITTLE_ENDIAN);
  }

  static byte[] string(String text) {
    return string(text.getBytes(StandardCharsets.UTF_8));
  }

  static byte[] string(byte[] text) {
    return bytes(8 + text.length).putLong(text.length).put(text).array();
  }

  static byte[] joined(byte[]... parts) {
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    for (byte[] part : parts) {
      all.writeBytes(part);
    }
    return all.toByteArray();
  }

  static byte[] int32(int value) {
    return bytes(4).putInt(value).array();
  }

  static byte[] int64(long value) {
    return bytes(8).putLong(value).array();
  }

  GgufBytes entry(byte[] whole) {
    entries.add(whole);
    return this;
  }

  GgufBytes text(String key, String value) {
    return entry(joined(string(key), int32(8), string(value)));
  }

  GgufBytes u32(String key, int value) {
    return entry(joined(string(key), int32(4), int32(value)));
  }

  /** Lists a tensor, whose bytes may lie anywhere. */
  GgufBytes listed(String name, int type, long offset, long... fastestFirst) {
    byte[] info = joined(string(name), int32(fastestFirst.length));
    for (long dimension : fastestFirst) {
      info = joined(info, int64(dimension));
    }
    return rawTensor(joined(info, int32(type), int64(offset)));
  }

  GgufBytes rawTensor(byte[] whole) {
    tensors.add(whole);
    return this;
  }

  /** Adds a tensor behind the others. */
  GgufBytes tensor(String name, GgmlType type, byte[] content, long... fastestFirst) {
    int offset = (data.size() + alignment - 1) / alignment * alignment;
    data.writeBytes(new byte[offset - data.size()]);
    data.writeBytes(content);
    return listed(name, type.id(), offset, fastestFirst);
  }

  GgufBytes data(int count) {
    data.writeBytes(new byte[count]);
    return this;
  }

  byte[] build() {
    ByteArrayOutputStream file = new ByteArrayOutputStream();
    file.writeBytes(int32(magic));
    file.writeBytes(int32(version));
    file.writeBytes(int64(tensorCount == null ? tensors.size() : tensorCount));
    file.writeBytes(int64(entryCount == null ? entries.size() : entryCount));
    entries.forEach(file::writeBytes);
    tensors.forEach(file::writeBytes);
    file.writeBytes(new byte[-file.size() & (alignment - 1)]);
    file.writeBytes(data.toByteArray());
    return file.toByteArray();
  }
}
