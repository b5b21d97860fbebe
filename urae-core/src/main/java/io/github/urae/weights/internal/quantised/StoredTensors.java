package io.github.urae.weights.internal.quantised;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.databind.JsonNode;
import io.github.urae.FileFormatException;
import io.github.urae.ModelException;
import io.github.urae.internal.BoundedJson;
import io.github.urae.internal.JsonTrees;
import io.github.urae.internal.PrintableText;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.internal.Elements;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.WeightEncoding;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The tensors of some files while weights are found among them. For one thread. */
final class StoredTensors {

  /** A description of one weight: larger than any, small enough to be read whole. */
  private static final int MOST_TEXT = 1 << 16;

  /** Made when the first description is read: most files hold none. */
  private static final class Json {
    static final JsonTrees TREES = new JsonTrees(BoundedJson.trees(16, MOST_TEXT));
  }

  private final TensorSource source;
  private final Map<String, TensorInfo> tensors;
  private boolean changed;

  StoredTensors(TensorSource source, Map<String, TensorInfo> tensors) {
    this.source = source;
    this.tensors = new LinkedHashMap<>(tensors);
  }

  /** Returns what there is by now. */
  Map<String, TensorInfo> all() {
    return Collections.unmodifiableMap(tensors);
  }

  /** Tells whether anything has been taken or replaced. */
  boolean isChanged() {
    return changed;
  }

  Map<String, String> metadata() {
    return source.metadata();
  }

  /** Returns the names that there are now. */
  List<String> names() {
    return List.copyOf(tensors.keySet());
  }

  Optional<TensorInfo> find(String name) {
    return Optional.ofNullable(tensors.get(name));
  }

  /** Removes a tensor that is no weight of its own. */
  Optional<TensorInfo> take(String name) {
    TensorInfo info = tensors.remove(name);
    changed |= info != null;
    return Optional.ofNullable(info);
  }

  /** Gives a tensor its true shape and encoding. */
  void replace(TensorInfo stored, Shape shape, WeightEncoding encoding) {
    tensors.put(
        stored.name(),
        new TensorInfo(
            stored.name(), encoding, shape, stored.file(), stored.offset(), stored.length()));
    changed = true;
  }

  /** Reads a tensor of one element as a number. */
  float readScalar(TensorInfo info) throws IOException {
    return readFloats(info, 1)[0];
  }

  /** Reads a small plain tensor of as many elements. */
  float[] readFloats(TensorInfo info, int count) throws IOException {
    if (info.shape().elementCount() != count || !info.type().isConvertible()) {
      throw damaged(info, "expected " + count + " numbers, found " + describe(info));
    }
    ByteBuffer stored =
        ByteBuffer.allocate(Math.toIntExact(info.length())).order(ByteOrder.LITTLE_ENDIAN);
    source.bytes().read(info, 0, stored);
    float[] values = new float[count];
    Elements.toFloats(info.type(), stored.flip(), values, 0, count);
    return values;
  }

  /** Reads a tensor of bytes that are a JSON object in UTF-8. */
  JsonNode readJson(TensorInfo info) throws IOException {
    boolean bytes = info.isPlain(ElementType.U8) || info.isPlain(ElementType.I8);
    if (!bytes || info.length() > MOST_TEXT) {
      throw damaged(info, "expected a description in JSON, found " + describe(info));
    }
    ByteBuffer stored = ByteBuffer.allocate((int) info.length());
    source.bytes().read(info, 0, stored);
    return parse(info, stored.flip());
  }

  /**
   * Reads a description.
   *
   * @throws JacksonException if it is no JSON
   */
  static JsonNode json(String text) throws JacksonException {
    return Json.TREES.readWhole(text);
  }

  private static JsonNode parse(TensorInfo info, ByteBuffer stored) {
    try {
      String text = StandardCharsets.UTF_8.newDecoder().decode(stored).toString();
      JsonNode tree = json(text);
      if (tree.isObject()) {
        return tree;
      }
      throw damaged(info, "expected a JSON object, found " + PrintableText.shortened(text));
    } catch (CharacterCodingException e) {
      throw damaged(info, "expected a description in JSON, found bytes that are not UTF-8");
    } catch (JacksonException e) {
      throw damaged(info, "not valid JSON: " + PrintableText.shortened(e.getOriginalMessage()));
    }
  }

  /** Makes sure that a tensor holds plain numbers that float32 holds as well. */
  static void checkNumbers(TensorInfo info) {
    boolean numbers =
        switch (info.type()) {
          case F32, BF16, F16 -> info.encoding().isPlain();
          default -> false;
        };
    if (!numbers) {
      throw damaged(info, "expected numbers in F32, found " + describe(info));
    }
  }

  /** Describes how a tensor is stored, as in {@code U8[32, 1]}. */
  static String describe(TensorInfo info) {
    return info.encoding().name() + info.shape();
  }

  /** Returns the exception for a tensor that breaks its encoding. */
  static FileFormatException damaged(TensorInfo info, String problem) {
    return new FileFormatException(where(info) + problem);
  }

  /** Returns the exception for a weight that is sound, but of a kind that is not read. */
  static ModelException unsupported(TensorInfo info, String kind) {
    return new ModelException(
        where(info)
            + "the weights are quantised ("
            + kind
            + "), which is not supported; "
            + RecognisedEncodings.WAY_OUT);
  }

  private static String where(TensorInfo info) {
    return info.file() + ": tensor " + PrintableText.quoted(info.name()) + ": ";
  }
}
