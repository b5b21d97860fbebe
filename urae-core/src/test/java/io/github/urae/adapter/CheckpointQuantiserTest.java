package io.github.urae.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.urae.InvalidRequestException;
import io.github.urae.ModelException;
import io.github.urae.StageProgress;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.Flux1;
import io.github.urae.flux.model.internal.NetworkWeights;
import io.github.urae.tensor.ElementType;
import io.github.urae.testkit.TestData;
import io.github.urae.weights.Safetensors;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Quantised files are those that the programs write whose form they have. */
class CheckpointQuantiserTest {

  @TempDir Path folder;

  private static byte[] bytes(TensorSource source, TensorInfo tensor) throws IOException {
    byte[] bytes = new byte[(int) tensor.length()];
    source.read(tensor.name(), 0, ByteBuffer.wrap(bytes));
    return bytes;
  }

  private static float[] floats(TensorSource source, String name) throws IOException {
    float[] floats = new float[(int) source.tensors().get(name).shape().elementCount()];
    source.readFloats(name, 0, floats, 0, floats.length);
    return floats;
  }

  private static TensorSource transformer(Path file) throws IOException {
    return NetworkWeights.open(file, Flux1.FAMILY, Component.TRANSFORMER);
  }

  private CheckpointQuantiser.Builder quantiser(Path output) {
    return CheckpointQuantiser.builder().model(TestData.checkpoint()).output(output);
  }

  @Test
  void everyTensorIsAsGgmlWroteIt() throws IOException {
    Path output = folder.resolve("own.gguf");
    List<StageProgress> heard = new ArrayList<>();
    quantiser(output).encoding(CheckpointQuantiser.Encoding.Q4_0).listener(heard::add).write();
    try (TensorSource own = Safetensors.open(output);
        TensorSource recorded =
            Safetensors.open(TestData.path("quantised/files/flux-tiny-Q4_0.gguf"))) {
      assertThat(own.tensors().keySet())
          .containsExactlyInAnyOrderElementsOf(recorded.tensors().keySet());
      assertThat(own.metadata())
          .containsEntry("general.architecture", "flux")
          .containsEntry("general.quantization_version", "2")
          .containsEntry("general.file_type", "2");
      for (TensorInfo tensor : recorded.tensors().values()) {
        TensorInfo found = own.tensors().get(tensor.name());
        assertThat(found.encoding()).as(tensor.name()).isEqualTo(tensor.encoding());
        assertThat(found.shape()).as(tensor.name()).isEqualTo(tensor.shape());
        assertThat(bytes(own, found)).as(tensor.name()).isEqualTo(bytes(recorded, tensor));
      }
    }
    assertThat(heard).isNotEmpty();
    assertThat(folder).isDirectoryContaining(file -> file.equals(output));
  }

  @Test
  void aFileIsReadAsTheCheckpointThatItIsOf() throws IOException {
    Path output = folder.resolve("own.gguf");
    quantiser(output).write();
    try (TensorSource own = transformer(output);
        TensorSource base = transformer(TestData.checkpoint().resolve("transformer"))) {
      assertThat(own.tensors().keySet())
          .containsExactlyInAnyOrderElementsOf(base.tensors().keySet());
      for (String name : base.tensors().keySet()) {
        float[] expected = floats(base, name);
        assertThat(TestData.relativeDifference(expected, floats(own, name)))
            .as(name)
            .isLessThan(0.5 / 127 + 0x1p-11); // Half a step, and a scale in half precision.
      }
      assertThat(floats(own, "norm_out.linear.bias"))
          .isEqualTo(floats(base, "norm_out.linear.bias"));
    }
  }

  /** As bitsandbytes rounds, by rows; what it wrote once stays as it is. */
  @Test
  void bytesByRow() throws IOException {
    Path output = folder.resolve("own.safetensors");
    quantiser(output).encoding(CheckpointQuantiser.Encoding.INT8).write();
    try (TensorSource stored = Safetensors.open(output);
        TensorSource own = transformer(output);
        TensorSource base = transformer(TestData.checkpoint().resolve("transformer"))) {
      assertThat(own.tensors().keySet()).isEqualTo(base.tensors().keySet());
      int quantised = 0;
      for (TensorInfo tensor : base.tensors().values()) {
        float[] expected = floats(base, tensor.name());
        float[] found = floats(own, tensor.name());
        if (stored.tensors().get(tensor.name()).type() != ElementType.I8) {
          assertThat(found).as(tensor.name()).isEqualTo(expected);
          continue;
        }
        quantised++;
        float[] maxima = floats(stored, tensor.name().replaceFirst("weight$", "SCB"));
        int columns = expected.length / maxima.length;
        for (int i = 0; i < expected.length; i++) {
          float most = maxima[i / columns];
          assertThat(Math.abs(expected[i])).isLessThanOrEqualTo(most);
          assertThat(Math.abs(found[i] - expected[i])).isLessThanOrEqualTo(most / 253.9f);
        }
      }
      assertThat(quantised).isGreaterThan(40);
    }
    Path again = folder.resolve("again.safetensors");
    quantiser(again).encoding(CheckpointQuantiser.Encoding.INT8).transformer(output).write();
    try (TensorSource one = Safetensors.open(output);
        TensorSource other = Safetensors.open(again)) {
      for (TensorInfo tensor : one.tensors().values()) {
        TensorInfo found = other.tensors().get(tensor.name());
        if (tensor.type() == ElementType.F32) { // A maximum over 127, times 127.
          assertThat(
                  TestData.relativeDifference(
                      floats(one, tensor.name()), floats(other, tensor.name())))
              .isLessThan(1e-6);
        } else {
          assertThat(bytes(other, found)).as(tensor.name()).isEqualTo(bytes(one, tensor));
        }
      }
    }
    assertThatThrownBy(
            () ->
                quantiser(folder.resolve("own.gguf"))
                    .encoding(CheckpointQuantiser.Encoding.INT8)
                    .write())
        .isInstanceOf(InvalidRequestException.class)
        .hasMessageContainingAll(".safetensors", "q8_0");
  }

