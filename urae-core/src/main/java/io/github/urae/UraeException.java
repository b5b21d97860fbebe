package io.github.urae;

import io.github.urae.internal.PrintableText;

/**
 * Root of the library's exceptions. A message names the file and tensor or the argument, what was
 * expected, what was found and, where there is one, the way out. Names out of files may hold any
 * character: those that do not print are written as escapes, so that a message can be printed.
 */
public abstract sealed class UraeException extends RuntimeException
    permits AdapterException,
        FileFormatException,
        GenerationCancelledException,
        InferenceException,
        InvalidRequestException,
        ModelException,
        TrainingException {

  private static final long serialVersionUID = 1L;

  UraeException(String message, Throwable cause) {
    super(message == null ? null : PrintableText.of(message), cause);
  }
}
