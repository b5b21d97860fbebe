package io.github.urae.cli;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;
import picocli.CommandLine.Unmatched;

/** The commands of modules of their own. Without its module a command only says how to get it. */
enum OptionalCommand {
  /** Trains adapters; needs libtorch. */
  TRAIN("urae-training-cli", "Train LoRAs and URAE's minor components."),
  /** Answers requests over HTTP. */
  SERVE("urae-server", "Draw pictures for other programs, over HTTP.");

  private final String module;
  private final String description;

  OptionalCommand(String module, String description) {
    this.module = module;
    this.description = description;
  }

  /** Returns the command of a name. */
  static Optional<OptionalCommand> of(String name) {
    return Arrays.stream(values()).filter(command -> command.id().equals(name)).findFirst();
  }

  private String id() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** Adds the command, or what stands for it, to those of a command line. */
  void addTo(CommandLine commandLine) {
    Optional<CommandProvider> provider =
        ServiceLoader.load(CommandProvider.class, OptionalCommand.class.getClassLoader()).stream()
            .map(ServiceLoader.Provider::get)
            .filter(found -> found.name().equals(id()))
            .findFirst();
    CommandLine command =
        new CommandLine(provider.isPresent() ? provider.get().command() : new Absent(module));
    if (provider.isEmpty()) {
      command.getCommandSpec().usageMessage().description(description);
    }
    commandLine.addSubcommand(id(), command);
  }

  /** Stands for a command whose module is not on the class path. */
  @Command(mixinStandardHelpOptions = true)
  private static final class Absent implements Callable<Integer> {

    private final String module;

    @Spec CommandSpec spec;

    @SuppressWarnings("unused") // Told by picocli, and let pass.
    @Unmatched
    List<String> arguments;

    Absent(String module) {
      this.module = module;
    }

    @Override
    public Integer call() {
      spec.commandLine()
          .getErr()
          .printf(
              "urae: %s: the module io.github.urae:%s is not on the class path; call the command"
                  + " by the script urae of the sources, or add the module to the class path%n",
              spec.name(), module);
      return ExitCode.SOFTWARE;
    }
  }
}
