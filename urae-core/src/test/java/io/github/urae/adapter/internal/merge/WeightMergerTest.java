package io.github.urae.adapter.internal.merge;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import io.github.urae.CancellationToken;
import io.github.urae.ProgressListener;
import io.github.urae.Stage;
import io.github.urae.adapter.AdapterFile;
import io.github.urae.adapter.AdapterSpec;
import io.github.urae.adapter.TinyFlux;
import io.github.urae.adapter.internal.match.AdapterChain;
import io.github.urae.adapter.internal.match.AdapterOptions;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.Flux1;
import io.github.urae.internal.TaskReporter;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Tensor;
import io.github.urae.tensor.internal.Elements;
import io.github.urae.weights.SafetensorsFile;
import io.github.urae.weights.SafetensorsWriter;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The merged weights against plain loops in float64, at odd sizes and in all types. */
class WeightMergerTest {

  private static final String MODULE = "single_transformer_blocks.0.proj_out";

  @TempDir Path folder;

  /**
   * What is merged: sizes around the ends of tiles, blocks and passes.
   *
   * @param ranks of the adapters, one after the other
   */
  record Case(ElementType from, ElementType to, int rows, int columns, List<Integer> ranks) {}

  static List<Case> cases() {
    List<Case> cases = new ArrayList<>();
    Random random = new Random(5);
    List<ElementType> types =
        List.of(ElementType.BF16, ElementType.F16, ElementType.F32, ElementType.F64);
    int[] columns = {1, 2, 3, 511, 512, 513, 1023, 1024, 1026, 1031, 2049};
    int[] rows = {1, 31, 32, 33, 65};
    for (ElementType from : types) {
      for (ElementType to : types) {
        for (int i = 0; i < 4; i++) {
          cases.add(
              new Case(
                  from,
                  to,
                  rows[random.nextInt(rows.length)],
                  columns[random.nextInt(columns.length)],
                  List.of(1 + random.nextInt(19))));
        }
      }
    }
    // The path of its own for pairs of bfloat16, also over several pieces of 8 MB.
    for (int width : columns) {
      cases.add(new Case(ElementType.BF16, ElementType.BF16, 37, width, List.of(3, 16, 5)));
    }
    cases.add(new Case(ElementType.BF16, ElementType.BF16, 3001, 3072, List.of(1)));
    cases.add(new Case(ElementType.BF16, ElementType.F32, 801, 3072, List.of(2)));
    // Where there is OpenBLAS, it multiplies from a million elements on.
    cases.add(new Case(ElementType.BF16, ElementType.BF16, 1029, 1030, List.of(3, 16, 5)));
    cases.add(new Case(ElementType.F16, ElementType.F32, 1029, 1031, List.of(37)));
    cases.add(new Case(ElementType.BF16, ElementType.BF16, 90, 15362, List.of(17)));
    return cases;
  }

  @ParameterizedTest
  @MethodSource("cases")
  void equalsPlainLoopsRoundedOnce(Case c) throws IOException {
    long seed = c.hashCode();
    float[] base = AdapterFile.noise((long) c.rows * c.columns, seed);
    double[] sum = new double[base.length];
    Tensor stored = AdapterFile.rounded(c.from, base, c.rows, c.columns);
    float[] read = stored.toFloats();
    for (int i = 0; i < sum.length; i++) {
      sum[i] = read[i];
    }
    double[] magnitude = new double[base.length];
    List<AdapterSpec> specs = new ArrayList<>();
    for (int rank : c.ranks) {
      float[] a = AdapterFile.noise((long) rank * c.columns, seed + rank);
      float[] b = AdapterFile.noise((long) rank * c.rows, seed - rank);
      float alpha = 1.5f * rank;
      double scale = -0.7;
      AdapterSpec written =
          new AdapterFile()
              .values(MODULE + ".lora_A.weight", a, rank, c.columns)
              .values(MODULE + ".lora_B.weight", b, c.rows, rank)
              .alpha(MODULE, alpha)
              .write(folder.resolve("rank-" + rank + ".safetensors"));
      specs.add(new AdapterSpec(written.path(), scale));
      for (int i = 0; i < sum.length; i++) {
        for (int k = 0; k < rank; k++) {
          double term =
              scale * 1.5 * b[i / c.columns * rank + k] * a[k * c.columns + i % c.columns];
          sum[i] += term;
          magnitude[i] += Math.abs(term);
        }
      }
    }
    int additions = 3 + c.ranks.stream().mapToInt(rank -> rank).sum();
    byte[] merged = merge(stored, specs, c.to);
    float[] actual = new float[base.length];
    ByteBuffer bytes = ByteBuffer.wrap(merged).order(ByteOrder.LITTLE_ENDIAN);
    Elements.toFloats(c.to, bytes, actual, 0, actual.length);
    for (int i = 0; i < sum.length; i++) {
      // Half a unit in the last place of the type, and what float32 leaves of the sum.
      double rounding = halfUlp(c.to, sum[i]);
      double accumulation = 0x1p-24 * additions * (Math.abs(read[i]) + magnitude[i]);
      if (!(Math.abs(actual[i] - sum[i]) <= rounding + accumulation)) {
        fail("element %d: expected %s, found %s, seed %d", i, sum[i], actual[i], seed);
      }
    }
  }

