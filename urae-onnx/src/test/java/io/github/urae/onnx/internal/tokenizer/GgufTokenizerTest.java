package io.github.urae.onnx.internal.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.urae.ModelException;
import io.github.urae.UraeException;
import io.github.urae.testkit.TestData;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The tokenizer in T5's GGUF file gives the ids of the one in the checkpoint's folder. */
class GgufTokenizerTest {

  private static final Path FILE = TestData.path("quantised/files/t5-encoder-Q8_0.gguf");

  private static final List<String> TEXTS =
      List.of(
          "",
          " ",
          "a red circle on a blue background",
          "  two  spaces   and\ta tab, a line\nbreak ",
          "</s> <pad> <unk> <extra_id_0>",
          "\u00c4pfel, \ufb01ne \u2460 \u6f22\u5b57 \ud83d\ude80 \u2581\u2581 e\u0301",
          "[PAD1199]",
          "don't 3.5mm f/1.8; 100%");

  @TempDir Path folder;

  @Test
  void idsAreThoseOfTheCheckpoint() throws IOException {
    long seed = new Random().nextLong();
    System.out.println("seed " + seed);
    Random random = new Random(seed);
    try (Tokenizer own = T5Tokenizer.open(FILE, 1, 0);
        Tokenizer expected = T5Tokenizer.open(TestData.checkpoint().resolve("tokenizer_2"), 1, 0)) {
      for (int i = 0; i < 300; i++) {
        String text = i < TEXTS.size() ? TEXTS.get(i) : text(random);
        assertThat(own.encode(text, 64)).as(text).isEqualTo(expected.encode(text, 64));
        assertThat(own.lost(text, 8)).as(text).isEqualTo(expected.lost(text, 8));
      }
      assertThat(own.maxLength()).isEqualTo(Integer.MAX_VALUE);
    }
  }

  private static String text(Random random) {
    StringBuilder text = new StringBuilder();
    int words = random.nextInt(20);
    for (int i = 0; i < words; i++) {
      int length = random.nextInt(8);
      for (int j = 0; j < length; j++) {
        text.appendCodePoint(
            switch (random.nextInt(6)) {
              case 0 -> 0x20 + random.nextInt(0x5F);
              case 1 -> 0xA0 + random.nextInt(0x200);
              case 2 -> 0x4E00 + random.nextInt(0x100);
              case 3 -> 0x1F300 + random.nextInt(0x80);
              default -> 'a' + random.nextInt(26);
            });
      }
      text.append(" ".repeat(1 + random.nextInt(2)));
    }
    return text.toString();
  }

  /** Same lengths, so that nothing moves: other words where the file names things. */
  @Test
  void whatIsNoTokenizerOfT5IsRefused() throws IOException {
    byte[] content = Files.readAllBytes(FILE);
    byte[] other = replaced(content, "tokenizer.ggml.model", "tokenizer.ggml.mOdel");
    assertThatThrownBy(() -> T5Tokenizer.open(write(other), 1, 0))
        .isInstanceOf(ModelException.class)
        .hasMessageContainingAll("expected t5", "found none", "--tokenizers DIR");
    byte[] withoutScores = replaced(content, "tokenizer.ggml.scores", "tokenizer.ggml.sCores");
    assertThatThrownBy(() -> T5Tokenizer.open(write(withoutScores), 1, 0))
        .isInstanceOf(UraeException.class)
        .hasMessageContainingAll("1200 pieces, but 0 scores");
    byte[] withoutUnknown = replaced(content, "tokenizer.ggml.tokens", "tokenizer.ggml.tOkens");
    assertThatThrownBy(() -> T5Tokenizer.open(write(withoutUnknown), 1, 0))
        .isInstanceOf(UraeException.class)
        .hasMessageContaining("0 pieces");
  }

  private Path write(byte[] content) throws IOException {
    return Files.write(folder.resolve("t5.gguf"), content);
  }

  private static byte[] replaced(byte[] content, String key, String by) {
    String text = new String(content, StandardCharsets.ISO_8859_1);
    assertThat(text).contains(key);
    return text.replace(key, by).getBytes(StandardCharsets.ISO_8859_1);
  }
}
