package io.github.urae;

import java.util.Locale;

/** What long work is at. Names and ids stay as they are from release to release. */
public enum Stage {
  /** Waiting for a turn, or until somebody else is done. */
  WAITING,
  /** Loading a network. */
  LOADING,
  /** Converting a network's weights to another element type. */
  CONVERTING,
  /** Merging adapters into weights. */
  MERGING,
  /** Computing the minor components that an adapter replaces. */
  DECOMPOSING,
  /** Writing a network as ONNX. */
  EXPORTING,
  /** Encoding prompts. */
  ENCODING_TEXT,
  /** Encoding pictures to start from. */
  ENCODING_IMAGE,
  /** Removing noise, step by step. */
  DENOISING,
  /** Decoding latents to pictures. */
  DECODING,
  /** Writing a picture. */
  SAVING;

  /**
   * Returns the name for other programs.
   *
   * @return in lower case with underscores, for instance {@code "encoding_text"}
   */
  public String id() {
    return name().toLowerCase(Locale.ROOT);
  }
}
