package io.github.urae.onnx.internal.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.urae.FileFormatException;
import io.github.urae.testkit.TestData;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** No tokenizer, however damaged, ends the process. */
class DamagedTokenizersTest {

  private static final Path CHECKPOINT = TestData.checkpoint();
  private static final JsonMapper JSON = new JsonMapper();

  @TempDir Path folder;

  private void assertT5Refused(String... parts) {
    assertThatThrownBy(() -> T5Tokenizer.open(folder, 1, 0).close())
        .isInstanceOf(FileFormatException.class)
        .hasMessageContaining(folder.resolve("tokenizer.json").toString())
        .hasMessageContainingAll(parts);
  }

  private void writeT5(JsonNode tree) throws IOException {
    Files.write(folder.resolve("tokenizer.json"), JSON.writeValueAsBytes(tree));
  }

  private static JsonNode t5() throws IOException {
    return JSON.readTree(CHECKPOINT.resolve("tokenizer_2/tokenizer.json").toFile());
  }

  @ParameterizedTest
  @CsvSource({"!, no Base64", "/////wAAAAAAAAAA, its trie"})
  void theCharacterMap(String map, String message) throws IOException {
    JsonNode tree = t5();
    ((ObjectNode) tree.findParent("precompiled_charsmap")).put("precompiled_charsmap", map);
    writeT5(tree);
    assertT5Refused("precompiled_charsmap", message);
  }

  /** As writers of JSON do that escape what HTML would take for its own. */
  @Test
  void aCharacterMapWithEscapes() throws IOException {
    byte[] plain = Files.readAllBytes(CHECKPOINT.resolve("tokenizer_2/tokenizer.json"));
    String text = new String(plain, StandardCharsets.UTF_8);
    int map = text.indexOf("precompiled_charsmap");
    int end = text.indexOf('"', text.indexOf(": \"", map) + 3);
    String escaped =
        text.substring(0, map) + text.substring(map, end).replace("/", "\\/") + text.substring(end);
    assertThat(escaped).contains("\\/");
    Files.writeString(folder.resolve("tokenizer.json"), "\uFEFF" + escaped);
    assertSameIds();
  }

  /** What is copied from where it stands is found there in any layout. */
  @Test
  void layouts() throws IOException {
    Files.writeString(folder.resolve("tokenizer.json"), t5().toPrettyString());
    assertSameIds();
    Files.writeString(folder.resolve("tokenizer.json"), t5().toString());
    assertSameIds();
    Files.writeString(folder.resolve("tokenizer.json"), t5().toString().replace("},", "} \n,\t"));
    assertSameIds();
  }

  private void assertSameIds() throws IOException {
    try (T5Tokenizer expected = T5Tokenizer.open(CHECKPOINT.resolve("tokenizer_2"), 1, 0);
        T5Tokenizer found = T5Tokenizer.open(folder, 1, 0)) {
      assertThat(found.encode("a red circle ﬁ", 12))
          .isEqualTo(expected.encode("a red circle ﬁ", 12));
    }
  }

  @Test
  void theVocabulary() throws IOException {
    for (String piece :
        new String[] {
          "3",
          "[]",
          "[\"a\"]",
          "[\"a\", 1, 2]",
          "[\"\", 1]",
          "[\"a\", 1e10]",
          "[1, 1]",
          "[\"a\", \"b\"]",
          "[\"\\ud800\", 1]",
          "[[\"a\", 1]]",
          "null"
        }) {
      JsonNode tree = t5();
      ((ArrayNode) tree.at("/model/vocab")).insert(7, JSON.readTree(piece));
      writeT5(tree);
      assertT5Refused("'model.vocab'", "after 7 of them");
    }
    for (String vocabulary : new String[] {"[]", "{}", "3", "\"a\""}) {
      JsonNode tree = t5();
      ((ObjectNode) tree.get("model")).set("vocab", JSON.readTree(vocabulary));
      writeT5(tree);
      assertT5Refused("'model.vocab'", "expected an array of pieces");
    }
  }

