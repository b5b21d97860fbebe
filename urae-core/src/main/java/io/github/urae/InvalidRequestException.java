package io.github.urae;

import java.util.Objects;
import java.util.Optional;

/** A generation request asks for something that cannot be drawn. */
public final class InvalidRequestException extends UraeException {

  private static final long serialVersionUID = 1L;

  /** Null where no single parameter is at fault. */
  private final String parameter;

  /**
   * Creates the exception.
   *
   * @param message what was expected, what was found, and where
   */
  public InvalidRequestException(String message) {
    this(message, null, null);
  }

  /**
   * Creates the exception with its cause.
   *
   * @param message what was expected, what was found, and where
   * @param cause what went wrong underneath
   */
  public InvalidRequestException(String message, Throwable cause) {
    this(message, cause, null);
  }

  private InvalidRequestException(String message, Throwable cause, String parameter) {
    super(message, cause);
    this.parameter = parameter;
  }

  /**
   * Creates an exception that tells which parameter is at fault.
   *
   * @param parameter as {@link #parameter()} tells it
   * @param message what was expected, what was found, and where
   * @return the exception
   */
  public static InvalidRequestException of(String parameter, String message) {
    return of(parameter, message, null);
  }

  /**
   * Creates an exception that tells which parameter is at fault, with its cause.
   *
   * @param parameter as {@link #parameter()} tells it
   * @param message what was expected, what was found, and where
   * @param cause what went wrong underneath; null if nothing did
   * @return the exception
   */
  public static InvalidRequestException of(String parameter, String message, Throwable cause) {
    return new InvalidRequestException(
        message, cause, Objects.requireNonNull(parameter, "parameter"));
  }

  /**
   * Returns an exception about the same parameter that says more.
   *
   * @param message in the place of this one's
   * @return a new exception, which this one is the cause of
   */
  public InvalidRequestException withMessage(String message) {
    return new InvalidRequestException(message, this, parameter);
  }

  /**
   * Returns which part of the request is at fault, for programs; the message tells people. Names
   * are those of a request's JSON, with a dot between an object and its key: {@code prompts},
   * {@code second_prompts}, {@code max_sequence_length}, {@code embeddings}, {@code width}, {@code
   * height}, {@code steps}, {@code guidance}, {@code seeds}, {@code seed_images}, {@code
   * images_per_prompt}, {@code batch_size}, {@code profile}, {@code profile.shift}, {@code
   * profile.ntk_factor}, {@code profile.native_tokens}, {@code start.strength}, {@code
   * start.image}, {@code start.latents}, {@code start.draft_steps}, {@code
   * true_guidance.negative_prompts}, {@code true_guidance.scale}; {@code start} where the kind of
   * start does not fit the size. JSON that cannot be read is named by the key that is wrong, which
   * may be any of its keys. Beside these, {@code size} is width and height together (too large for
   * the memory, for instance), and {@code precision} the pipeline's.
   *
   * @return a stable name; empty where the fault is in no single part of a request
   */
  public Optional<String> parameter() {
    return Optional.ofNullable(parameter);
  }
}
