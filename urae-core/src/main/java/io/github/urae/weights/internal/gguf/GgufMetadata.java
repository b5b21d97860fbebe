package io.github.urae.weights.internal.gguf;

import io.github.urae.FileFormatException;
import io.github.urae.internal.InputFile;
import io.github.urae.internal.PrintableText;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What a GGUF file says beside its tensors. Arrays, such as the pieces of a tokenizer, stay in the
 * file until they are asked for. Immutable and thread-safe.
 */
public final class GgufMetadata {

  /** Checkpoints have about ten entries, those with a tokenizer forty. */
  private static final int MOST_ENTRIES = 1 << 16;

  /** As in llama.cpp. */
  private static final int MOST_KEY_BYTES = (1 << 16) - 1;

  private static final int MOST_TEXT_BYTES = 1 << 24;

  /** Elements of an array that is read as a whole. */
  private static final int MOST_ELEMENTS = 1 << 24;

  /** Key, type and value of an entry. */
  static final int LEAST_ENTRY_BYTES = Long.BYTES + Integer.BYTES + 1;

  /** Types of values, in the order of their numbers. */
  private enum ValueType {
    U8(1),
    I8(1),
    U16(2),
    I16(2),
    U32(4),
    I32(4),
    F32(4),
    BOOL(1),
    STRING(Long.BYTES),
    ARRAY(Integer.BYTES + Long.BYTES),
    U64(8),
    I64(8),
    F64(8);

    /** Of a value; the fewest of a string or an array. */
    private final int bytes;

    ValueType(int bytes) {
      this.bytes = bytes;
    }

    boolean isInteger() {
      return this != F32 && this != F64 && this != BOOL && this != STRING && this != ARRAY;
    }
  }

  /** One value in words, or where an array lies. */
  private record Value(ValueType type, String text, ValueType elements, long count, long position) {

    static Value of(ValueType type, String text) {
      return new Value(type, text, type, 0, 0);
    }

    String description() {
      return type == ValueType.ARRAY ? "an array of " + elements : "the " + type + " " + text;
    }
  }

  private final Path file;
  private final Map<String, Value> values;

  private GgufMetadata(Path file, Map<String, Value> values) {
    this.file = file;
    this.values = values;
  }

