package io.github.urae.cli;

import picocli.CommandLine.Option;

/** How much a command says. */
final class OutputOptions {

  @Option(names = "--quiet", description = "Print nothing but errors.")
  boolean quiet;

  @Option(names = "--verbose", description = "Show the causes of errors.")
  boolean verbose;

  Progress progress() {
    return quiet ? Progress.none() : Progress.onTerminal();
  }
}