  @Test
  void utf16() throws IOException {
    Files.writeString(folder.resolve("tokenizer.json"), t5().toString(), StandardCharsets.UTF_16LE);
    assertT5Refused("expected UTF-8");
  }

  @Test
  void theUnknownToken() throws IOException {
    JsonNode tree = t5();
    ObjectNode model = (ObjectNode) tree.get("model");
    model.remove("unk_id");
    writeT5(tree);
    assertT5Refused("'model.unk_id'", "found nothing");
    model.put("unk_id", 1200);
    writeT5(tree);
    assertT5Refused("'model.unk_id'", "1200 tokens");
  }

  @Test
  void whatEncodingDoesNotNeedIsLeftOut() throws IOException {
    JsonNode tree = t5();
    ((ObjectNode) tree).putObject("decoder").put("type", "Unheard");
    ((ObjectNode) tree).put("post_processor", 3);
    ((ObjectNode) tree).putObject("truncation").put("max_length", 2);
    ((ObjectNode) tree).putObject("padding").put("strategy", "x");
    ((ObjectNode) tree).remove("version");
    writeT5(tree);
    try (T5Tokenizer expected = T5Tokenizer.open(CHECKPOINT.resolve("tokenizer_2"), 1, 0);
        T5Tokenizer found = T5Tokenizer.open(folder, 1, 0)) {
      assertThat(found.encode("a red circle ﬁ", 12))
          .isEqualTo(expected.encode("a red circle ﬁ", 12));
    }
    byte[] whole = Files.readAllBytes(folder.resolve("tokenizer.json"));
    Files.write(folder.resolve("tokenizer.json"), Arrays.copyOf(whole, whole.length - 1));
    assertT5Refused("JSON");
  }

  @Test
  void otherKindsAreNamed() throws IOException {
    Files.write(
        folder.resolve("tokenizer.json"),
        DamagedTokenizers.clipJson(CHECKPOINT.resolve("tokenizer"), true));
    assertT5Refused("'model.type'", "'Unigram'", "\"BPE\"");
    writeT5(t5());
    assertThatThrownBy(() -> ClipTokenizer.open(folder))
        .isInstanceOf(FileFormatException.class)
        .hasMessageContainingAll("'model.type'", "'BPE'", "\"Unigram\"");
  }

  @Test
  void regularExpressionsOfAFileAreNotRun() throws IOException {
    JsonNode tree = t5();
    ((ObjectNode) tree.findParent("Regex")).put("Regex", "(a*)*b");
    writeT5(tree);
    assertT5Refused("normalizer.pattern", "(a*)*b");
  }

  @Test
  void replacementsDoNotMultiply() throws IOException {
    JsonNode tree = t5();
    var rules = (ArrayNode) tree.get("normalizer").get("normalizers");
    for (int i = 0; i < 8; i++) {
      ObjectNode replace = rules.addObject().put("type", "Replace").put("content", "aaaa");
      replace.putObject("pattern").put("String", "a");
    }
    writeT5(tree);
    assertT5Refused("times longer");
  }

  /** More by hand: as main class {@link DamagedTokenizers}. */
  @Test
  void atRandom() throws Exception {
    long seed = System.nanoTime();
    Path log = folder.resolve("log");
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx512m",
                "-cp",
                System.getProperty("java.class.path"),
                DamagedTokenizers.class.getName(),
                folder.toString(),
                Long.toString(seed),
                "150")
            .redirectErrorStream(true)
            .redirectOutput(log.toFile())
            .start();
    boolean ended = process.waitFor(120, TimeUnit.SECONDS);
    process.destroyForcibly();
    assertThat(ended).as("seed %d hangs", seed).isTrue();
    assertThat(process.exitValue())
        .as("seed %d: %s", seed, Files.readString(log, StandardCharsets.UTF_8))
        .isZero();
  }
}
