package io.github.urae.training.internal.data;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.urae.testkit.TestData;
import io.github.urae.weights.SafetensorsFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** URAE's own folder, read as URAE's trainer reads it. */
class GoldenDataTest {

  private static final Path FOLDER = TestData.path("training/data");

  @Test
  void readsCachesOfUraesScriptsBitForBit() throws IOException {
    DataSet data = DataSet.open(FOLDER, FOLDER);
    assertThat(data.examples().stream().map(CachedExample::name))
        .containsExactly("image_0", "image_1", "image_2");
    assertThat(data.skipped()).isEmpty();
    assertThat(data.vaeFingerprint()).isEmpty();
    for (CachedExample example : data.examples()) {
      for (CaptionKind kind : CaptionKind.values()) {
        if (!example.has(kind)) {
          continue;
        }
        LoadedExample loaded = example.load(kind);
        try (SafetensorsFile latents =
                SafetensorsFile.open(FOLDER.resolve(example.name() + CachePaths.LATENTS));
            SafetensorsFile text =
                SafetensorsFile.open(
                    FOLDER.resolve(example.name() + "_" + kind.column() + "_embed.safetensors"))) {
          assertThat(loaded.mean().data()).isEqualTo(latents.tensor("mean").data());
          assertThat(loaded.deviation().data()).isEqualTo(latents.tensor("std").data());
          assertThat(loaded.sequence().data()).isEqualTo(text.tensor("caption_feature_t5").data());
          assertThat(loaded.pooled().data()).isEqualTo(text.tensor("caption_feature_clip").data());
        }
      }
    }
  }

  @Test
  void choosesCaptionsAsUraeDoes() throws IOException {
    List<CachedExample> examples = DataSet.open(FOLDER, FOLDER).examples();
    assertThat(examples.get(0).choose(0.19, 0.2)).isEqualTo(CaptionKind.PROMPT);
    assertThat(examples.get(0).choose(0.2, 0.2)).isEqualTo(CaptionKind.GENERATED_PROMPT);
    assertThat(examples.get(1).choose(0.99, 0.2)).isEqualTo(CaptionKind.PROMPT);
    assertThat(examples.get(2).choose(0, 0.2)).isEqualTo(CaptionKind.GENERATED_PROMPT);
  }

  @Test
  void knowsSizes() throws IOException {
    CachedExample second = DataSet.open(FOLDER, FOLDER).examples().get(1);
    assertThat(second.channels()).isEqualTo(16);
    assertThat(second.latentHeight()).isEqualTo(18);
    assertThat(second.latentWidth()).isEqualTo(24);
    assertThat(second.textTokens()).isEqualTo(32);
    assertThat(second.textWidth()).isEqualTo(96);
    assertThat(second.pooledWidth()).isEqualTo(64);
  }
}
