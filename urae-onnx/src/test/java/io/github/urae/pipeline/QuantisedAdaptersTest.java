package io.github.urae.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.urae.CancellationToken;
import io.github.urae.ProgressListener;
import io.github.urae.adapter.AdapterSpec;
import io.github.urae.onnx.internal.graph.Arithmetic;
import io.github.urae.onnx.internal.graph.LinearArithmetic;
import io.github.urae.onnx.internal.model.Networks;
import io.github.urae.tensor.ElementType;
import io.github.urae.testkit.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Adapters on weights of few bits: added to the values that are stored, and not rounded again, in
 * which most of a small update would be lost.
 */
class QuantisedAdaptersTest {

  private static final Arithmetic AS_STORED =
      new Arithmetic(ElementType.F32, LinearArithmetic.AS_STORED);

  private static final List<AdapterSpec> LORA =
      List.of(new AdapterSpec(TestData.path("adapters/peft.safetensors"), 1));

  /** The second replaces minor components of what the first leaves. */
  private static final List<AdapterSpec> MINOR =
      List.of(new AdapterSpec(TestData.adapter2k(), 1), new AdapterSpec(TestData.adapter4k(), 1));

  @TempDir Path folder;

  private Path nf4() throws IOException {
    Path file = folder.resolve("nf4.safetensors");
    QuantisedWriter.writeNf4(file);
    return file;
  }

  @Test
  void loraOnNf4() throws IOException {
    assertAdapters(new QuantisedCase("flux-tiny-bnb-nf4-v2", nf4()));
  }

  @Test
  void loraOnBlocksOfGguf() throws IOException {
    assertAdapters(
        new QuantisedCase("flux-tiny-Q4_0", TestData.path("quantised/files/flux-tiny-Q4_0.gguf")));
  }

  /** As recorded with the adapter; without it again, the base bit by bit. */
  private void assertAdapters(QuantisedCase recorded) throws IOException {
    for (Arithmetic arithmetic : List.of(Arithmetic.FLOAT32, AS_STORED)) {
      Path own = Files.createTempDirectory(folder, "model");
      try (Networks base = recorded.open(own, "flux-tiny", arithmetic);
          Networks adapted = with(base, LORA);
          Networks removed = with(adapted, List.of())) {
        recorded.assertRuns(adapted, "lora_peft_");
        assertThat(recorded.latents(removed)).isEqualTo(recorded.latents(base));
      }
    }
  }

  private static Networks with(Networks networks, List<AdapterSpec> adapters) throws IOException {
    return networks.with(adapters, ProgressListener.NONE, new CancellationToken());
  }

  /** The same as on the stored values in float32. */
  @Test
  void minorComponentsOnNf4() throws IOException {
    QuantisedCase nf4 = new QuantisedCase("flux-tiny-bnb-nf4-v2", nf4());
    Path plain = folder.resolve("plain.safetensors");
    QuantisedWriter.writeValues(nf4.file(), plain);
    QuantisedCase values = new QuantisedCase("flux-tiny-bnb-nf4-v2", plain);
    try (Networks base =
            nf4.open(Files.createDirectory(folder.resolve("1")), "flux-tiny", AS_STORED);
        Networks adapted = with(base, MINOR);
        Networks floats =
            values.open(
                Files.createDirectory(folder.resolve("2")), "flux-tiny", Arithmetic.FLOAT32);
        Networks expected = with(floats, MINOR)) {
      float[] latents = values.latents(expected);
      TestData.assertClose(
          "minor components on NF4", latents, nf4.latents(adapted), QuantisedCase.SEVERAL_STEPS);
      assertThat(TestData.relativeDifference(latents, nf4.latents(base)))
          .as("what the adapters change")
          .isGreaterThan(0.05);
    }
  }

  /**
   * Also of layers outside the blocks, which are computed as they are stored in any precision. What
   * is drawn with the adapter is no further from what float32 gives than without.
   */
  @ParameterizedTest
  @EnumSource(LinearArithmetic.class)
  void loraOnFloat8InEveryPrecision(LinearArithmetic linear) throws IOException {
    Path file = folder.resolve("float8.safetensors");
    QuantisedWriter.writePlainFloat8(file, QuantisedWriter.original());
    QuantisedCase float8 = new QuantisedCase("float8 as " + linear, file);
    Arithmetic arithmetic = new Arithmetic(ElementType.F32, linear);
    try (Networks exact = open(float8, Arithmetic.FLOAT32);
        Networks exactAdapted = with(exact, LORA);
        Networks base = open(float8, arithmetic);
        Networks adapted = with(base, LORA)) {
      float[] expected = float8.firstVelocity(exactAdapted);
      double effect = TestData.relativeDifference(expected, float8.firstVelocity(exact));
      double before =
          TestData.relativeDifference(float8.firstVelocity(exact), float8.firstVelocity(base));
      double after = TestData.relativeDifference(expected, float8.firstVelocity(adapted));
      System.out.printf(
          "%s: the adapter changes %.2e; error without %.2e, with %.2e%n",
          float8.label(), effect, before, after);
      assertThat(after).isLessThan(Math.max(1e-4, 1.5 * before));
      assertThat(after).isLessThan(effect);
    }
  }

  private Networks open(QuantisedCase file, Arithmetic arithmetic) throws IOException {
    return file.open(Files.createTempDirectory(folder, "model"), "flux-tiny", arithmetic);
  }
}
