package io.github.urae.training.internal.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.github.urae.flux.model.internal.TransformerConfig;
import io.github.urae.training.TrainingPlan;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What FLUX.1-dev takes; figures counted and measured with PyTorch on blocks of its size. */
class StepCostsTest {

  private static final TransformerConfig DEV =
      new TransformerConfig(64, 64, 19, 38, 24, 128, List.of(16, 56, 56), 4096, 768, true);

  private static final long PARAMETERS = 18_677_760;

  private static StepCosts costs(boolean bfloat16, boolean recomputation, boolean host) {
    return new StepCosts(
        DEV,
        PARAMETERS,
        true,
        1,
        1,
        new StepCosts.Choices(bfloat16, false, recomputation, false, host));
  }

  private static long bytes(StepCosts costs, long imageTokens, String part) {
    return costs.parts(512, imageTokens).stream()
        .filter(each -> each.name().equals(part))
        .mapToLong(TrainingPlan.Part::bytes)
        .sum();
  }

  @Test
  void countsTheWeights() {
    assertThat((double) costs(true, true, true).weights()).isCloseTo(11_901_408_320.0, within(2e7));
  }

  @ParameterizedTest
  @CsvSource({"4096, 0.25", "16384, 1.55", "65536, 16.3"})
  void countsTheOperations(long imageTokens, double petaflops) {
    assertThat(costs(true, true, true).flops(512, imageTokens) / 1e15)
        .isCloseTo(petaflops, within(0.02 * petaflops));
  }

  @ParameterizedTest
  @CsvSource({"4096, 1.6", "16384, 5.9", "65536, 23.1"})
  void countsWhatEntersBlocks(long imageTokens, double gigabytes) {
    assertThat(bytes(costs(true, true, true), imageTokens, "what enters each block") / 1e9)
        .isCloseTo(gigabytes, within(0.05));
  }

  @ParameterizedTest
  @CsvSource({"4096, 27", "16384, 98", "65536, 385"})
  void countsActivations(long imageTokens, double gigabytes) {
    assertThat(bytes(costs(true, false, true), imageTokens, "all activations") / 1e9)
        .isCloseTo(gigabytes, within(0.03 * gigabytes));
  }

  @Test
  void countsTheOptimizer() {
    StepCosts costs = costs(true, true, true);
    long bytes =
        bytes(costs, 1, "adapters")
            + bytes(costs, 1, "their gradients")
            + bytes(costs, 1, "optimizer's state");
    assertThat(bytes / 1e9).isCloseTo(0.52, within(0.01));
  }

  @Test
  void weightsInFilesAreNotCountedOnTheProcessor() {
    assertThat(costs(true, true, false).bytes(512, 4096) - costs(true, true, true).bytes(512, 4096))
        .isCloseTo(23_800_000_000L, within(100_000_000L));
  }

  @Test
  void namesWhatWouldFit() {
    long tight = 40L << 30;
    assertThat(MemoryAdvice.of(costs(false, true, true), 512, 4096, 4096, tight))
        .contains("a base in bfloat16", "pictures of at most ")
        .doesNotContain("recomputation");
    assertThat(MemoryAdvice.of(costs(false, false, true), 512, 2048, 2048, tight))
        .contains("recomputation (");
    assertThat(MemoryAdvice.of(costs(false, false, true), 512, 4096, 4096, tight))
        .contains("pictures of at most ");
    assertThat(MemoryAdvice.of(costs(true, true, false), 512, 4096, 4096, 48L << 30))
        .contains("block inputs in host memory (");
    assertThat(MemoryAdvice.of(costs(true, true, true), 512, 1024, 1024, 1L << 20))
        .contains("nothing smaller fits");
    assertThat(MemoryAdvice.of(costs(false, false, false), 512, 4096, 4096, 36L << 30))
        .contains("together");
  }

  @Test
  void aBatchTakesMoreAndItsPartThatFitsIsNamed() {
    StepCosts one = costs(true, true, true);
    StepCosts four = one.withBatch(4);
    assertThat((double) bytes(four, 4096, "what enters each block"))
        .isEqualTo(4.0 * bytes(one, 4096, "what enters each block"));
    assertThat(bytes(four, 4096, "adapters")).isEqualTo(bytes(one, 4096, "adapters"));
    long available = one.withBatch(3).bytes(512, 4096);
    assertThat(MemoryAdvice.of(four, 512, 1024, 1024, available)).contains("a batch of 3 (");
  }

  @Test
  void measuringTakesLessThanTraining() {
    for (boolean recomputation : new boolean[] {true, false}) {
      StepCosts costs = costs(true, recomputation, true);
      assertThat(costs.measuringBytes(512, 16384)).isLessThan(costs.bytes(512, 16384));
      assertThat(costs.measuringBytes(512, 16384)).isGreaterThan(costs.measuringBytes(512, 4096));
    }
  }

  @Test
  void theSizeThatIsNamedFits() {
    StepCosts costs = costs(true, true, true);
    long available = 8L << 30;
    long most = costs.mostImageTokens(512, available).orElseThrow();
    assertThat(costs.bytes(512, most)).isLessThanOrEqualTo(available);
    assertThat(costs.bytes(512, most + 1)).isGreaterThan(available);
  }

  @Test
  void theSystemTellsWhatIsFree() {
    if (System.getProperty("os.name").equals("Linux")) {
      assertThat(HostMemory.available().orElseThrow()).isBetween(1L << 20, 1L << 50);
    }
  }
}
