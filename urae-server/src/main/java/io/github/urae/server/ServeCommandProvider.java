package io.github.urae.server;

import io.github.urae.cli.CommandProvider;

/** Brings {@code urae serve} to the command line. */
public final class ServeCommandProvider implements CommandProvider {

  /** Called by {@link java.util.ServiceLoader}. */
  public ServeCommandProvider() {}

  @Override
  public String name() {
    return "serve";
  }

  @Override
  public Object command() {
    return new ServeCommand();
  }
}
