package io.github.urae;

/** An adapter cannot be applied: of unknown form, damaged, or made for another model. */
public final class AdapterException extends UraeException {

  private static final long serialVersionUID = 1L;

  /**
   * Creates the exception.
   *
   * @param message what was expected, what was found, and where
   */
  public AdapterException(String message) {
    super(message, null);
  }

  /**
   * Creates the exception with its cause.
   *
   * @param message what was expected, what was found, and where
   * @param cause what went wrong underneath
   */
  public AdapterException(String message, Throwable cause) {
    super(message, cause);
  }
}
