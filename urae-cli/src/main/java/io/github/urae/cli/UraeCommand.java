package io.github.urae.cli;

import io.github.urae.CancellationToken;
import io.github.urae.GenerationCancelledException;
import io.github.urae.UraeException;
import io.github.urae.internal.FileFailure;
import io.github.urae.internal.PrintableText;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.charset.Charset;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/**
 * FLUX.1 text to image at 2K and 4K, on the JVM. Exit status: 0 done, 1 an error (one line on
 * standard error, the cause with {@code --verbose}), 2 wrong usage, 130 interrupted by Ctrl-C, 143
 * terminated.
 */
@Command(
    name = "urae",
    description = "FLUX.1 text to image at 2K and 4K, on the JVM.",
    mixinStandardHelpOptions = true,
    versionProvider = UraeCommand.Version.class,
    synopsisSubcommandLabel = "COMMAND")
public final class UraeCommand {

  private static final List<Class<?>> COMMANDS =
      List.of(
          GenerateCommand.class,
          ExportCommand.class,
          InspectCommand.class,
          MergeCommand.class,
          QuantiseCommand.class,
          ConvertAdapterCommand.class,
          MinorComponentsCommand.class,
          CacheCommand.class);

  private final Interruption interruption;

  private UraeCommand(Interruption interruption) {
    this.interruption = interruption;
  }

  /**
   * Returns what ends the work of a command early.
   *
   * @return cancelled by the first signal
   */
  public CancellationToken cancellation() {
    return interruption.cancellation();
  }

  /**
   * Says what a signal does to this command. Otherwise it has some seconds to take away what it has
   * begun.
   *
   * @param patience how long the command may take to end after a signal
   * @param outcome what has become of its work by then, for a message
   */
  public void endsWhenInterrupted(Duration patience, String outcome) {
    interruption.expect(patience, outcome);
  }

  /**
   * Runs the command and ends the process with its exit status.
   *
   * @param arguments as typed
   */
  public static void main(String[] arguments) {
    Charset charset = NativeText.charset();
    PrintWriter out = new PrintWriter(System.out, true, charset);
    // The log goes there as well.
    System.setErr(new PrintStream(new FileOutputStream(FileDescriptor.err), true, charset));
    PrintWriter err = new PrintWriter(System.err, true, charset);
    Interruption interruption = Interruption.bySignals(err);
    int status = run(interruption, out, err, NativeText.restored(arguments));
    interruption.end(status);
  }

  /**
   * Runs the command.
   *
   * @param out standard output
   * @param err standard error
   * @param arguments as typed
   * @return the exit status
   */
  static int run(PrintWriter out, PrintWriter err, String... arguments) {
    return run(Interruption.none(err), out, err, arguments);
  }

  private static int run(
      Interruption interruption, PrintWriter out, PrintWriter err, String... arguments) {
    Optional<String> unreadable = NativeText.unreadable(arguments);
    if (unreadable.isPresent()) {
      err.println("urae: " + unreadable.get());
      return CommandLine.ExitCode.USAGE;
    }
    try {
      int status =
          called(interruption, arguments)
              .setOut(out)
              .setErr(err)
              .setParameterExceptionHandler(UraeCommand::reportWrongUsage)
              .setExecutionExceptionHandler(UraeCommand::reportFailure)
              .execute(arguments);
      // Writers and Java's own standard output keep a failure to themselves.
      if (out.checkError() && status == CommandLine.ExitCode.OK) {
        err.println(
            "urae: standard output could not be written: it is closed, or its disk is full");
        return CommandLine.ExitCode.SOFTWARE;
      }
      return status;
    } catch (OutOfMemoryError e) {
      err.println("urae: " + describe(e));
      return CommandLine.ExitCode.SOFTWARE;
    }
  }

