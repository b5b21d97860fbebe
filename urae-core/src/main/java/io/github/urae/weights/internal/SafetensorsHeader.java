package io.github.urae.weights.internal;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import io.github.urae.FileFormatException;
import io.github.urae.internal.BoundedJson;
import io.github.urae.internal.MistakenFile;
import io.github.urae.internal.PrintableText;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.WeightEncoding;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.CharBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CoderResult;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Parses and checks the header of a safetensors file: an 8-byte little-endian length, that many
 * bytes of JSON, then the tensors' bytes without gap or overlap, to the end of the file.
 *
 * @see <a href="https://github.com/huggingface/safetensors#format">Format</a>
 */
public final class SafetensorsHeader {

  /** The reference implementation's limit. */
  public static final long MAX_HEADER_BYTES = 100_000_000;

  /** FLUX.1's transformer has 780 of them, an adapter for all networks 3000. */
  static final int MAX_TENSORS = 250_000;

  private static final int MAX_RANK = 64;

  public static final String METADATA_KEY = "__metadata__";

  private static final JsonFactory JSON =
      BoundedJson.factory()
          .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          // Names and metadata may be long; the header's own limit bounds them.
          .streamReadConstraints(BoundedJson.limits(8, (int) MAX_HEADER_BYTES).build())
          .build();

  private SafetensorsHeader() {}

  /**
   * Reads a file's header and checks it against every rule of the format.
   *
   * @param file a {@code .safetensors} file
   * @param channel the same file, open
   * @return its tensors, in order of offset, and the strings under {@code __metadata__}
   * @throws IOException if the file cannot be read
   * @throws FileFormatException if it breaks the format
   */
  public static PlacedTensors.Contents read(Path file, FileChannel channel) throws IOException {
    long fileSize = channel.size();
    if (fileSize < Long.BYTES) {
      throw mistaken(file, channel)
          .orElseGet(
              () ->
                  new FileFormatException(
                      file
                          + ": expected a safetensors file, found only "
                          + fileSize
                          + " bytes; download it again"));
    }
    ByteBuffer prefix = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    readFully(file, channel, prefix, 0);
    long headerSize = prefix.getLong(0);
    if (headerSize < 0 || headerSize > MAX_HEADER_BYTES) {
      throw mistaken(file, channel)
          .orElseGet(
              () ->
                  new FileFormatException(
                      file
                          + ": expected a safetensors header of at most "
                          + MAX_HEADER_BYTES
                          + " bytes, found a length of "
                          + Long.toUnsignedString(headerSize)
                          + "; this is probably no safetensors file"));
    }
    if (headerSize == 0 || Long.BYTES + headerSize > fileSize) {
      Optional<FileFormatException> mistaken = mistaken(file, channel);
      if (mistaken.isPresent()) {
        throw mistaken.get();
      }
    }
    if (Long.BYTES + headerSize > fileSize) {
      throw new FileFormatException(
          file
              + ": truncated: the header takes "
              + headerSize
              + " bytes after the first 8, but the file has "
              + fileSize
              + " bytes; download or copy it again");
    }
    ByteBuffer json = ByteBuffer.allocate((int) headerSize);
    readFully(file, channel, json, Long.BYTES);
    checkText(file, json.flip());
    return parse(file, json.array(), Long.BYTES + headerSize, fileSize);
  }

  private static Optional<FileFormatException> mistaken(Path file, FileChannel channel)
      throws IOException {
    return MistakenFile.describe(channel)
        .map(
            found ->
                new FileFormatException(file + ": expected a safetensors file, found " + found));
  }

  private static void readFully(Path file, FileChannel channel, ByteBuffer target, long position)
      throws IOException {
    while (target.hasRemaining()) {
      int count = channel.read(target, position + target.position());
      if (count < 0) {
        throw new FileFormatException(file + ": the file was cut short while it was being opened");
      }
    }
  }

