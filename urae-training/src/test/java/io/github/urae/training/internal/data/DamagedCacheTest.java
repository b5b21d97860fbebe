package io.github.urae.training.internal.data;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.urae.FileFormatException;
import io.github.urae.tensor.Tensor;
import io.github.urae.weights.SafetensorsWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Caches with any damage are refused by name, or read as what they now say. */
class DamagedCacheTest {

  @TempDir Path folder;
  private Path latents;
  private byte[] whole;

  @BeforeEach
  void write() throws IOException {
    latents = folder.resolve("a_latent_code.safetensors");
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    tensors.put("mean", Tensor.ofFloats(new float[16], 4, 2, 2));
    tensors.put("std", Tensor.ofFloats(new float[16], 4, 2, 2));
    SafetensorsWriter.write(latents, Map.of(CacheStamp.RESOLUTION, "64"), tensors);
    tensors.clear();
    tensors.put("caption_feature_t5", Tensor.ofFloats(new float[6], 2, 3));
    tensors.put("caption_feature_clip", Tensor.ofFloats(new float[3], 3));
    SafetensorsWriter.write(folder.resolve("a_prompt_embed.safetensors"), Map.of(), tensors);
    whole = Files.readAllBytes(latents);
  }

  /** Tells whether it was read. */
  private boolean reads() throws IOException {
    try {
      LoadedExample loaded =
          DataSet.open(folder, folder).examples().get(0).load(CaptionKind.PROMPT);
      assertThat(loaded.mean().shape()).isEqualTo(loaded.deviation().shape());
      return true;
    } catch (FileFormatException e) {
      assertThat(e).hasMessageContaining("a_latent_code.safetensors");
      return false;
    }
  }

  @Test
  void noBeginningOfAFileIsRead() throws IOException {
    assertThat(reads()).isTrue();
    for (int length = 0; length < whole.length; length++) {
      Files.write(latents, Arrays.copyOf(whole, length));
      assertThat(reads()).as("%d bytes", length).isFalse();
    }
  }

  @Test
  void everyChangedByteOfTheHeaderIsSurvived() throws IOException {
    Random random = new Random(11);
    int refused = 0;
    int header = whole.length - 128;
    for (int position = 0; position < header; position++) {
      byte[] changed = whole.clone();
      changed[position] ^= (byte) (1 << random.nextInt(8));
      Files.write(latents, changed);
      refused += reads() ? 0 : 1;
    }
    assertThat(refused).isGreaterThan(header / 3);
  }
}
