package io.github.urae.training.internal.data;

import java.util.Locale;

/** Which of a picture's captions. */
public enum CaptionKind {
  /** The original one. */
  PROMPT,
  /** One that a model has written. */
  GENERATED_PROMPT;

  /** Returns the column's name in URAE's files. */
  String column() {
    return name().toLowerCase(Locale.ROOT);
  }
}