  /**
   * Reads the metadata of a file.
   *
   * @param file a GGUF file
   * @return what it says
   * @throws IOException if the file is missing or cannot be read
   * @throws FileFormatException if it is no GGUF file, or its metadata break the format
   * @throws io.github.urae.ModelException if it is of a version that is not read
   */
  public static GgufMetadata read(Path file) throws IOException {
    InputFile.checkRegular(file);
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      return GgufHeader.metadata(file, channel);
    }
  }

  /** Reads entries where a cursor stands, and leaves it behind them. */
  static GgufMetadata read(GgufCursor cursor, long count) throws IOException {
    if (count > MOST_ENTRIES) {
      throw cursor.damaged(
          "expected at most " + MOST_ENTRIES + " metadata entries, found " + count);
    }
    Map<String, Value> values = new LinkedHashMap<>();
    for (long i = 0; i < count; i++) {
      String key = cursor.readName(MOST_KEY_BYTES, "the key of metadata entry " + i);
      String what = "the metadata entry " + PrintableText.quoted(key);
      Value value = readValue(cursor, what);
      if (values.put(key, value) != null) {
        throw cursor.damaged(what + " is there twice");
      }
    }
    return new GgufMetadata(cursor.file(), Collections.unmodifiableMap(values));
  }

  private static Value readValue(GgufCursor cursor, String what) throws IOException {
    ValueType type = readType(cursor, what);
    if (type != ValueType.ARRAY) {
      return Value.of(type, readScalar(cursor, type, what));
    }
    ValueType elements = readType(cursor, what);
    if (elements == ValueType.ARRAY) {
      throw cursor.damaged(what + ": expected an array of numbers or strings, found one of arrays");
    }
    long count = cursor.readCount("elements in " + what, elements.bytes);
    long position = cursor.position();
    if (elements == ValueType.STRING) {
      for (long i = 0; i < count; i++) {
        cursor.skipString(what);
      }
    } else {
      cursor.skip(count * elements.bytes, what);
    }
    return new Value(type, "", elements, count, position);
  }

  private static ValueType readType(GgufCursor cursor, String what) throws IOException {
    int number = cursor.readInt(what);
    ValueType[] types = ValueType.values();
    if (number < 0 || number >= types.length) {
      throw cursor.damaged(
          what
              + ": expected a type of 0 to "
              + (types.length - 1)
              + ", found "
              + Integer.toUnsignedString(number));
    }
    return types[number];
  }

  private static String readScalar(GgufCursor cursor, ValueType type, String what)
      throws IOException {
    return switch (type) {
      case U8 -> Integer.toString(cursor.readByte(what) & 0xFF);
      case I8 -> Integer.toString(cursor.readByte(what));
      case U16 -> Integer.toString(cursor.readShort(what) & 0xFFFF);
      case I16 -> Integer.toString(cursor.readShort(what));
      case U32 -> Integer.toUnsignedString(cursor.readInt(what));
      case I32 -> Integer.toString(cursor.readInt(what));
      case F32 -> Float.toString(Float.intBitsToFloat(cursor.readInt(what)));
      case BOOL -> Boolean.toString(cursor.readByte(what) != 0);
      case STRING -> cursor.readText(MOST_TEXT_BYTES, what);
      case U64 -> Long.toUnsignedString(cursor.readLong(what));
      case I64 -> Long.toString(cursor.readLong(what));
      case F64 -> Double.toString(Double.longBitsToDouble(cursor.readLong(what)));
      case ARRAY -> throw new IllegalArgumentException(what);
    };
  }

  /**
   * Returns all entries but arrays.
   *
   * @return immutable; numbers in words, in the order of the file
   */
  public Map<String, String> texts() {
    Map<String, String> texts = new LinkedHashMap<>();
    values.forEach(
        (key, value) -> {
          if (value.type() != ValueType.ARRAY) {
            texts.put(key, value.text());
          }
        });
    return Collections.unmodifiableMap(texts);
  }

  /**
   * Tells whether there is an entry, of any type.
   *
   * @param key its key
   * @return whether the file has it
   */
  public boolean has(String key) {
    return values.containsKey(key);
  }

  /**
   * Returns a string.
   *
   * @param key its key
   * @return the value, or empty if there is none
   * @throws FileFormatException if it is of another type
   */
  public Optional<String> text(String key) {
    Optional<Value> value = find(key);
    value
        .filter(found -> found.type() != ValueType.STRING)
        .ifPresent(found -> refuse(key, "a string", found));
    return value.map(Value::text);
  }

  /**
   * Returns an integer.
   *
   * @param key its key
   * @return the value, or empty if there is none
   * @throws FileFormatException if it is no integer, or beyond 64 bits with a sign
   */
  public Optional<Long> integer(String key) {
    Optional<Value> value = find(key);
    value
        .filter(found -> !found.type().isInteger() || isBeyondLong(found))
        .ifPresent(found -> refuse(key, "an integer", found));
    return value.map(found -> Long.parseLong(found.text()));
  }

  private static boolean isBeyondLong(Value found) {
    return found.type() == ValueType.U64 && Long.parseUnsignedLong(found.text()) < 0;
  }

  /**
   * Returns a truth value.
   *
   * @param key its key
   * @return the value, or empty if there is none
   * @throws FileFormatException if it is of another type
   */
  public Optional<Boolean> flag(String key) {
    Optional<Value> value = find(key);
    value
        .filter(found -> found.type() != ValueType.BOOL)
        .ifPresent(found -> refuse(key, "a truth value", found));
    return value.map(found -> Boolean.parseBoolean(found.text()));
  }

  private Optional<Value> find(String key) {
    return Optional.ofNullable(values.get(key));
  }

  private void refuse(String key, String expected, Value found) {
    throw new FileFormatException(
        file
            + ": metadata entry "
            + PrintableText.quoted(key)
            + ": expected "
            + expected
            + ", found "
            + PrintableText.shortened(found.description())
            + "; take a file whose converter keeps to the format");
  }

  /**
   * Reads an array of strings.
   *
   * @param key its key
   * @return its elements; empty if there is none
   * @throws IOException if the file cannot be read
   * @throws FileFormatException if it is of another type, or the file has changed
   */
  public List<String> strings(String key) throws IOException {
    Optional<Value> array = array(key, "an array of strings", ValueType.STRING);
    List<String> strings = new ArrayList<>();
    if (array.isPresent()) {
      try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
        GgufCursor cursor = new GgufCursor(file, channel, array.get().position());
        for (long i = 0; i < array.get().count(); i++) {
          strings.add(cursor.readText(MOST_TEXT_BYTES, key));
        }
      }
    }
    return Collections.unmodifiableList(strings);
  }

  /**
   * Reads an array of float32 numbers.
   *
   * @param key its key
   * @return its elements; empty if there is none
   * @throws IOException if the file cannot be read
   * @throws FileFormatException if it is of another type, or the file has changed
   */
  public float[] floats(String key) throws IOException {
    ByteBuffer bytes = numbers(key, "an array of F32", ValueType.F32);
    float[] floats = new float[bytes.remaining() / Float.BYTES];
    bytes.asFloatBuffer().get(floats);
    return floats;
  }

  /**
   * Reads an array of 32-bit integers.
   *
   * @param key its key
   * @return its elements; empty if there is none
   * @throws IOException if the file cannot be read
   * @throws FileFormatException if it is of another type, or the file has changed
   */
  public int[] integers(String key) throws IOException {
    ByteBuffer bytes = numbers(key, "an array of I32 or U32", ValueType.I32, ValueType.U32);
    int[] integers = new int[bytes.remaining() / Integer.BYTES];
    bytes.asIntBuffer().get(integers);
    return integers;
  }

  /**
   * Reads an array of bytes.
   *
   * @param key its key
   * @return its elements; empty if there is none
   * @throws IOException if the file cannot be read
   * @throws FileFormatException if it is of another type, or the file has changed
   */
  public byte[] bytes(String key) throws IOException {
    return numbers(key, "an array of U8 or I8", ValueType.U8, ValueType.I8).array();
  }

  private ByteBuffer numbers(String key, String expected, ValueType... types) throws IOException {
    Optional<Value> array = array(key, expected, types);
    if (array.isEmpty()) {
      return ByteBuffer.allocate(0);
    }
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      GgufCursor cursor = new GgufCursor(file, channel, array.get().position());
      int bytes = (int) array.get().count() * array.get().elements().bytes;
      if (bytes > cursor.remaining()) {
        throw cursor.damaged("the file was cut short");
      }
      return ByteBuffer.wrap(cursor.readBytes(bytes, key)).order(ByteOrder.LITTLE_ENDIAN);
    }
  }

  private Optional<Value> array(String key, String expected, ValueType... types) {
    Optional<Value> array = find(key);
    array
        .filter(
            found -> found.type() != ValueType.ARRAY || !List.of(types).contains(found.elements()))
        .ifPresent(found -> refuse(key, expected, found));
    array
        .filter(found -> found.count() > MOST_ELEMENTS)
        .ifPresent(
            found -> {
              throw new FileFormatException(
                  file
                      + ": metadata entry "
                      + PrintableText.quoted(key)
                      + ": expected at most "
                      + MOST_ELEMENTS
                      + " elements, found "
                      + found.count());
            });
    return array;
  }
}
