package io.github.urae.cli.train;

import io.github.urae.cli.CommandProvider;

/** Brings {@code urae train}. */
public final class TrainProvider implements CommandProvider {

  /** Has no state. */
  public TrainProvider() {}

  @Override
  public String name() {
    return "train";
  }

  @Override
  public Object command() {
    return new TrainCommand();
  }
}
