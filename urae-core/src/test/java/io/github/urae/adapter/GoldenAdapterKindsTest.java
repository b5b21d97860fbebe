package io.github.urae.adapter;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.urae.CancellationToken;
import io.github.urae.ProgressListener;
import io.github.urae.Stage;
import io.github.urae.adapter.internal.match.AdapterChain;
import io.github.urae.adapter.internal.merge.WeightMerger;
import io.github.urae.flux.model.Component;
import io.github.urae.internal.TaskReporter;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.internal.Elements;
import io.github.urae.testkit.TestData;
import io.github.urae.weights.SafetensorsFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.TreeSet;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The weights that LyCORIS and PEFT compute with, recorded for every kind of change. */
class GoldenAdapterKindsTest {

  private static final double TOLERANCE = 1e-5;

  /** Every so many rows are recorded whole. */
  private static final int STEP = 16;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "lokr",
        "lokr_fused",
        "loha",
        "decomposed",
        "full",
        "peft_dora",
        "peft_dora_bf16",
        "peft_bias",
        "peft_lokr",
        "peft_loha"
      })
  void becomesWhatTheReferenceComputesWith(String name) throws IOException {
    try (TinyFlux model = new TinyFlux();
        SafetensorsFile golden =
            SafetensorsFile.open(TestData.path("golden/adapter_kinds.safetensors"))) {
      AdapterChain chain = model.chain(TinyFlux.spec(name));
      TreeSet<String> expected = new TreeSet<>();
      golden.tensors().keySet().stream()
          .filter(key -> key.startsWith(name + "/") && !key.endsWith("#sum"))
          .forEach(key -> expected.add(key.substring(name.length() + 1)));
      TreeSet<String> changed = new TreeSet<>();
      double largest = 0;
      for (Component network : chain.changedNetworks()) {
        WeightMerger merger = model.merger(chain, network);
        for (String weight : chain.changedWeights(network)) {
          String key = network.folder() + "." + weight;
          changed.add(key);
          float[] merged = merger.mergeToFloats(weight);
          assertThat(streamed(merger, weight, merged.length)).isEqualTo(merged);
          largest = Math.max(largest, error(golden, name + "/" + key, merged));
        }
      }
      assertThat(changed).isEqualTo(expected);
      System.out.printf("%-20s %3d weights  error %.1e%n", name, changed.size(), largest);
      assertThat(largest).isLessThan(TOLERANCE);
    }
  }

  private static float[] streamed(WeightMerger merger, String weight, int size) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(size * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    TaskReporter reporter =
        new TaskReporter(
            ProgressListener.NONE, new CancellationToken(), Stage.MERGING, bytes.capacity());
    merger.merge(weight, ElementType.F32, bytes::put, reporter);
    assertThat(bytes.hasRemaining()).isFalse();
    float[] values = new float[size];
    Elements.toFloats(ElementType.F32, bytes.flip(), values, 0, size);
    return values;
  }

  /** The largest error of a value, or of a row's sum, relative to the largest value. */
  private static double error(SafetensorsFile golden, String key, float[] merged)
      throws IOException {
    float[] rows = golden.tensor(key).toFloats();
    if (!golden.tensors().containsKey(key + "#sum")) {
      return TestData.largestDifference(rows, merged) / largest(rows);
    }
    int columns = Math.toIntExact(golden.tensors().get(key).shape().dimension(1));
    double error = 0;
    for (int i = 0; i < rows.length; i++) {
      int row = i / columns * STEP;
      error = Math.max(error, Math.abs(rows[i] - merged[row * columns + i % columns]));
    }
    var sums = golden.tensor(key + "#sum").data().asDoubleBuffer();
    assertThat(sums.remaining()).isEqualTo(merged.length / columns);
    for (int row = 0; row < sums.remaining(); row++) {
      double sum = 0;
      for (int i = 0; i < columns; i++) {
        sum += merged[row * columns + i] * (1 + Math.sin(i));
      }
      error = Math.max(error, Math.abs(sum - sums.get(row)) / Math.sqrt((double) columns));
    }
    return error / largest(merged);
  }

  private static double largest(float[] values) {
    double largest = 0;
    for (float value : values) {
      largest = Math.max(largest, Math.abs(value));
    }
    return largest;
  }
}
