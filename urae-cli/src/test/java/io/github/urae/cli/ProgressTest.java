package io.github.urae.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.urae.Stage;
import io.github.urae.StageProgress;
import java.time.Duration;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class ProgressTest {

  private static StageProgress steps(long done, Optional<Duration> remaining) {
    return new StageProgress(
        Stage.DENOISING,
        Optional.of("transformer"),
        done,
        34,
        StageProgress.Unit.STEPS,
        Duration.ofSeconds(17),
        remaining);
  }

  @Test
  void whatIsToldRemainsHoweverManyUnitsAreDone() {
    StageProgress last = steps(28, Optional.of(Duration.ofSeconds(90)));
    assertThat(Progress.remaining(last, Duration.ofSeconds(20))).hasValue(Duration.ofSeconds(70));
    assertThat(Progress.remaining(last, Duration.ofSeconds(99))).hasValue(Duration.ZERO);
  }

  @Test
  void unitsAreCountedWhereNothingIsTold() {
    StageProgress last = steps(17, Optional.empty());
    assertThat(Progress.remaining(last, Duration.ofSeconds(1))).hasValue(Duration.ofSeconds(16));
    assertThat(Progress.remaining(steps(0, Optional.empty()), Duration.ZERO)).isEmpty();
  }
}
