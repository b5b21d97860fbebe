package io.github.urae.cli;

/**
 * Brings a command that lives in another module. Such a module is on the class path only where its
 * command is called, so that what it needs is nobody else's download; {@link
 * java.util.ServiceLoader} finds it there.
 */
public interface CommandProvider {

  /**
   * Returns what the command is called by.
   *
   * @return {@code "train"} or {@code "serve"}
   */
  String name();

  /**
   * Creates the command.
   *
   * @return a new object with picocli's annotations; the user object of its root is a {@link
   *     UraeCommand}
   */
  Object command();
}