  private static double halfUlp(ElementType type, double value) {
    return switch (type) {
      case BF16 -> Math.ulp((float) value) * 0x1p15;
      case F16 -> Math.max(Math.ulp((float) value) * 0x1p12, 0x1p-25);
      default -> Math.ulp((float) value) / 2;
    };
  }

  private byte[] merge(Tensor stored, List<AdapterSpec> specs, ElementType type)
      throws IOException {
    Path file = folder.resolve("base.safetensors");
    SafetensorsWriter.write(file, Map.of(), Map.of(MODULE + ".weight", stored));
    try (TensorSource base = SafetensorsFile.open(file);
        AdapterChain chain =
            AdapterChain.open(
                specs, Flux1.FAMILY, Map.of(Component.TRANSFORMER, base), AdapterOptions.STRICT)) {
      WeightMerger merger = new WeightMerger(chain, Component.TRANSFORMER, base);
      return bytes(merger, MODULE + ".weight", type, stored.shape().elementCount());
    }
  }

  private static byte[] bytes(WeightMerger merger, String name, ElementType type, long elements)
      throws IOException {
    ByteBuffer all = ByteBuffer.allocate((int) type.byteSize(elements));
    TaskReporter reporter =
        new TaskReporter(
            ProgressListener.NONE, new CancellationToken(), Stage.MERGING, all.capacity());
    merger.merge(name, type, all::put, reporter);
    assertThat(all.hasRemaining()).isFalse();
    return all.array();
  }

  @Test
  void whatNoAdapterChangesStaysAsItIs() throws IOException {
    try (TinyFlux model = new TinyFlux()) {
      WeightMerger merger =
          model.merger(model.chain(TinyFlux.spec("peft_metadata")), Component.TRANSFORMER);
      for (String name : List.of("proj_out.weight", "proj_out.bias")) {
        Tensor stored = model.transformer().tensor(name);
        byte[] expected = new byte[stored.data().remaining()];
        stored.data().get(expected);
        assertThat(bytes(merger, name, stored.type(), stored.shape().elementCount()))
            .isEqualTo(expected);
        assertThat(merger.mergeToFloats(name)).isEqualTo(stored.toFloats());
      }
    }
  }

  @Test
  void atScaleZeroNothingChangesAndNothingIsComputed() throws IOException {
    try (TinyFlux model = new TinyFlux()) {
      AdapterChain chain =
          model.chain(
              new AdapterSpec(TinyFlux.adapter("urae_2k_adapter"), 0),
              new AdapterSpec(TinyFlux.adapter("urae_4k_adapter"), 0));
      // Minor components would need urae-openblas.
      WeightMerger merger = model.merger(chain, Component.TRANSFORMER);
      for (String name : chain.changedWeights(Component.TRANSFORMER)) {
        assertThat(merger.mergeToFloats(name))
            .isEqualTo(model.transformer().tensor(name).toFloats());
      }
    }
  }
}
