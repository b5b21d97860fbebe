package io.github.urae.onnx.internal.graph;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.Flux1;
import io.github.urae.flux.model.internal.NetworkWeights;
import io.github.urae.flux.model.internal.TransformerConfig;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.EnumSource.Mode;

/**
 * What layers of FLUX.1-dev's true shapes take when adapters change all of them, in bytes of the
 * weights that a session is given. The checkpoint is a sparse file of float8.
 */
class LowRankBranchTest {

  private static final int RANK = 16;

  private static final TransformerConfig CONFIG =
      new TransformerConfig(64, 64, 1, 1, 24, 128, List.of(16, 56, 56), 4096, 768, true);

  @TempDir Path folder;

  private TensorSource checkpoint() throws IOException {
    StringBuilder header = new StringBuilder("{");
    long end = 0;
    for (Map.Entry<String, Shape> weight :
        TransformerGraph.build(CONFIG, ElementType.F32).parameters().entrySet()) {
      long begin = end;
      end += weight.getValue().elementCount();
      header
          .append(header.length() > 1 ? "," : "")
          .append("\"" + weight.getKey() + "\":{\"dtype\":\"F8_E4M3\",\"shape\":")
          .append(weight.getValue())
          .append(",\"data_offsets\":[" + begin + "," + end + "]}");
    }
    byte[] json = header.append("}").toString().getBytes(StandardCharsets.UTF_8);
    Path path = folder.resolve("float8.safetensors");
    try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
      file.write(
          ByteBuffer.allocate(Long.BYTES)
              .order(ByteOrder.LITTLE_ENDIAN)
              .putLong(json.length)
              .array());
      file.write(json);
      file.setLength(Long.BYTES + json.length + end);
    }
    return NetworkWeights.open(path, Flux1.FAMILY, Component.TRANSFORMER);
  }

  private static NetworkGraph graph(TensorSource source, Arithmetic arithmetic) {
    return TransformerGraph.build(CONFIG, ElementType.F32, LinearLayers.of(source, arithmetic));
  }

  private static Map<String, Adaptation> all(TensorSource source, Adaptation adaptation) {
    Map<String, Adaptation> all = new HashMap<>();
    source.tensors().values().stream()
        .filter(weight -> weight.shape().rank() == 2)
        .forEach(weight -> all.put(weight.name(), adaptation));
    return all;
  }

  @ParameterizedTest
  @EnumSource(
      value = LinearArithmetic.class,
      names = {"AS_STORED", "Q8", "Q4"})
  void lowRanksTakeTheirFactorsOnly(LinearArithmetic linear) throws IOException {
    try (TensorSource source = checkpoint()) {
      Arithmetic arithmetic = new Arithmetic(ElementType.F32, linear);
      NetworkGraph base = graph(source, arithmetic);
      NetworkGraph adapted =
          graph(source, arithmetic.adapting(all(source, new Adaptation.Beside(RANK))));
      long factors =
          source.tensors().values().stream()
              .filter(weight -> weight.shape().rank() == 2)
              .mapToLong(weight -> weight.shape().dimension(0) + weight.columns())
              .map(sides -> Float.BYTES * RANK * sides)
              .sum();
      assertThat(adapted.weightBytes() - base.weightBytes()).isEqualTo(factors);
      assertThat(factors).isLessThan(base.weightBytes() / 10);
      assertThat(adapted.weights()).containsAllEntriesOf(base.weights());
      assertThat(adapted.parameters()).isEqualTo(base.parameters());
      assertThat(adapted.changedWith(source.tensors().keySet()).keySet())
          .allMatch(
              name ->
                  name.endsWith(".down")
                      || name.endsWith(".up")
                      || name.endsWith(".bias")
                      || name.contains("norm_"));
    }
  }

  /** Also where 4 bits were asked for: at most 9 a weight, but for the few outside the blocks. */
  @ParameterizedTest
  @EnumSource(
      value = LinearArithmetic.class,
      names = {"PLAIN"},
      mode = Mode.EXCLUDE)
  void whatIsMergedTakesEightBits(LinearArithmetic linear) throws IOException {
    try (TensorSource source = checkpoint()) {
      NetworkGraph merged =
          graph(
              source,
              new Arithmetic(ElementType.F32, linear)
                  .adapting(all(source, new Adaptation.Merged())));
      assertThat(merged.takenAsStored(source.tensors().keySet())).isEmpty();
      Map<Boolean, Long> bytes = new HashMap<>(Map.of(true, 0L, false, 0L));
      Map<Boolean, Long> elements = new HashMap<>(Map.of(true, 0L, false, 0L));
      merged
          .weights()
          .values()
          .forEach(
              weight ->
                  bytes.merge(
                      weight.form().parameter().contains("transformer_blocks."),
                      weight.byteSize(),
                      Long::sum));
      source
          .tensors()
          .values()
          .forEach(
              weight ->
                  elements.merge(
                      weight.name().contains("transformer_blocks."),
                      weight.shape().elementCount(),
                      Long::sum));
      assertThat(bytes.get(true)).isLessThan(elements.get(true) * 9 / 8 + (1 << 20));
      assertThat(bytes.get(false)).isEqualTo(elements.get(false) * Float.BYTES);
    }
  }

  @Test
  void ranksThatAreNotLowAreMerged() {
    assertThat(Adaptation.of(16, 3072, 3072)).isEqualTo(new Adaptation.Beside(16));
    assertThat(Adaptation.of(384, 3072, 3072)).isEqualTo(new Adaptation.Beside(384));
    assertThat(Adaptation.of(385, 3072, 3072)).isEqualTo(new Adaptation.Merged());
    assertThat(Adaptation.of(64, 128, 128)).isEqualTo(new Adaptation.Merged());
    assertThat(Adaptation.of(63, 128, 128)).isEqualTo(new Adaptation.Beside(63));
    // As common adapters have it for the embedder of latents.
    assertThat(Adaptation.of(128, 3072, 64)).isEqualTo(new Adaptation.Merged());
  }
}
