package io.github.urae;

/** A generation request asks for something that cannot be drawn. */
public final class InvalidRequestException extends UraeException {

  private static final long serialVersionUID = 1L;

  /**
   * Creates the exception.
   *
   * @param message what was expected, what was found, and where
   */
  public InvalidRequestException(String message) {
    super(message, null);
  }

  /**
   * Creates the exception with its cause.
   *
   * @param message what was expected, what was found, and where
   * @param cause what went wrong underneath
   */
  public InvalidRequestException(String message, Throwable cause) {
    super(message, cause);
  }
}
