package io.github.urae;

/** A file breaks the rules of its format: truncated, contradictory, or changed while in use. */
public final class FileFormatException extends UraeException {

  private static final long serialVersionUID = 1L;

  /**
   * Creates the exception.
   *
   * @param message what was expected, what was found, and where
   */
  public FileFormatException(String message) {
    super(message, null);
  }

  /**
   * Creates the exception with its cause.
   *
   * @param message what was expected, what was found, and where
   * @param cause what went wrong underneath
   */
  public FileFormatException(String message, Throwable cause) {
    super(message, cause);
  }
}
