package io.github.urae;

/**
 * A training cannot begin or go on: its data, its settings or its base do not fit, memory would not
 * do, or the loss is no number.
 */
public final class TrainingException extends UraeException {

  private static final long serialVersionUID = 1L;

  /**
   * Creates the exception.
   *
   * @param message what was expected, what was found, and where
   */
  public TrainingException(String message) {
    super(message, null);
  }

  /**
   * Creates the exception with its cause.
   *
   * @param message what was expected, what was found, and where
   * @param cause what went wrong underneath
   */
  public TrainingException(String message, Throwable cause) {
    super(message, cause);
  }
}