  /** The parser would let some bytes pass that are no UTF-8. */
  private static void checkText(Path file, ByteBuffer json) {
    if (!json.hasRemaining() || json.get(0) != '{') {
      throw new FileFormatException(file + ": the safetensors header does not start with '{'");
    }
    CharsetDecoder decoder =
        StandardCharsets.UTF_8
            .newDecoder()
            .onMalformedInput(CodingErrorAction.REPORT)
            .onUnmappableCharacter(CodingErrorAction.REPORT);
    // Piece by piece: a whole header of characters would take three times its bytes.
    CharBuffer piece = CharBuffer.allocate(1 << 13);
    ByteBuffer rest = json.duplicate();
    CoderResult result;
    do {
      result = decoder.decode(rest, piece.clear(), true);
    } while (result.isOverflow());
    if (result.isError()) {
      throw new FileFormatException(file + ": the safetensors header is not UTF-8");
    }
  }

  private static PlacedTensors.Contents parse(Path file, byte[] json, long dataStart, long fileSize)
      throws IOException {
    Map<String, String> metadata = Map.of();
    List<TensorInfo> tensors = new ArrayList<>();
    try (JsonParser parser = JSON.createParser(json)) {
      parser.nextToken();
      while (parser.nextToken() == JsonToken.FIELD_NAME) {
        String name = parser.currentName();
        parser.nextToken();
        if (name.equals(METADATA_KEY)) {
          metadata = parseMetadata(file, parser);
        } else {
          if (tensors.size() == MAX_TENSORS) {
            throw new FileFormatException(file + ": more than " + MAX_TENSORS + " tensors");
          }
          tensors.add(parseTensor(file, name, parser, dataStart));
        }
      }
      if (parser.nextToken() != null) {
        throw new FileFormatException(file + ": the safetensors header holds more than one object");
      }
    } catch (JsonProcessingException e) {
      throw new FileFormatException(
          file + ": the safetensors header is not valid JSON: " + e.getOriginalMessage(), e);
    }
    return new PlacedTensors.Contents(metadata, checkLayout(file, tensors, dataStart, fileSize));
  }

  private static Map<String, String> parseMetadata(Path file, JsonParser parser)
      throws IOException {
    Map<String, String> metadata = new LinkedHashMap<>();
    if (parser.currentToken() == JsonToken.VALUE_NULL) {
      return metadata; // As the reference implementation reads it.
    }
    if (parser.currentToken() != JsonToken.START_OBJECT) {
      throw new FileFormatException(file + ": " + METADATA_KEY + " is not an object of strings");
    }
    while (parser.nextToken() == JsonToken.FIELD_NAME) {
      String key = parser.currentName();
      if (parser.nextToken() != JsonToken.VALUE_STRING) {
        throw new FileFormatException(
            file
                + ": "
                + METADATA_KEY
                + ": the value of "
                + PrintableText.quoted(key)
                + " is not a string");
      }
      metadata.put(key, parser.getText());
    }
    return Collections.unmodifiableMap(metadata);
  }

  private static TensorInfo parseTensor(Path file, String name, JsonParser parser, long dataStart)
      throws IOException {
    if (parser.currentToken() != JsonToken.START_OBJECT) {
      throw damaged(file, name, "expected an object with dtype, shape and data_offsets");
    }
    String dtype = null;
    long[] dimensions = null;
    long[] offsets = null;
    while (parser.nextToken() == JsonToken.FIELD_NAME) {
      String field = parser.currentName();
      JsonToken value = parser.nextToken();
      switch (field) {
        case "dtype" -> {
          if (value != JsonToken.VALUE_STRING) {
            throw damaged(file, name, "dtype is not a string");
          }
          dtype = parser.getText();
        }
        case "shape" -> dimensions = parseLongs(file, name, field, parser);
        case "data_offsets" -> offsets = parseLongs(file, name, field, parser);
        default -> parser.skipChildren();
      }
    }
    if (dtype == null || dimensions == null || offsets == null || offsets.length != 2) {
      throw damaged(file, name, "dtype, shape or data_offsets (begin and end) missing");
    }
    Optional<ElementType> type = ElementType.byName(dtype);
    if (type.isEmpty()) {
      throw damaged(
          file, name, "unknown dtype '" + dtype + "'; known are " + List.of(ElementType.values()));
    }
    return place(file, name, type.get(), dimensions, offsets, dataStart);
  }

