package io.github.urae.cli;

import picocli.CommandLine.Option;

/** What {@link UraeCommand} looks for when a command fails. */
public class VerboseOption {

  @Option(names = "--verbose", description = "Show the causes of errors.")
  boolean verbose;

  /** Shows no causes. */
  public VerboseOption() {}
}
