package io.github.urae.cli;

import picocli.CommandLine.Option;

/** How much a command says. */
public final class OutputOptions extends VerboseOption {

  @Option(names = "--quiet", description = "Print nothing but errors.")
  boolean quiet;

  /** Says everything. */
  public OutputOptions() {}

  /**
   * Tells whether only errors are printed.
   *
   * @return false unless asked for
   */
  public boolean quiet() {
    return quiet;
  }

  /**
   * Returns what shows progress.
   *
   * @return bars on a terminal, else nothing; the caller closes it
   */
  public Progress progress() {
    return quiet ? Progress.none() : Progress.onTerminal();
  }
}
