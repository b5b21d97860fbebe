package io.github.urae;

/**
 * ONNX Runtime or another native library refused, failed, or could not be loaded; its own message
 * is in the cause.
 */
public final class InferenceException extends UraeException {

  private static final long serialVersionUID = 1L;

  /**
   * Creates the exception.
   *
   * @param message what was expected, what was found, and where
   */
  public InferenceException(String message) {
    super(message, null);
  }

  /**
   * Creates the exception with its cause.
   *
   * @param message what was expected, what was found, and where
   * @param cause what went wrong underneath
   */
  public InferenceException(String message, Throwable cause) {
    super(message, cause);
  }
}
