package io.github.urae;

/**
 * Root of the library's exceptions. A message names the file and tensor or the argument, what was
 * expected, what was found and, where there is one, the way out.
 */
public abstract sealed class UraeException extends RuntimeException
    permits AdapterException,
        FileFormatException,
        GenerationCancelledException,
        InferenceException,
        InvalidRequestException,
        ModelException {

  private static final long serialVersionUID = 1L;

  UraeException(String message, Throwable cause) {
    super(message, cause);
  }
}
