package io.github.urae.image.internal;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.json.JsonWriteFeature;
import com.fasterxml.jackson.databind.JsonNode;
import io.github.urae.FileFormatException;
import io.github.urae.internal.BoundedJson;
import io.github.urae.internal.InputFile;
import io.github.urae.internal.JsonTrees;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.zip.CRC32;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

/** Reads the texts beside a picture; none of its pixels. */
public final class ImageTexts {

  /** Longest text of one file that holds all of them. */
  private static final int MAX_LENGTH = 1 << 24;

  private static final byte[] PNG = {(byte) 0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
  private static final byte[] JPEG = {(byte) 0xFF, (byte) 0xD8};
  private static final byte[] TIFF_LITTLE = {'I', 'I', 42, 0};
  private static final byte[] TIFF_BIG = {'M', 'M', 0, 42};

  private static final byte[] RIFF = {'R', 'I', 'F', 'F'};
  private static final byte[] WEBP = {'W', 'E', 'B', 'P'};
  private static final int WEBP_HEADER_BYTES = 12;
  private static final byte[] EXIF_MARK = {'E', 'x', 'i', 'f', 0, 0};

  private static final int CHUNK_TYPE_BYTES = 4;
  private static final int CRC_BYTES = 4;

  private static final int JPEG_COMMENT = 0xFE;
  private static final int JPEG_SCAN = 0xDA;
  private static final int JPEG_END = 0xD9;

  private static final int TIFF_ENTRY_BYTES = 12;
  private static final int TIFF_DESCRIPTION = 270;
  private static final int TIFF_ASCII = 2;

  private static final String OTHER = "comment";

  private static final JsonTrees JSON = new JsonTrees(BoundedJson.trees(1, MAX_LENGTH));

  private static final JsonFactory ASCII =
      BoundedJson.factory().enable(JsonWriteFeature.ESCAPE_NON_ASCII).build();

  private final Path file;
  private final int maxBytes;
  private final int maxTexts;
  private final Map<String, String> texts = new LinkedHashMap<>();
  private int bytes;

  private ImageTexts(Path file, int maxBytes, int maxTexts) {
    this.file = file;
    this.maxBytes = maxBytes;
    this.maxTexts = maxTexts;
  }

  /**
   * Reads a file.
   *
   * @param maxBytes of all texts, compressed and not
   * @param maxTexts most texts
   * @throws FileFormatException if it is no PNG, JPEG, TIFF or WebP file, damaged, or has too many
   *     texts
   */
  public static Map<String, String> read(Path file, int maxBytes, int maxTexts) throws IOException {
    InputFile.checkRegular(file);
    ImageTexts reader = new ImageTexts(file, maxBytes, maxTexts);
    try (InputStream stream = new BufferedInputStream(Files.newInputStream(file))) {
      stream.mark(WEBP_HEADER_BYTES);
      byte[] start = stream.readNBytes(WEBP_HEADER_BYTES);
      stream.reset();
      if (startsWith(start, PNG)) {
        reader.readPng(new DataInputStream(stream));
      } else if (startsWith(start, JPEG)) {
        reader.readJpeg(new DataInputStream(stream));
      } else if (startsWith(start, TIFF_LITTLE)) {
        reader.readTiff(ByteOrder.LITTLE_ENDIAN);
      } else if (startsWith(start, TIFF_BIG)) {
        reader.readTiff(ByteOrder.BIG_ENDIAN);
      } else if (startsWith(start, RIFF)
          && start.length == WEBP_HEADER_BYTES
          && Arrays.equals(start, 8, WEBP_HEADER_BYTES, WEBP, 0, WEBP.length)) {
        reader.readWebp();
      } else {
        throw reader.damaged("expected a PNG, JPEG, TIFF or WebP file, found something else");
      }
    } catch (EOFException e) {
      throw new FileFormatException(file + ": the picture's file is cut short", e);
    }
    return reader.texts;
  }

  private static boolean startsWith(byte[] bytes, byte[] start) {
    return bytes.length >= start.length
        && Arrays.equals(bytes, 0, start.length, start, 0, start.length);
  }

  /** Returns texts as one, in ASCII: a JSON object of strings. */
  static String asOne(Map<String, String> texts) {
    StringWriter one = new StringWriter();
    try (JsonGenerator json = ASCII.createGenerator(one)) {
      json.writeStartObject();
      for (Map.Entry<String, String> text : texts.entrySet()) {
        json.writeStringField(text.getKey(), text.getValue());
      }
      json.writeEndObject();
    } catch (IOException e) {
      throw new UncheckedIOException("a map of strings can be written to memory", e);
    }
    return one.toString();
  }

  private void addAll(String one) {
    if (one.isEmpty()) {
      return;
    }
    Optional<JsonNode> known = strings(one);
    if (known.isEmpty()) {
      texts.put(OTHER, one); // Somebody else's words.
      return;
    }
    for (Map.Entry<String, JsonNode> text : known.get().properties()) {
      texts.put(text.getKey(), text.getValue().textValue());
    }
  }

  /** Returns an object of strings, if that is what a text holds. */
  private static Optional<JsonNode> strings(String text) {
    try {
      JsonNode tree = JSON.read(text);
      if (!tree.isObject()) {
        return Optional.empty();
      }
      for (JsonNode value : tree) {
        if (!value.isTextual()) {
          return Optional.empty();
        }
      }
      return Optional.of(tree);
    } catch (JsonProcessingException e) {
      return Optional.empty();
    }
  }

  private void readPng(DataInputStream in) throws IOException {
    in.skipNBytes(PNG.length);
    String type = "";
    while (!type.equals("IEND")) {
      long length = Integer.toUnsignedLong(in.readInt());
      byte[] typeBytes = new byte[CHUNK_TYPE_BYTES];
      in.readFully(typeBytes);
      type = new String(typeBytes, US_ASCII);
      if (type.equals("tEXt") || type.equals("zTXt") || type.equals("iTXt")) {
        byte[] content = checked(in, typeBytes, length);
        readTextChunk(type, content);
      } else {
        in.skipNBytes(length + CRC_BYTES);
      }
    }
  }

  private byte[] checked(DataInputStream in, byte[] type, long length) throws IOException {
    count(length);
    byte[] content = in.readNBytes((int) length);
    if (content.length < length) {
      throw new EOFException();
    }
    CRC32 sum = new CRC32();
    sum.update(type);
    sum.update(content);
    if (in.readInt() != (int) sum.getValue()) {
      throw damaged("a text chunk's checksum does not fit");
    }
    return content;
  }

  private void count(long length) {
    if (length > maxBytes - bytes) {
      throw damaged("expected at most " + maxBytes + " bytes of texts, found more");
    }
    bytes += (int) length;
    if (texts.size() >= maxTexts) {
      throw damaged("expected at most " + maxTexts + " texts, found more");
    }
  }

  /** Keyword, 0, text; compressed ones have a method before it; iTXt flag, method, two names. */
  private void readTextChunk(String type, byte[] content) {
    int end = endOf(content, 0);
    String key = new String(content, 0, end, ISO_8859_1);
    int start = end + 1;
    boolean compressed = type.equals("zTXt");
    if (compressed) {
      start += 1;
    }
    if (type.equals("iTXt")) {
      compressed = start < content.length && content[start] == 1;
      int language = start + 2;
      start = endOf(content, endOf(content, language) + 1) + 1;
    }
    if (start > content.length) {
      throw damaged("the text chunk '" + key + "' is cut short");
    }
    byte[] text = Arrays.copyOfRange(content, start, content.length);
    if (compressed) {
      text = inflated(key, text);
    }
    texts.put(key, new String(text, type.equals("iTXt") ? UTF_8 : ISO_8859_1));
  }

  private int endOf(byte[] content, int start) {
    for (int i = start; i < content.length; i++) {
      if (content[i] == 0) {
        return i;
      }
    }
    throw damaged("a text chunk has no end of its names");
  }

  private byte[] inflated(String key, byte[] deflated) {
    Inflater inflater = new Inflater();
    try {
      inflater.setInput(deflated);
      ByteArrayOutputStream out = new ByteArrayOutputStream();
      byte[] buffer = new byte[1 << 13];
      while (!inflater.finished()) {
        int part = inflater.inflate(buffer);
        if (part == 0) {
          throw damaged("the text chunk '" + key + "' is cut short");
        }
        count(part);
        out.write(buffer, 0, part);
      }
      return out.toByteArray();
    } catch (DataFormatException e) {
      throw new FileFormatException(
          file + ": the text chunk '" + key + "' cannot be unpacked: " + e.getMessage(), e);
    } finally {
      inflater.end();
    }
  }

  private void readJpeg(DataInputStream in) throws IOException {
    in.skipNBytes(JPEG.length);
    StringBuilder comments = new StringBuilder();
    while (true) {
      if (in.readUnsignedByte() != 0xFF) {
        throw damaged("expected a JPEG marker, found something else");
      }
      int marker = in.readUnsignedByte();
      while (marker == 0xFF) {
        marker = in.readUnsignedByte();
      }
      if (marker == JPEG_SCAN || marker == JPEG_END) {
        break;
      }
      int length = in.readUnsignedShort() - Short.BYTES;
      if (length < 0) {
        throw damaged("a JPEG segment has a negative length");
      }
      if (marker == JPEG_COMMENT) {
        count(length);
        byte[] comment = new byte[length];
        in.readFully(comment);
        comments.append(new String(comment, US_ASCII));
      } else {
        in.skipNBytes(length);
      }
    }
    addAll(comments.toString());
  }

  /** Looks for the EXIF block among the pieces: type, length, content, up to an even length. */
  private void readWebp() throws IOException {
    try (FileChannel channel = FileChannel.open(file)) {
      ByteBuffer size = part(channel, ByteOrder.LITTLE_ENDIAN, RIFF.length, Integer.BYTES);
      long end = Math.min(channel.size(), 8 + Integer.toUnsignedLong(size.getInt()));
      long position = WEBP_HEADER_BYTES;
      while (position + 8 <= end) {
        ByteBuffer header = part(channel, ByteOrder.LITTLE_ENDIAN, position, 2 * Integer.BYTES);
        String type = US_ASCII.decode(header.slice(0, CHUNK_TYPE_BYTES)).toString();
        long length = Integer.toUnsignedLong(header.getInt(CHUNK_TYPE_BYTES));
        position += header.limit();
        if (length > channel.size() - position) {
          throw new EOFException();
        }
        if (type.equals("EXIF")) {
          readExif(channel, position, length);
        }
        position += length + length % 2;
      }
    }
  }

  /** A TIFF file within the file, with or without a mark before it. */
  private void readExif(FileChannel channel, long position, long length) throws IOException {
    int most = EXIF_MARK.length + TIFF_LITTLE.length;
    byte[] start =
        part(channel, ByteOrder.BIG_ENDIAN, position, (int) Math.min(length, most)).array();
    int mark = startsWith(start, EXIF_MARK) ? EXIF_MARK.length : 0;
    byte[] tiff = Arrays.copyOfRange(start, mark, start.length);
    if (startsWith(tiff, TIFF_LITTLE)) {
      readTiff(channel, ByteOrder.LITTLE_ENDIAN, position + mark);
    } else if (startsWith(tiff, TIFF_BIG)) {
      readTiff(channel, ByteOrder.BIG_ENDIAN, position + mark);
    }
  }

  private void readTiff(ByteOrder order) throws IOException {
    try (FileChannel channel = FileChannel.open(file)) {
      readTiff(channel, order, 0);
    }
  }

  /**
   * Looks for the description among the first directory's entries: tag, type, count, value.
   *
   * @param start where offsets are counted from
   */
  private void readTiff(FileChannel channel, ByteOrder order, long start) throws IOException {
    long directory =
        start + Integer.toUnsignedLong(part(channel, order, start + 4, Integer.BYTES).getInt());
    int entries = Short.toUnsignedInt(part(channel, order, directory, Short.BYTES).getShort());
    ByteBuffer table = part(channel, order, directory + Short.BYTES, entries * TIFF_ENTRY_BYTES);
    for (int i = 0; i < entries; i++) {
      ByteBuffer entry = table.slice(i * TIFF_ENTRY_BYTES, TIFF_ENTRY_BYTES).order(order);
      if (Short.toUnsignedInt(entry.getShort()) == TIFF_DESCRIPTION
          && entry.getShort() == TIFF_ASCII) {
        long length = Integer.toUnsignedLong(entry.getInt());
        count(length);
        addAll(words(channel, order, start, entry, (int) length));
      }
    }
  }

  /** Four bytes or fewer stand in the entry itself. */
  private static String words(
      FileChannel channel, ByteOrder order, long start, ByteBuffer entry, int length)
      throws IOException {
    ByteBuffer text =
        length <= Integer.BYTES
            ? entry.slice(entry.position(), length)
            : part(channel, order, start + Integer.toUnsignedLong(entry.getInt()), length);
    String words = US_ASCII.decode(text).toString();
    int end = words.indexOf(0);
    return end < 0 ? words : words.substring(0, end);
  }

  private static ByteBuffer part(FileChannel channel, ByteOrder order, long position, int length)
      throws IOException {
    if (length > channel.size() - position) {
      throw new EOFException();
    }
    ByteBuffer bytes = ByteBuffer.allocate(length).order(order);
    while (bytes.hasRemaining()) {
      if (channel.read(bytes, position + bytes.position()) < 0) {
        throw new EOFException();
      }
    }
    return bytes.flip();
  }

  private FileFormatException damaged(String message) {
    return new FileFormatException(file + ": " + message);
  }
}