  @Test
  void quantisedSourcesAndAdapters() throws IOException {
    Path first = folder.resolve("first.gguf");
    quantiser(first).write();
    // Q8_0 of Q8_0 is the same: the largest value of a block is 127 times its scale.
    Path again = folder.resolve("again.gguf");
    quantiser(again).transformer(first).write();
    assertThat(Files.mismatch(first, again)).isEqualTo(-1);

    Path merged = folder.resolve("merged");
    CheckpointMerger.builder()
        .model(TestData.checkpoint())
        .adapter(TestData.adapter2k())
        .elementType(ElementType.F32)
        .output(merged)
        .write();
    Path expected = folder.resolve("expected.gguf");
    CheckpointQuantiser.builder().model(merged).output(expected).write();
    Path found = folder.resolve("found.gguf");
    quantiser(found).adapter(TestData.adapter2k()).write();
    try (TensorSource one = Safetensors.open(expected);
        TensorSource other = Safetensors.open(found)) {
      for (TensorInfo tensor : one.tensors().values()) {
        assertThat(bytes(other, other.tensors().get(tensor.name())))
            .as(tensor.name())
            .isEqualTo(bytes(one, tensor));
      }
    }
  }

  @Test
  void adaptersAreMergedFromQuantisedSources() throws IOException {
    Path file = TestData.path("quantised/files/flux-tiny-Q4_0.gguf");
    Path merged = folder.resolve("merged");
    CheckpointMerger.builder()
        .model(TestData.checkpoint())
        .transformer(file)
        .adapter(TestData.adapter2k())
        .output(merged)
        .write();
    Path plain = folder.resolve("plain");
    CheckpointMerger.builder()
        .model(TestData.checkpoint())
        .adapter(TestData.adapter2k())
        .elementType(ElementType.F32)
        .output(plain)
        .write();
    String name = "transformer_blocks.0.attn.to_q.weight";
    try (TensorSource base = transformer(TestData.checkpoint().resolve("transformer"));
        TensorSource changed = transformer(plain.resolve("transformer"));
        TensorSource quantised = transformer(file);
        TensorSource found = transformer(merged.resolve("transformer"))) {
      float[] expected = floats(quantised, name);
      float[] before = floats(base, name);
      float[] after = floats(changed, name);
      for (int i = 0; i < expected.length; i++) {
        expected[i] += after[i] - before[i];
      }
      assertThat(found.tensors().get(name).isPlain(ElementType.F32)).isTrue();
      assertThat(TestData.relativeDifference(expected, floats(found, name))).isLessThan(1e-6);
    }

    // A checkpoint whose own transformer is a GGUF file: the new one holds the merged weights only.
    Path own = folder.resolve("own");
    copy(TestData.checkpoint(), own);
    try (Stream<Path> files = Files.list(own.resolve("transformer"))) {
      for (Path weights : files.filter(f -> f.toString().contains(".safetensors")).toList()) {
        Files.delete(weights);
      }
    }
    Files.copy(file, own.resolve("transformer/flux-tiny-Q4_0.gguf"));
    Path again = folder.resolve("again");
    CheckpointMerger.builder().model(own).adapter(TestData.adapter2k()).output(again).write();
    assertThat(again.resolve("transformer")).isDirectoryNotContaining("glob:**.gguf");
    try (TensorSource one = transformer(merged.resolve("transformer"));
        TensorSource other = transformer(again.resolve("transformer"))) {
      assertThat(floats(other, name)).isEqualTo(floats(one, name));
    }
  }

  private static void copy(Path from, Path to) throws IOException {
    try (Stream<Path> files = Files.walk(from)) {
      for (Path file : files.toList()) {
        Files.copy(file, to.resolve(from.relativize(file).toString()));
      }
    }
  }

  @Test
  void whatTheFileCannotHoldIsRefused() {
    Path output = folder.resolve("none.gguf");
    assertThatThrownBy(
            () ->
                quantiser(output)
                    .adapter(TestData.path("adapters/kohya_text_encoder.safetensors"))
                    .write())
        .isInstanceOf(ModelException.class)
        .hasMessageContainingAll("text_encoder", "urae merge");
    assertThat(output).doesNotExist();
    assertThatThrownBy(() -> CheckpointQuantiser.builder().write())
        .isInstanceOf(IllegalStateException.class);
  }
}
