package io.github.urae.fuzz;

import com.google.protobuf.ByteString;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.zip.CRC32;
import java.util.zip.Deflater;

/** Changes the chunks of a PNG file; checksums fit for the most part. */
final class PngMutation implements Mutation {

  private static final int SIGNATURE = 8;

  private static final List<String> TYPES =
      List.of(
          "IHDR", "PLTE", "tRNS", "iCCP", "eXIf", "gAMA", "IDAT", "tEXt", "zTXt", "iTXt", "IEND");

  private record Chunk(String type, ByteString bytes) {

    Chunk(String type, byte[] content) {
      this(type, ByteString.copyFrom(content));
    }

    byte[] content() {
      return bytes.toByteArray();
    }
  }

  @Override
  public byte[] change(byte[] example, Choices choices) {
    List<Chunk> chunks = parse(example);
    for (int i = 1 + choices.below(8); i > 0 && !chunks.isEmpty(); i--) {
      int index = choices.below(chunks.size());
      Chunk chunk = chunks.get(index);
      switch (choices.below(7)) {
        case 0 -> chunks.remove(index);
        case 1 -> chunks.add(index, chunk);
        case 2 -> chunks.set(index, new Chunk(choices.of(TYPES), chunk.content()));
        case 3 -> chunks.add(index, new Chunk(choices.of(TYPES), choices.some()));
        case 4 -> chunks.add(index, text(choices));
        case 5 -> chunks.set(index, new Chunk(chunk.type(), edged(chunk.content(), choices)));
        default ->
            chunks.set(
                index, new Chunk(chunk.type(), Mutation.BYTES.change(chunk.content(), choices)));
      }
    }
    return write(Arrays.copyOf(example, SIGNATURE), chunks, choices.oneIn(32));
  }

  private static List<Chunk> parse(byte[] file) {
    List<Chunk> chunks = new ArrayList<>();
    ByteBuffer rest = ByteBuffer.wrap(file).position(SIGNATURE);
    while (rest.hasRemaining()) {
      byte[] content = new byte[rest.getInt()];
      byte[] type = new byte[4];
      rest.get(type).get(content).getInt();
      chunks.add(new Chunk(new String(type, StandardCharsets.US_ASCII), content));
    }
    return chunks;
  }

  /** Four bytes become a number at which something overflows, as of sizes. */
  private static byte[] edged(byte[] content, Choices choices) {
    byte[] edged = content.clone();
    if (edged.length >= Integer.BYTES) {
      ByteBuffer.wrap(edged).putInt(choices.below(edged.length / 4) * 4, (int) choices.edge());
    }
    return edged;
  }

  /** A text, as it is or compressed, that may unpack to much more than it takes. */
  private static Chunk text(Choices choices) {
    byte[] text = choices.oneIn(4) ? new byte[choices.below(1 << 20)] : choices.some();
    ByteArrayOutputStream content = new ByteArrayOutputStream();
    content.writeBytes(
        choices.oneIn(2) ? "urae".getBytes(StandardCharsets.US_ASCII) : choices.some());
    content.write(0);
    String type = choices.of(List.of("tEXt", "zTXt", "iTXt"));
    boolean packed = type.equals("zTXt") || choices.oneIn(2);
    switch (type) {
      case "zTXt" -> content.write(0);
      case "iTXt" -> content.writeBytes(new byte[] {(byte) (packed ? 1 : 0), 0, 0, 0});
      default -> packed = false;
    }
    content.writeBytes(packed ? deflated(text) : text);
    return new Chunk(type, content.toByteArray());
  }

  private static byte[] deflated(byte[] text) {
    Deflater deflater = new Deflater();
    try {
      deflater.setInput(text);
      deflater.finish();
      ByteArrayOutputStream packed = new ByteArrayOutputStream();
      byte[] part = new byte[1 << 12];
      while (!deflater.finished()) {
        packed.write(part, 0, deflater.deflate(part));
      }
      return packed.toByteArray();
    } finally {
      deflater.end();
    }
  }

  private static byte[] write(byte[] signature, List<Chunk> chunks, boolean wrongChecksum) {
    ByteArrayOutputStream file = new ByteArrayOutputStream();
    file.writeBytes(signature);
    for (Chunk chunk : chunks) {
      byte[] type = chunk.type().getBytes(StandardCharsets.ISO_8859_1);
      CRC32 checksum = new CRC32();
      checksum.update(type);
      checksum.update(chunk.content());
      file.writeBytes(number(chunk.content().length));
      file.writeBytes(type);
      file.writeBytes(chunk.content());
      file.writeBytes(number((int) checksum.getValue() + (wrongChecksum ? 1 : 0)));
    }
    return file.toByteArray();
  }

  private static byte[] number(int value) {
    return ByteBuffer.allocate(Integer.BYTES).putInt(value).array();
  }
}
