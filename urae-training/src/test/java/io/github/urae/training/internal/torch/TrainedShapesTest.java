package io.github.urae.training.internal.torch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.urae.AdapterException;
import io.github.urae.flux.model.internal.TransformerConfig;
import io.github.urae.training.internal.engine.AdapterStage;
import io.github.urae.training.internal.engine.TargetModules;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What is trained of FLUX.1-dev, against figures computed elsewhere. */
class TrainedShapesTest {

  private static final TransformerConfig DEV =
      new TransformerConfig(64, 64, 19, 38, 24, 128, List.of(16, 56, 56), 4096, 768, true);

  @Test
  void numbersAreThoseOfUrae() {
    AdapterStage lora = new AdapterStage.Lora(16, 16, TargetModules.URAE, 0);
    AdapterStage minor = new AdapterStage.Minor(16, TargetModules.URAE);
    assertThat(TrainedShapes.parameters(DEV, lora)).isEqualTo(18_677_760);
    assertThat(TrainedShapes.parameters(DEV, minor)).isEqualTo(18_677_760);
  }

  @Test
  void whatHasNoKeyInTheStagesFilesIsRefusedBeforeAnythingIsOpened() {
    TargetModules mlp = new TargetModules(List.of("proj_mlp"));
    assertThat(TrainedShapes.parameters(DEV, new AdapterStage.Lora(16, 16, mlp, 0))).isPositive();
    AdapterStage minor = new AdapterStage.Minor(16, mlp);
    assertThatThrownBy(() -> TrainedShapes.parameters(DEV, minor))
        .isInstanceOf(AdapterException.class)
        .hasMessageContainingAll("proj_mlp", "to_out.0 only");
  }
}
