package io.github.urae.training.internal.data;

import io.github.urae.internal.Sha256;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Optional;

/**
 * What is said of a picture.
 *
 * @param prompt the original caption
 * @param generated one that a model has written
 */
record Captions(Optional<String> prompt, Optional<String> generated) {

  static final Captions NONE = new Captions(Optional.empty(), Optional.empty());

  /** Takes blank texts for missing ones. */
  static Captions of(String prompt, String generated) {
    return new Captions(said(prompt), said(generated));
  }

  private static Optional<String> said(String text) {
    return Optional.ofNullable(text).filter(value -> !value.isBlank());
  }

  boolean isEmpty() {
    return prompt.isEmpty() && generated.isEmpty();
  }

  /** Returns one of them. */
  Optional<String> of(CaptionKind kind) {
    return kind == CaptionKind.PROMPT ? prompt : generated;
  }

  /** Returns what tells a caption from others. */
  static String digest(String caption) {
    MessageDigest digest = Sha256.start();
    digest.update(caption.getBytes(StandardCharsets.UTF_8));
    return Sha256.name(digest);
  }
}
