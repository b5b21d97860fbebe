package io.github.urae.flux.model.internal;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.urae.flux.model.Component;
import io.github.urae.internal.HuggingFaceCache;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Tokenizers are told by what is in their files, and looked for in a known order. */
class TokenizerSearchTest {

  private static final String CLIP = "{\"model\": {\"vocab\": {\"a</w>\": 1}}}";
  private static final String LANGUAGE_MODEL = "{\"model\": {\"type\": \"BPE\", \"vocab\": {}}}";
  private static final String T5 = "{\"model\": {\"type\": \"Unigram\", \"vocab\": []}}";

  @TempDir Path folder;

  private Optional<Path> find(Component tokenizer, Optional<Path> given, Optional<Path> root)
      throws IOException {
    HuggingFaceCache cache =
        HuggingFaceCache.in(Map.of("HF_HUB_CACHE", folder.resolve("hub").toString()), folder);
    return new TokenizerSearch(tokenizer, cache)
        .find(given, root, folder.resolve("files/t5xxl.safetensors"));
  }

  private Path put(String name, String content) throws IOException {
    Path file = folder.resolve(name);
    Files.createDirectories(file.getParent());
    return Files.writeString(file, content);
  }

  @Test
  void kindsAreToldByTheirFiles() throws IOException {
    Path named = folder.resolve("named");
    put("named/a-language-model/tokenizer.json", LANGUAGE_MODEL);
    put("named/another/vocab.json", "{}");
    put("named/another/merges.txt", "#version: 0.2\na b\n");
    assertThat(find(Component.TOKENIZER, Optional.of(named), Optional.empty())).isEmpty();
    Path clip = put("named/deep/down/clip/merges.txt", "#version: 0.2\nt h</w>\n").getParent();
    put("named/deep/down/clip/vocab.json", "{}");
    Path t5 = put("named/t5/tokenizer.json", T5).getParent();
    assertThat(find(Component.TOKENIZER, Optional.of(named), Optional.empty())).contains(clip);
    assertThat(find(Component.TOKENIZER_2, Optional.of(named), Optional.empty())).contains(t5);
    put("named/tokenizer_2/tokenizer.json", T5);
    put("named/tokenizer/tokenizer.json", CLIP);
    for (Component one : new Component[] {Component.TOKENIZER, Component.TOKENIZER_2}) {
      assertThat(find(one, Optional.of(named), Optional.empty()))
          .contains(named.resolve(one.folder()));
    }
  }

  /** What a user names is not replaced by anything else. */
  @Test
  void theCacheComesLast() throws IOException {
    Path clip =
        put("hub/models--openai--clip-vit-large-patch14/snapshots/c/tokenizer.json", CLIP)
            .getParent();
    put("hub/models--google--umt5-xxl/snapshots/u/tokenizer.json", T5);
    assertThat(find(Component.TOKENIZER_2, Optional.empty(), Optional.empty())).isEmpty();
    Path t5 = put("hub/models--google-t5--t5-base/snapshots/t/tokenizer.json", T5).getParent();
    assertThat(find(Component.TOKENIZER, Optional.empty(), Optional.empty())).contains(clip);
    assertThat(find(Component.TOKENIZER_2, Optional.empty(), Optional.empty())).contains(t5);
    Path flux =
        put(
                "hub/models--black-forest-labs--FLUX.1-schnell/snapshots/f/tokenizer_2/tokenizer.json",
                T5)
            .getParent();
    assertThat(find(Component.TOKENIZER_2, Optional.empty(), Optional.empty())).contains(flux);
    Path forge =
        put("backend/huggingface/black-forest-labs/FLUX.1-dev/tokenizer_2/tokenizer.json", T5)
            .getParent();
    Path root = Files.createDirectories(folder.resolve("files"));
    assertThat(find(Component.TOKENIZER_2, Optional.empty(), Optional.of(root))).contains(forge);
    Path own = put("files/tokenizer_2/tokenizer.json", T5).getParent();
    assertThat(find(Component.TOKENIZER_2, Optional.empty(), Optional.of(root))).contains(own);
    Path empty = Files.createDirectories(folder.resolve("empty"));
    assertThat(find(Component.TOKENIZER_2, Optional.of(empty), Optional.of(root))).isEmpty();
  }
}
