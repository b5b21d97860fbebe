package io.github.urae.onnx.internal.tokenizer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.urae.FileFormatException;
import io.github.urae.internal.JsonTrees;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * CLIP's tokenizer, from the {@code vocab.json} and {@code merges.txt} that FLUX.1 ships, or where
 * one is missing from the {@code tokenizer.json} that newer programs write instead.
 *
 * <p>Vocabulary and merges are completed to the description of the fast tokenizer, whose rules are:
 * NFC, white space to single spaces, lower case; contractions, letters, single digits and runs of
 * other characters; byte-level pairs merged with {@code </w>} at the end of a word.
 *
 * @see <a
 *     href="https://github.com/huggingface/transformers/blob/main/src/transformers/convert_slow_tokenizer.py">
 *     transformers: {@code CLIPConverter}</a>
 */
public final class ClipTokenizer extends FramedTokenizer {

  private static final String START = "<|startoftext|>";
  private static final String END = "<|endoftext|>";

  private static final String WORDS =
      "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+";

  private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

  private ClipTokenizer(NativeTokenizer tokenizer, long start, long end, long pad, int maxLength) {
    super(tokenizer, new long[] {start}, end, pad, maxLength);
  }

  /**
   * Opens a tokenizer.
   *
   * @param folder the checkpoint's folder {@code tokenizer}
   * @return the tokenizer; the caller closes it
   * @throws IOException if a file is missing or cannot be read
   * @throws FileFormatException if a file is damaged
   */
  public static ClipTokenizer open(Path folder) throws IOException {
    BytePairs pairs = read(folder);
    TokenizerConfig config = TokenizerConfig.read(folder, "T5");
    long start = pairs.id(START);
    long end = pairs.id(END);
    long pad = pairs.id(config.padToken().orElse(END));
    NativeTokenizer tokenizer =
        NativeTokenizer.create(JsonTrees.text(describe(pairs, start, end)), pairs.file().path());
    return new ClipTokenizer(tokenizer, start, end, pad, config.maxLength());
  }

  private static BytePairs read(Path folder) throws IOException {
    Path vocabulary = folder.resolve("vocab.json");
    Path merges = folder.resolve("merges.txt");
    Path whole = folder.resolve("tokenizer.json");
    boolean inText = Files.exists(vocabulary) && Files.exists(merges);
    return inText || !Files.exists(whole)
        ? BytePairs.ofText(vocabulary, merges)
        : BytePairs.ofJson(whole);
  }

  private static ObjectNode describe(BytePairs pairs, long start, long end) {
    ObjectNode root = NODES.objectNode();
    root.put("version", "1.0");
    ArrayNode added = root.putArray("added_tokens");
    added.add(addedToken(START, start)).add(addedToken(END, end));
    for (JsonNode token : pairs.added()) {
      String content = token.get("content").textValue();
      if (!content.equals(START) && !content.equals(END)) {
        added.add(token);
      }
    }
    root.set("normalizer", normalizer());
    root.set("pre_tokenizer", preTokenizer());
    ObjectNode model = root.putObject("model");
    model.put("type", "BPE");
    model.put("unk_token", END);
    model.put("continuing_subword_prefix", "");
    model.put("end_of_word_suffix", "</w>");
    model.put("fuse_unk", false);
    model.set("vocab", pairs.vocabulary());
    model.set("merges", pairs.merges());
    return root;
  }

  /** Recognised where a prompt spells it, as in the reference. */
  private static ObjectNode addedToken(String content, long id) {
    ObjectNode token = NODES.objectNode();
    token.put("id", id);
    token.put("content", content);
    token.put("single_word", false);
    token.put("lstrip", false);
    token.put("rstrip", false);
    token.put("normalized", true);
    token.put("special", true);
    return token;
  }

  private static ObjectNode normalizer() {
    ObjectNode spaces = typed("Replace");
    spaces.putObject("pattern").put("Regex", "\\s+");
    spaces.put("content", " ");
    ObjectNode sequence = typed("Sequence");
    sequence.putArray("normalizers").add(typed("NFC")).add(spaces).add(typed("Lowercase"));
    return sequence;
  }

  private static ObjectNode preTokenizer() {
    ObjectNode words = typed("Split");
    words.putObject("pattern").put("Regex", WORDS);
    words.put("behavior", "Removed");
    words.put("invert", true);
    ObjectNode bytes = typed("ByteLevel");
    bytes.put("add_prefix_space", false);
    bytes.put("trim_offsets", true);
    bytes.put("use_regex", true);
    ObjectNode sequence = typed("Sequence");
    sequence.putArray("pretokenizers").add(words).add(bytes);
    return sequence;
  }

  private static ObjectNode typed(String type) {
    return NODES.objectNode().put("type", type);
  }
}