  private static TensorInfo place(
      Path file, String name, ElementType type, long[] dimensions, long[] offsets, long dataStart) {
    long begin = offsets[0];
    long end = offsets[1];
    if (end < begin) {
      throw damaged(file, name, "data_offsets end at " + end + ", before they begin at " + begin);
    }
    Shape shape;
    long size;
    try {
      shape = Shape.of(dimensions);
      size = type.byteSize(shape.elementCount());
    } catch (ArithmeticException e) {
      throw damaged(file, name, "impossible size of " + type + ": " + e.getMessage());
    }
    if (end - begin != size) {
      throw damaged(
          file,
          name,
          type.toString()
              + shape
              + " takes "
              + size
              + " bytes, but data_offsets span "
              + (end - begin));
    }
    return new TensorInfo(
        name, WeightEncoding.plain(type), shape, file, Math.addExact(dataStart, begin), size);
  }

  private static long[] parseLongs(Path file, String name, String field, JsonParser parser)
      throws IOException {
    if (parser.currentToken() != JsonToken.START_ARRAY) {
      throw damaged(file, name, field + " is not an array");
    }
    List<Long> values = new ArrayList<>();
    while (parser.nextToken() != JsonToken.END_ARRAY) {
      boolean valid =
          parser.currentToken() == JsonToken.VALUE_NUMBER_INT
              && parser.getNumberType() != JsonParser.NumberType.BIG_INTEGER
              && parser.getLongValue() >= 0
              // Room to add the header without overflow.
              && parser.getLongValue() <= Long.MAX_VALUE / 16;
      if (!valid) {
        throw damaged(
            file,
            name,
            field + " holds '" + parser.getText() + "', not a size in bytes or elements");
      }
      if (values.size() == MAX_RANK) {
        throw damaged(file, name, field + " holds more than " + MAX_RANK + " numbers");
      }
      values.add(parser.getLongValue());
    }
    return values.stream().mapToLong(Long::longValue).toArray();
  }

  private static Map<String, TensorInfo> checkLayout(
      Path file, List<TensorInfo> tensors, long dataStart, long fileSize) {
    // Empty tensors come before the one that starts at the same place.
    tensors.sort(
        Comparator.comparingLong(TensorInfo::offset).thenComparingLong(TensorInfo::length));
    Map<String, TensorInfo> byName = new LinkedHashMap<>();
    long end = dataStart;
    for (TensorInfo tensor : tensors) {
      if (tensor.offset() != end) {
        throw damaged(
            file,
            tensor.name(),
            "expected its bytes at "
                + (end - dataStart)
                + ", where the tensor before it ends, found them at "
                + (tensor.offset() - dataStart)
                + (tensor.offset() < end ? " (overlap)" : " (hole)"));
      }
      end = tensor.offset() + tensor.length();
      byName.put(tensor.name(), tensor);
    }
    if (end != fileSize) {
      throw new FileFormatException(
          file
              + (end > fileSize
                  ? ": truncated: ends early, after "
                      + fileSize
                      + " of "
                      + end
                      + " bytes; download or copy it again"
                  : ": " + (fileSize - end) + " bytes follow the last tensor"));
    }
    return Collections.unmodifiableMap(byName);
  }

  private static FileFormatException damaged(Path file, String tensor, String problem) {
    return new FileFormatException(
        file + ": tensor " + PrintableText.quoted(tensor) + ": " + problem);
  }
}
