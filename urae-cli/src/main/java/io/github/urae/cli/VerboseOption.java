package io.github.urae.cli;

import picocli.CommandLine.Option;

/** What {@link UraeCommand} looks for when a command fails. */
class VerboseOption {

  @Option(names = "--verbose", description = "Show the causes of errors.")
  boolean verbose;
}
