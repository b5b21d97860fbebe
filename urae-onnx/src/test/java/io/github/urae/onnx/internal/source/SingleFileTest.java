package io.github.urae.onnx.internal.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.urae.FileFormatException;
import io.github.urae.ModelException;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.Flux1;
import io.github.urae.flux.model.internal.NetworkWeights;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import io.github.urae.tensor.internal.Elements;
import io.github.urae.testkit.TestData;
import io.github.urae.weights.Safetensors;
import io.github.urae.weights.SafetensorsWriter;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A transformer in Black Forest Labs' names is the same transformer. */
class SingleFileTest {

  /**
   * SHA-256 over names and bytes of the recorded file's tensors, sorted by name: what the tests
   * write is what the reference's own converter read.
   */
  private static final String RECORDED =
      "80c9b00a440c2b4db0c24858600ff7bff5b348db552871d0bfc68fd367539669";

  @TempDir static Path shared;
  @TempDir Path folder;

  private static Path file;

  @BeforeAll
  static void write() throws IOException {
    file = shared.resolve("flux.safetensors");
    OriginalNames.write(TestData.checkpoint().resolve("transformer"), file);
  }

  private static TensorSource openDemo() throws IOException {
    return Safetensors.open(TestData.checkpoint().resolve("transformer"));
  }

  @Test
  void theTestWritesTheRecordedFile() throws Exception {
    MessageDigest digest = MessageDigest.getInstance("SHA-256");
    try (TensorSource stored = Safetensors.open(file)) {
      for (TensorInfo info : new TreeMap<>(stored.tensors()).values()) {
        digest.update((info.name() + info.type() + info.shape()).getBytes(StandardCharsets.UTF_8));
        digest.update(stored.tensor(info.name()).data());
      }
    }
    assertThat(HexFormat.of().formatHex(digest.digest())).isEqualTo(RECORDED);
  }

  @Test
  void everyParameterIsThatOfTheCheckpoint() throws IOException {
    try (TensorSource diffusers = openDemo();
        TensorSource single = NetworkWeights.open(file, Flux1.FAMILY, Component.TRANSFORMER)) {
      assertThat(single.tensors().keySet()).isEqualTo(diffusers.tensors().keySet());
      for (String name : diffusers.tensors().keySet()) {
        float[] expected = diffusers.tensor(name).toFloats();
        TensorInfo found = single.tensors().get(name);
        assertThat(found.shape()).as(name).isEqualTo(diffusers.tensors().get(name).shape());
        assertThat(found.type()).as(name).isEqualTo(diffusers.tensors().get(name).type());
        float[] actual = new float[expected.length];
        single.readFloats(name, 0, actual, 0, actual.length);
        assertThat(actual).as(name).isEqualTo(expected);
        for (int first : new int[] {0, 3, expected.length / 2 - 1}) {
          float[] part = new float[2];
          single.readFloats(name, first, part, 0, 2);
          assertThat(part)
              .as("%s from %d", name, first)
              .isEqualTo(Arrays.copyOfRange(expected, first, first + 2));
        }
        if (found.encoding().isPlain()) {
          assertThat(single.tensor(name).data()).as(name).isEqualTo(diffusers.tensor(name).data());
        }
      }
    }
  }

  @Test
  void onlyTheSwappedHalvesLieInPieces() throws IOException {
    try (TensorSource single = NetworkWeights.open(file, Flux1.FAMILY, Component.TRANSFORMER)) {
      assertThat(single.tensors().values().stream())
          .filteredOn(info -> !info.encoding().isPlain())
          .extracting(TensorInfo::name)
          .containsExactlyInAnyOrder("norm_out.linear.weight", "norm_out.linear.bias");
      assertThatThrownBy(() -> single.tensor("norm_out.linear.bias"))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContainingAll("norm_out.linear.bias", "as floats");
    }
  }

  @Test
  void namesOfComfyUiAreRead() throws IOException {
    Path prefixed = folder.resolve("comfy.safetensors");
    try (TensorSource diffusers = openDemo()) {
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      OriginalNames.of(diffusers).forEach((k, v) -> tensors.put("model.diffusion_model." + k, v));
      tensors.put("vae.decoder.conv_in.bias", Tensor.ofFloats(new float[4], 4));
      SafetensorsWriter.write(prefixed, Map.of(), tensors);
      try (TensorSource single =
          NetworkWeights.open(prefixed, Flux1.FAMILY, Component.TRANSFORMER)) {
        assertThat(single.tensors().keySet()).isEqualTo(diffusers.tensors().keySet());
      }
    }
  }

  @Test
  void otherModelsAndQuantisedFilesAreRefusedByName() throws IOException {
    Path changed = folder.resolve("changed.safetensors");
    try (TensorSource diffusers = openDemo()) {
      Map<String, Tensor> tensors = new LinkedHashMap<>(OriginalNames.of(diffusers));
      Tensor weight = tensors.get("img_in.weight");
      byte[] eighths = new byte[(int) weight.shape().elementCount()];
      tensors.put(
          "img_in.weight",
          Tensor.view(ElementType.I8, weight.shape(), ByteBuffer.wrap(eighths), "int8"));
      SafetensorsWriter.write(changed, Map.of(), tensors);
      assertRefused(changed, "changed.safetensors", "'img_in.weight'", "I8", "without a scale");

      tensors.put("img_in.weight", weight);
      tensors.put("redux_up.bias", Tensor.ofFloats(new float[4], 4));
      SafetensorsWriter.write(changed, Map.of(), tensors);
      assertRefused(changed, "'redux_up.bias'", "another model");

      tensors.remove("redux_up.bias");
      tensors.remove("single_blocks.1.norm.key_norm.scale");
      SafetensorsWriter.write(changed, Map.of(), tensors);
      assertRefused(changed, "'single_blocks.1.norm.key_norm.scale'", "found none");

      ByteBuffer rows = ByteBuffer.allocate(10 * 2 * 3);
      Elements.fromFloats(ElementType.BF16, new float[30], 0, 30, rows);
      tensors.putAll(OriginalNames.of(diffusers));
      tensors.put(
          "double_blocks.0.img_attn.qkv.weight",
          Tensor.view(ElementType.BF16, Shape.of(10, 3), rows.flip(), "uneven"));
      SafetensorsWriter.write(changed, Map.of(), tensors);
      assertRefused(changed, "'double_blocks.0.img_attn.qkv.weight'", "3 equal parts", "[10, 3]");
    }
    Path gguf = Files.writeString(folder.resolve("flux-q4.gguf"), "GGUF then something else");
    assertRefused(gguf, "flux-q4.gguf", "GGUF");
    Files.delete(changed);
    assertRefused(folder, "flux-q4.gguf", "GGUF");
  }

  private static void assertRefused(Path path, String... parts) {
    assertThatThrownBy(() -> NetworkWeights.open(path, Flux1.FAMILY, Component.TRANSFORMER).close())
        .isInstanceOfAny(ModelException.class, FileFormatException.class)
        .hasMessageContainingAll(parts);
  }
}
