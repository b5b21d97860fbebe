package io.github.urae.cli.train;

import io.github.urae.cli.UraeCommand;
import picocli.CommandLine.Command;
import picocli.CommandLine.ParentCommand;

/** {@code urae train}: from a folder of pictures to an adapter. */
@Command(
    name = "train",
    description = "Train LoRAs and URAE's minor components.",
    mixinStandardHelpOptions = true,
    synopsisSubcommandLabel = "COMMAND",
    subcommands = {PrepareCommand.class, LoraCommand.class, MinorCommand.class})
final class TrainCommand {

  @ParentCommand UraeCommand urae;
}
