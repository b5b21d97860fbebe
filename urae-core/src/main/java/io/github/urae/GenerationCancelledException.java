package io.github.urae;

/** A generation was cancelled before its picture was complete. */
public final class GenerationCancelledException extends UraeException {

  private static final long serialVersionUID = 1L;

  /**
   * Creates the exception.
   *
   * @param message what was expected, what was found, and where
   */
  public GenerationCancelledException(String message) {
    super(message, null);
  }

  /**
   * Creates the exception with its cause.
   *
   * @param message what was expected, what was found, and where
   * @param cause what went wrong underneath
   */
  public GenerationCancelledException(String message, Throwable cause) {
    super(message, cause);
  }
}
