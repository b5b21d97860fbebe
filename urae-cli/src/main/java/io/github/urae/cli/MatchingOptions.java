package io.github.urae.cli;

import io.github.urae.adapter.ModelBuilder;
import picocli.CommandLine.Option;

/** What is let pass when adapters are matched against a checkpoint. */
public final class MatchingOptions {

  @Option(
      names = "--ignore-unmatched",
      description = "Go on where keys of an adapter change nothing in the model, and name them.")
  boolean ignoreUnmatched;

  @Option(
      names = "--allow-bare-minor-components",
      description = "Use minor components (URAE's 4K) without the adapter they were trained on.")
  boolean allowBareMinorComponents;

  /** Lets nothing pass. */
  public MatchingOptions() {}

  /**
   * Tells a builder.
   *
   * @param builder gets the options
   */
  public void applyTo(ModelBuilder<?> builder) {
    builder.ignoreUnmatched(ignoreUnmatched).allowBareMinorComponents(allowBareMinorComponents);
  }
}
