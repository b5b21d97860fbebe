package io.github.urae.cli;

import picocli.CommandLine.Option;

/** How much a command says. */
final class OutputOptions extends VerboseOption {

  @Option(names = "--quiet", description = "Print nothing but errors.")
  boolean quiet;

  Progress progress() {
    return quiet ? Progress.none() : Progress.onTerminal();
  }
}