  /** Which memory is short decides what helps. */
  private static String describe(OutOfMemoryError failure) {
    String message = String.valueOf(failure.getMessage());
    String lower = message.toLowerCase(Locale.ROOT);
    long megabytes = Runtime.getRuntime().maxMemory() >> 20;
    if (lower.contains("thread")) {
      return "out of memory: the system has no room for another thread (" + message + ")";
    }
    return "out of memory: Java has a heap of "
        + megabytes
        + " MB at most, which is too little for this ("
        + message
        + "); give it more, such as URAE_JAVA_OPTS="
        + (lower.contains("direct") ? "-XX:MaxDirectMemorySize=" : "-Xmx")
        + Math.max(512, 4 * megabytes)
        + "m, or ask for less: a smaller picture, fewer of them";
  }

  static CommandLine commandLine() {
    return all(Interruption.none(new PrintWriter(System.err, true, NativeText.charset())));
  }

  /** Knows the one command that is called, since reading the options of all takes its time. */
  private static CommandLine called(Interruption interruption, String... arguments) {
    String name = arguments.length > 0 ? arguments[0] : "";
    CommandLine commandLine = new CommandLine(new UraeCommand(interruption));
    Optional<Class<?>> type =
        COMMANDS.stream()
            .filter(each -> each.getAnnotation(Command.class).name().equals(name))
            .findFirst();
    Optional<OptionalCommand> optional = OptionalCommand.of(name);
    if (type.isEmpty() && optional.isEmpty()) {
      return all(interruption);
    }
    type.ifPresent(commandLine::addSubcommand);
    optional.ifPresent(each -> each.addTo(commandLine));
    return configured(commandLine);
  }

  private static CommandLine all(Interruption interruption) {
    CommandLine commandLine = new CommandLine(new UraeCommand(interruption));
    COMMANDS.forEach(commandLine::addSubcommand);
    for (OptionalCommand optional : OptionalCommand.values()) {
      optional.addTo(commandLine);
    }
    return configured(commandLine);
  }

  private static CommandLine configured(CommandLine commandLine) {
    return commandLine
        .registerConverter(Path.class, NativeText::path)
        .setCaseInsensitiveEnumValuesAllowed(true)
        // A prompt may begin with an @, whatever files there are.
        .setExpandAtFiles(false)
        .setUsageHelpAutoWidth(true);
  }

  private static int reportWrongUsage(CommandLine.ParameterException wrong, String[] arguments) {
    CommandLine command = wrong.getCommandLine();
    command.getErr().println("urae: " + wrong.getMessage());
    CommandLine.UnmatchedArgumentException.printSuggestions(wrong, command.getErr());
    command.getErr().println("Try '" + command.getCommandSpec().qualifiedName() + " --help'.");
    return CommandLine.ExitCode.USAGE;
  }

  private static int reportFailure(
      Exception failure, CommandLine command, CommandLine.ParseResult parsed) throws Exception {
    UraeCommand urae = (UraeCommand) command.getCommandSpec().root().userObject();
    if (failure instanceof GenerationCancelledException && urae.cancellation().isCancelled()) {
      return CommandLine.ExitCode.SOFTWARE; // Whoever cancelled tells.
    }
    Exception cause = failure;
    if (failure instanceof UncheckedIOException e) {
      cause = e.getCause();
    } else if (failure instanceof InvalidPathException e) {
      cause = new IOException(NativeText.notAFileName(e.getInput()), e);
    }
    if (!(cause instanceof UraeException) && !(cause instanceof IOException)) {
      throw failure; // A fault of this program: the stack trace belongs in the report.
    }
    command.getErr().println("urae: " + PrintableText.of(describe(cause)));
    CommandLine.ParseResult called = parsed;
    while (called.hasSubcommand()) {
      called = called.subcommand();
    }
    if (called.matchedOptionValue("--verbose", false)) {
      cause.printStackTrace(command.getErr());
    }
    return CommandLine.ExitCode.SOFTWARE;
  }

  /** Java's messages on files are often nothing but the path. */
  private static String describe(Exception failure) {
    if (failure instanceof IOException e) {
      return FileFailure.reason(e);
    }
    return failure.getMessage() == null ? failure.toString() : failure.getMessage();
  }

  /** Reads the version from the jar. */
  static final class Version implements CommandLine.IVersionProvider {
    @Override
    public String[] getVersion() {
      String version = UraeCommand.class.getPackage().getImplementationVersion();
      return new String[] {"urae " + (version == null ? "(built from sources)" : version)};
    }
  }
}
