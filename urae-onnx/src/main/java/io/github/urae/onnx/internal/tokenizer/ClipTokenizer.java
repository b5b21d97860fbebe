package io.github.urae.onnx.internal.tokenizer;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.urae.FileFormatException;
import java.io.IOException;
import java.nio.charset.MalformedInputException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/**
 * CLIP's tokenizer, from the {@code vocab.json} and {@code merges.txt} that FLUX.1 ships.
 *
 * <p>The two files are completed to the description of the fast tokenizer, whose rules are: NFC,
 * white space to single spaces, lower case; contractions, letters, single digits and runs of other
 * characters; byte-level pairs merged with {@code </w>} at the end of a word.
 *
 * @see <a
 *     href="https://github.com/huggingface/transformers/blob/main/src/transformers/convert_slow_tokenizer.py">
 *     transformers: {@code CLIPConverter}</a>
 */
public final class ClipTokenizer implements Tokenizer {

  private static final String START = "<|startoftext|>";
  private static final String END = "<|endoftext|>";

  private static final String WORDS =
      "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+";

  /** As many merges as CLIP's vocabulary of 49152 - 256 - 2 pairs has room for. */
  private static final int MAX_MERGES = 49152 - 256 - 2;

  private static final JsonMapper JSON = new JsonMapper();
  private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

  private final NativeTokenizer tokenizer;
  private final long start;
  private final long end;
  private final long pad;
  private final int maxLength;

  private ClipTokenizer(NativeTokenizer tokenizer, long start, long end, long pad, int maxLength) {
    this.tokenizer = tokenizer;
    this.start = start;
    this.end = end;
    this.pad = pad;
    this.maxLength = maxLength;
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
    Path vocabularyFile = folder.resolve("vocab.json");
    Path mergesFile = folder.resolve("merges.txt");
    JsonNode vocabulary = readVocabulary(vocabularyFile);
    TokenizerConfig config = TokenizerConfig.read(folder);
    long start = id(vocabulary, START, vocabularyFile);
    long end = id(vocabulary, END, vocabularyFile);
    long pad = id(vocabulary, config.padToken().orElse(END), vocabularyFile);
    ObjectNode description = describe(vocabulary, readMerges(mergesFile), start, end);
    NativeTokenizer tokenizer =
        NativeTokenizer.create(JSON.writeValueAsString(description), vocabularyFile);
    return new ClipTokenizer(tokenizer, start, end, pad, config.maxLength());
  }

  private static JsonNode readVocabulary(Path file) throws IOException {
    JsonNode vocabulary;
    try {
      vocabulary = JSON.readTree(Files.readAllBytes(file));
    } catch (JsonProcessingException e) {
      throw new FileFormatException(file + ": not valid JSON: " + e.getOriginalMessage(), e);
    }
    if (vocabulary == null || !vocabulary.isObject()) {
      throw new FileFormatException(file + ": expected an object from tokens to ids");
    }
    return vocabulary;
  }

  private static long id(JsonNode vocabulary, String token, Path file) {
    JsonNode id = vocabulary.get(token);
    if (id == null || !id.isIntegralNumber()) {
      throw new FileFormatException(file + ": expected an id for " + token + ", found " + id);
    }
    return id.longValue();
  }

  private static ArrayNode readMerges(Path file) throws IOException {
    List<String> lines;
    try {
      lines = Files.readAllLines(file);
    } catch (MalformedInputException e) {
      throw new FileFormatException(file + ": not UTF-8", e);
    }
    ArrayNode merges = NODES.arrayNode();
    // The first line is the version.
    for (int i = 1; i < lines.size() && merges.size() < MAX_MERGES; i++) {
      if (lines.get(i).isBlank()) {
        continue;
      }
      if (lines.get(i).split(" ", -1).length != 2) {
        throw new FileFormatException(
            file + ": line " + (i + 1) + ": expected two parts, found '" + lines.get(i) + "'");
      }
      merges.add(lines.get(i));
    }
    return merges;
  }

  private static ObjectNode describe(JsonNode vocabulary, ArrayNode merges, long start, long end) {
    ObjectNode root = NODES.objectNode();
    root.put("version", "1.0");
    root.putArray("added_tokens").add(addedToken(START, start)).add(addedToken(END, end));
    root.set("normalizer", normalizer());
    root.set("pre_tokenizer", preTokenizer());
    ObjectNode model = root.putObject("model");
    model.put("type", "BPE");
    model.put("unk_token", END);
    model.put("continuing_subword_prefix", "");
    model.put("end_of_word_suffix", "</w>");
    model.put("fuse_unk", false);
    model.set("vocab", vocabulary);
    model.set("merges", merges);
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

  @Override
  public long[] encode(String text, int length) {
    if (length < 2) {
      throw new IllegalArgumentException("expected room for start and end, got " + length);
    }
    long[] words = tokenizer.encode(text);
    int kept = Math.min(words.length, length - 2);
    long[] ids = new long[length];
    ids[0] = start;
    System.arraycopy(words, 0, ids, 1, kept);
    ids[kept + 1] = end;
    Arrays.fill(ids, kept + 2, length, pad);
    return ids;
  }

  @Override
  public String lost(String text, int length) {
    return tokenizer.after(text, length - 2);
  }

  @Override
  public int maxLength() {
    return maxLength;
  }

  @Override
  public void close() {
    tokenizer.close();
  }
}
