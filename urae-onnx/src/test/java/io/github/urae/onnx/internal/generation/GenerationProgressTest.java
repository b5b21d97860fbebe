package io.github.urae.onnx.internal.generation;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.urae.Stage;
import io.github.urae.StageProgress;
import io.github.urae.StageProgress.Unit;
import io.github.urae.flux.GenerationPlan;
import io.github.urae.flux.model.Component;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The time that remains, on a clock of the test's own. */
class GenerationProgressTest {

  private static final double SMALL_STEP = 1e9;
  private static final double LARGE_STEP = 20e9;
  private static final double DECODING = 4e9;

  private final WorkRates rates = new WorkRates();
  private final List<StageProgress> told = new ArrayList<>();
  private long now;

  private static GenerationPlan.Phase phase(Component component, boolean ofDraft, double flops) {
    return new GenerationPlan.Phase(Stage.DENOISING, component, ofDraft, flops, 0);
  }

  private GenerationProgress progress(GenerationPlan.Phase... plan) {
    return new GenerationProgress(told::add, rates, () -> now, List.of(plan));
  }

  private void work(GenerationProgress.Running stage, long seconds, double flops) {
    now += seconds * 1_000_000_000L;
    stage.advance(flops);
  }

  private StageProgress last() {
    return told.get(told.size() - 1);
  }

  private long secondsLeft() {
    return last().remaining().orElseThrow().toSeconds();
  }

  @Test
  void largeStepsCountMoreThanThoseOfADraftAndDecodingCounts() {
    GenerationProgress progress =
        progress(
            phase(Component.TRANSFORMER, true, 2 * SMALL_STEP),
            phase(Component.TRANSFORMER, false, 2 * LARGE_STEP),
            phase(Component.VAE_DECODER, false, 2 * DECODING));
    now = 1_000_000_000_000L;
    GenerationProgress.Running draft =
        progress.begin(Stage.DENOISING, Component.TRANSFORMER, 0, 4, Unit.STEPS);
    assertThat(last().remaining()).isEmpty();
    assertThat(last().elapsed()).isZero();
    work(draft, 3, SMALL_STEP);
    assertThat(secondsLeft()).isEqualTo(3 + 2 * 60 + 2 * 12);
    work(draft, 3, SMALL_STEP);
    assertThat(secondsLeft()).isEqualTo(2 * 60 + 2 * 12);
    assertThat(last().elapsed()).isEqualTo(Duration.ofSeconds(6));

    // Loading takes its time, which is no step's.
    now += 100_000_000_000L;
    GenerationProgress.Running full =
        progress.begin(Stage.DENOISING, Component.TRANSFORMER, 2, 4, Unit.STEPS);
    work(full, 60, LARGE_STEP);
    assertThat(last().done()).isEqualTo(3);
    assertThat(secondsLeft()).isEqualTo(60 + 2 * 12);
    work(full, 60, LARGE_STEP);
    assertThat(last().isComplete()).isTrue();
    assertThat(secondsLeft()).isEqualTo(2 * 12);

    // The decoder is slower than the transformer; once measured, that counts.
    GenerationProgress.Running decoding =
        progress.begin(Stage.DECODING, Component.VAE_DECODER, 0, 2, Unit.IMAGES);
    work(decoding, 30, DECODING);
    assertThat(secondsLeft()).isEqualTo(30);
    work(decoding, 30, DECODING);
    assertThat(last().remaining()).contains(Duration.ZERO);
  }

  @Test
  void encodingTextTellsNothingOfTheSteps() {
    GenerationProgress progress =
        progress(
            phase(Component.TEXT_ENCODER_2, false, 1e9),
            phase(Component.TRANSFORMER, false, LARGE_STEP));
    GenerationProgress.Running text =
        progress.begin(Stage.ENCODING_TEXT, Component.TEXT_ENCODER_2, 0, 1, Unit.PROMPTS);
    work(text, 50, 1e9);
    assertThat(last().remaining()).isEmpty();
  }

  @Test
  void laterMeasurementsCorrectEarlierOnesAndStay() {
    GenerationProgress progress = progress(phase(Component.TRANSFORMER, false, 10 * LARGE_STEP));
    GenerationProgress.Running steps =
        progress.begin(Stage.DENOISING, Component.TRANSFORMER, 0, 10, Unit.STEPS);
    work(steps, 100, LARGE_STEP);
    assertThat(secondsLeft()).isEqualTo(900);
    for (int i = 0; i < 8; i++) {
      work(steps, 10, LARGE_STEP);
    }
    assertThat(secondsLeft()).isBetween(10L, 15L);

    told.clear();
    progress(phase(Component.TRANSFORMER, false, LARGE_STEP))
        .begin(Stage.ENCODING_TEXT, Component.TEXT_ENCODER, 0, 1, Unit.PROMPTS);
    assertThat(secondsLeft()).isBetween(10L, 15L);
  }
}
