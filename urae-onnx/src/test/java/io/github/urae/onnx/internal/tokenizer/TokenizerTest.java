package io.github.urae.onnx.internal.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.urae.FileFormatException;
import io.github.urae.ModelException;
import io.github.urae.testkit.TestData;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TokenizerTest {

  private static final Path CHECKPOINT = TestData.checkpoint();

  @TempDir Path folder;

  private static ClipTokenizer clip(Path folder) throws IOException {
    return ClipTokenizer.open(folder);
  }

  private static T5Tokenizer t5(Path folder) throws IOException {
    return T5Tokenizer.open(folder, 1, 0);
  }

  @Test
  void everyRecordedPromptHasItsIds() throws IOException {
    JsonNode rows = new ObjectMapper().readTree(TestData.path("golden/tokens.json").toFile());
    assertThat(rows).hasSize(8);
    try (ClipTokenizer clip = clip(CHECKPOINT.resolve("tokenizer"));
        T5Tokenizer t5 = t5(CHECKPOINT.resolve("tokenizer_2"))) {
      assertThat(clip.maxLength()).isEqualTo(77);
      assertThat(t5.maxLength()).isEqualTo(64);
      for (JsonNode row : rows) {
        String text = row.get("text").textValue();
        assertThat(clip.encode(text, 77)).as("CLIP: %s", text).isEqualTo(ids(row, "clip_ids"));
        assertThat(t5.encode(text, 64)).as("T5: %s", text).isEqualTo(ids(row, "t5_ids"));
        assertThat(t5.encode(text, 12)).as("T5: %s", text).isEqualTo(ids(row, "t5_ids_12"));
      }
    }
  }

  private static long[] ids(JsonNode row, String key) {
    return StreamSupport.stream(row.get(key).spliterator(), false)
        .mapToLong(JsonNode::longValue)
        .toArray();
  }

  @Test
  void specialTokensInAPromptAreRecognised() throws IOException {
    try (ClipTokenizer clip = clip(CHECKPOINT.resolve("tokenizer"))) {
      assertThat(clip.encode("a <|endoftext|> b", 8)).startsWith(1579).contains(1580);
      assertThat(clip.encode("a<|startoftext|>", 8)[2]).isEqualTo(1579);
    }
  }

  @Test
  void theShortestLengthsHoldTheSpecialTokens() throws IOException {
    try (ClipTokenizer clip = clip(CHECKPOINT.resolve("tokenizer"));
        T5Tokenizer t5 = t5(CHECKPOINT.resolve("tokenizer_2"))) {
      assertThat(clip.encode("a red circle", 2)).containsExactly(1579, 1580);
      assertThat(t5.encode("a red circle", 1)).containsExactly(1);
      assertThatThrownBy(() -> clip.encode("a", 1)).isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> t5.encode("a", 0)).isInstanceOf(IllegalArgumentException.class);
    }
  }

  @Test
  void whatIsCutOffIsTold() throws IOException {
    // Characters beyond 16 bits, and one that normalisation composes, before the cut.
    String text = "🙂 a star e\u0301  <|endoftext|> " + "a ring ".repeat(3) + "and  More WORDS ";
    try (ClipTokenizer clip = clip(CHECKPOINT.resolve("tokenizer"));
        T5Tokenizer t5 = t5(CHECKPOINT.resolve("tokenizer_2"))) {
      for (Tokenizer tokenizer : List.of(clip, t5)) {
        assertThat(tokenizer.lost(text, 200)).isEmpty();
        assertThat(tokenizer.lost("", 2)).isEmpty();
        String before = text.strip();
        for (int length = 2; length < 200; length++) {
          String lost = tokenizer.lost(text, length);
          assertThat(text.strip()).endsWith(lost);
          assertThat(before).endsWith(lost);
          before = lost;
        }
        int whole =
            IntStream.range(2, 200)
                .filter(length -> tokenizer.lost(text, length).isEmpty())
                .findFirst()
                .orElseThrow();
        assertThat(tokenizer.lost(text, whole - 1)).isNotEmpty();
        assertThat("WORDS").endsWith(tokenizer.lost(text, whole - 1));
      }
    }
  }

  @Test
  void severalThreadsGetTheSameIds() throws IOException {
    try (ClipTokenizer clip = clip(CHECKPOINT.resolve("tokenizer"))) {
      List<String> texts = IntStream.range(0, 200).mapToObj(i -> "a star number " + i).toList();
      List<long[]> alone = texts.stream().map(t -> clip.encode(t, 77)).toList();
      List<long[]> together = texts.parallelStream().map(t -> clip.encode(t, 77)).toList();
      for (int i = 0; i < texts.size(); i++) {
        assertThat(together.get(i)).isEqualTo(alone.get(i));
      }
    }
  }

  @Test
  void useAfterCloseIsRefused() throws IOException {
    ClipTokenizer clip = clip(CHECKPOINT.resolve("tokenizer"));
    clip.close();
    clip.close();
    assertThatThrownBy(() -> clip.encode("a", 77)).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void nothingIsWrittenToTheHome() {
    assertThat(Path.of(System.getProperty("user.home"), ".djl.ai", "tokenizers")).doesNotExist();
  }

  @Test
  void missingFilesAreNamed() {
    assertThatThrownBy(() -> clip(folder))
        .isInstanceOf(NoSuchFileException.class)
        .hasMessageContaining("vocab.json");
    assertThatThrownBy(() -> t5(folder))
        .isInstanceOf(NoSuchFileException.class)
        .hasMessageContainingAll("tokenizer.json", "download");
  }

  @Test
  void damagedFilesAreNamed() throws IOException {
    Path vocabulary = folder.resolve("vocab.json");
    Path merges = folder.resolve("merges.txt");
    Files.copy(CHECKPOINT.resolve("tokenizer/merges.txt"), merges);
    for (String bad : List.of("", "[]", "{", "{\"a\": 0}", "{\"<|startoftext|>\": \"x\"}")) {
      Files.writeString(vocabulary, bad);
      assertDamaged(vocabulary);
    }
    Files.copy(
        CHECKPOINT.resolve("tokenizer/vocab.json"),
        vocabulary,
        StandardCopyOption.REPLACE_EXISTING);
    Files.write(merges, new byte[] {'#', '\n', (byte) 0xC3, '('});
    assertDamaged(merges);
    Files.writeString(merges, "#version: 0.2\nthree parts here\n");
    assertDamaged(merges);
    Files.writeString(merges, "#version: 0.2\nno such\n");
    assertDamaged(merges);
  }

  private void assertDamaged(Path file) {
    assertThatThrownBy(() -> clip(folder))
        .isInstanceOf(FileFormatException.class)
        .hasMessageContaining(file.toString());
  }

  @Test
  void damagedT5FilesAreNamed() throws IOException {
    byte[] whole = Files.readAllBytes(CHECKPOINT.resolve("tokenizer_2/tokenizer.json"));
    Path file = folder.resolve("tokenizer.json");
    for (byte[] bad :
        List.of(
            new byte[0],
            "{}".getBytes(StandardCharsets.UTF_8),
            Arrays.copyOf(whole, whole.length / 2))) {
      Files.write(file, bad);
      assertThatThrownBy(() -> t5(folder))
          .isInstanceOf(FileFormatException.class)
          .hasMessageContaining(file.toString());
    }
  }

  /** As transformers writes it from version 5 on, and before that. */
  @Test
  void clipFromOneFileHasTheSameIds() throws IOException {
    JsonNode rows = new ObjectMapper().readTree(TestData.path("golden/tokens.json").toFile());
    Path file = folder.resolve("tokenizer.json");
    Path stored = CHECKPOINT.resolve("tokenizer");
    String pairs = new String(DamagedTokenizers.clipJson(stored, true), StandardCharsets.UTF_8);
    String texts = new String(DamagedTokenizers.clipJson(stored, false), StandardCharsets.UTF_8);
    for (String content :
        List.of(pairs, texts, "\uFEFF" + pairs, pairs.replace("\"type\":\"BPE\",", ""))) {
      Files.writeString(file, content);
      assertGolden(rows);
    }
    Files.copy(CHECKPOINT.resolve("tokenizer/vocab.json"), folder.resolve("vocab.json"));
    Files.writeString(file, pairs);
    assertGolden(rows);
    Files.writeString(folder.resolve("merges.txt"), "#version\n");
    try (ClipTokenizer clip = clip(folder)) {
      assertThat(clip.encode("circle", 77)).isNotEqualTo(ids(rows.get(1), "clip_ids"));
    }
  }

  private void assertGolden(JsonNode rows) throws IOException {
    try (ClipTokenizer clip = clip(folder)) {
      for (JsonNode row : rows) {
        assertThat(clip.encode(row.get("text").textValue(), 77)).isEqualTo(ids(row, "clip_ids"));
      }
    }
  }

  @Test
  void theManyFormsOfATokenizersSettings() throws IOException {
    for (String name : List.of("vocab.json", "merges.txt")) {
      Files.copy(CHECKPOINT.resolve("tokenizer").resolve(name), folder.resolve(name));
    }
    Path config = folder.resolve("tokenizer_config.json");
    int none = Integer.MAX_VALUE;
    assertSettings(none, 1580);
    Path special = folder.resolve("special_tokens_map.json");
    Files.writeString(special, "{\"pad_token\": {\"content\": \"!\", \"lstrip\": false}}");
    long other = assertSettings(none, -1);
    Files.writeString(special, "{\"pad_token\": \"!\"}");
    assertSettings(none, other);
    for (String pad : List.of("\"!\"", "{\"__type\": \"AddedToken\", \"content\": \"!\"}")) {
      Files.writeString(config, "{\"model_max_length\": 77.0, \"pad_token\": " + pad + "}");
      assertSettings(77, other);
    }
    for (String length : List.of("1e30", "1000000000000000019884624838656", "Infinity", "null")) {
      Files.writeString(
          config,
          "\uFEFF{\"model_max_length\": "
              + length
              + ", \"pad_token\": \"!\", \"extra_special_tokens\": [\"x\"], \"new\": {}}");
      assertSettings(none, other);
    }
    for (String length : List.of("0", "-1", "NaN", "\"77\"", "[]")) {
      Files.writeString(config, "{\"model_max_length\": " + length + "}");
      assertThatThrownBy(() -> clip(folder))
          .isInstanceOf(ModelException.class)
          .hasMessageContainingAll(config.toString(), "'model_max_length'");
    }
  }

  private long assertSettings(int length, long pad) throws IOException {
    try (ClipTokenizer clip = clip(folder)) {
      long found = clip.encode("a", 77)[76];
      assertThat(clip.maxLength()).isEqualTo(length);
      if (pad >= 0) {
        assertThat(found).isEqualTo(pad);
      }
      return found;
    }
  }

  /** Half of a character, as a text field may cut an emoji. */
  @Test
  void halvesOfCharactersAreRead() throws IOException {
    try (ClipTokenizer clip = clip(CHECKPOINT.resolve("tokenizer"))) {
      assertThat(clip.encode("a \uD83D b", 77)).isEqualTo(clip.encode("a \uFFFD b", 77));
      assertThat(clip.lost("a \uD83D bcd", 3)).endsWith("bcd");
    }
  }
}
