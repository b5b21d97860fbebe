package io.github.urae.cli.train;

import io.github.urae.training.TrainingStage;
import picocli.CommandLine.Command;

/** {@code urae train lora}: URAE's way to 2K. */
@Command(
    name = "lora",
    description =
        "Train a LoRA, with URAE's settings for 2K: 2,000 steps, no NTK, no proportional"
            + " attention.",
    mixinStandardHelpOptions = true,
    sortOptions = false)
final class LoraCommand extends StageCommand {

  @Override
  TrainingStage stage() {
    return TrainingStage.LORA;
  }
}
