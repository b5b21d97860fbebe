package io.github.urae;

/** A checkpoint does not meet the contract of a FLUX.1 model: missing, misshapen or unsupported. */
public final class ModelException extends UraeException {

  private static final long serialVersionUID = 1L;

  /**
   * Creates the exception.
   *
   * @param message what was expected, what was found, and where
   */
  public ModelException(String message) {
    super(message, null);
  }

  /**
   * Creates the exception with its cause.
   *
   * @param message what was expected, what was found, and where
   * @param cause what went wrong underneath
   */
  public ModelException(String message, Throwable cause) {
    super(message, cause);
  }
}
