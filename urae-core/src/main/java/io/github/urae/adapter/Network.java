package io.github.urae.adapter;

/** The networks of FLUX.1 that adapters change, by their folder in a checkpoint. */
public enum Network {
  /** The denoising transformer. */
  TRANSFORMER("transformer"),
  /** CLIP's text encoder. */
  TEXT_ENCODER("text_encoder"),
  /** T5's encoder. */
  TEXT_ENCODER_2("text_encoder_2");

  private final String folder;

  Network(String folder) {
    this.folder = folder;
  }

  /**
   * Returns the network's folder.
   *
   * @return its name in diffusers' layout
   */
  public String folder() {
    return folder;
  }
}
