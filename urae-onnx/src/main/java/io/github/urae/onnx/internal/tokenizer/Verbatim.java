package io.github.urae.onnx.internal.tokenizer;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.JsonSerializable;
import com.fasterxml.jackson.databind.SerializerProvider;
import com.fasterxml.jackson.databind.jsontype.TypeSerializer;
import io.github.urae.internal.BoundedJson;
import java.io.IOException;
import java.io.OutputStream;
import java.util.Arrays;

/**
 * A value as it stands in a JSON file, which is written as it is: too large to be read into a tree
 * and written anew each time a pipeline opens.
 */
final class Verbatim extends JsonSerializable.Base {

  private static final JsonFactory JSON = BoundedJson.trees().build();

  private final byte[] content;
  private final int from;
  private final int to;

  /**
   * Marks a value.
   *
   * @param content the file, in UTF-8; not copied
   * @param from where the value begins
   * @param to where it ends
   */
  Verbatim(byte[] content, int from, int to) {
    this.content = content;
    this.from = from;
    this.to = to;
  }

  /** Makes a text of ASCII characters, none of which JSON escapes. */
  static Verbatim quoted(byte[] characters) {
    byte[] quoted = new byte[characters.length + 2];
    quoted[0] = '"';
    System.arraycopy(characters, 0, quoted, 1, characters.length);
    quoted[quoted.length - 1] = '"';
    return new Verbatim(quoted, 0, quoted.length);
  }

  /** Returns a copy of the bytes between the quotation marks of a text. */
  byte[] unquoted() {
    return Arrays.copyOfRange(content, from + 1, to - 1);
  }

  /** Returns the characters of a text for which JSON's escapes stand, in UTF-8. */
  byte[] unescaped() {
    try (JsonParser parser = JSON.createParser(content, from, to - from)) {
      return parser.nextTextValue().getBytes(UTF_8);
    } catch (IOException e) {
      throw new IllegalArgumentException("it is no text", e);
    }
  }

  /** Writes it to the stream on which a generator writes. */
  @Override
  public void serialize(JsonGenerator out, SerializerProvider unused) throws IOException {
    if (out.getOutputTarget() instanceof OutputStream stream) {
      out.writeRawValue(""); // What goes before a value.
      out.flush();
      stream.write(content, from, to - from);
    } else {
      out.writeRawValue(new String(content, from, to - from, UTF_8));
    }
  }

  @Override
  public void serializeWithType(
      JsonGenerator out, SerializerProvider unused, TypeSerializer unusedType) throws IOException {
    serialize(out, unused);
  }
}
