package io.github.urae.training.internal.torch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.github.urae.flux.model.internal.TransformerConfig;
import io.github.urae.tensor.ElementType;
import io.github.urae.training.internal.engine.AdapterStage;
import io.github.urae.training.internal.engine.EngineSettings;
import io.github.urae.training.internal.engine.TargetModules;
import io.github.urae.training.internal.engine.TrainingCost;
import java.util.List;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Costs of FLUX.1-dev, against figures computed elsewhere. */
class TrainingPlansTest {

  private static final TransformerConfig DEV =
      new TransformerConfig(64, 64, 19, 38, 24, 128, List.of(16, 56, 56), 4096, 768, true);

  private static final EngineSettings SETTINGS =
      EngineSettings.of(new AdapterStage.Lora(16, 16, TargetModules.URAE, 0))
          .withTypes(ElementType.BF16, ElementType.F32);

  @ParameterizedTest
  @CsvSource({
    "64, 4608, 1.6e9, 0.5e9, 27e9, 59e12, 15e12, 0.25e15",
    "128, 16896, 5.9e9, 1.8e9, 98e9, 218e12, 200e12, 1.55e15",
    "256, 66048, 23.1e9, 7.2e9, 385e9, 853e12, 3055e12, 16.3e15"
  })
  void costsAreThoseOfFlux(
      long side,
      long tokens,
      double inputs,
      double block,
      double network,
      double linear,
      double attention,
      double step) {
    TrainingCost cost = TrainingPlans.cost(DEV, SETTINGS, 512, side * side);
    assertThat(cost.tokens()).isEqualTo(tokens);
    assertThat((double) cost.blockInputBytes()).isCloseTo(inputs, within(0.03 * inputs));
    assertThat((double) cost.blockBytes()).isCloseTo(block, within(0.04 * block));
    assertThat((double) cost.networkBytes()).isCloseTo(network, within(0.03 * network));
    assertThat(cost.linearOperations()).isCloseTo(linear, within(0.02 * linear));
    assertThat(cost.attentionOperations()).isCloseTo(attention, within(0.02 * attention));
    assertThat(cost.stepOperations()).isCloseTo(step, within(0.03 * step));
    assertThat(cost.seconds(4e14)).isCloseTo(step / 4e14, within(0.03 * step / 4e14));
  }

  @Test
  void numbersAreThoseOfFlux() {
    TrainingCost cost = TrainingPlans.cost(DEV, SETTINGS, 512, 4096);
    assertThat(cost.weightBytes()).isEqualTo(2 * 11_901_408_320L);
    assertThat(cost.adapterNumbers()).isEqualTo(18_677_760);
    assertThat(cost.adapterBytes()).isEqualTo(4 * 7 * 18_677_760L);
  }

  @Test
  void whatWaitsOnTheHostIsNotOnTheDevice() {
    EngineSettings gpu =
        SETTINGS.withDevice("cuda:0", OptionalInt.empty()).withRecomputation(true, true);
    TrainingCost cost = TrainingPlans.cost(DEV, gpu, 512, 65536);
    assertThat(cost.deviceBytes(gpu.withRecomputation(true, false)) - cost.deviceBytes(gpu))
        .isEqualTo(cost.blockInputBytes());
    assertThat(cost.deviceBytes(gpu.withRecomputation(false, false)))
        .isGreaterThan(cost.networkBytes());
  }
}
