package io.github.urae.device;

/** Which networks are in memory at a time. Pictures are the same. */
public enum Residency {
  /** All networks, from the building of the pipeline to its closing. */
  ALL,
  /** A network is loaded when it is needed and released after: text encoders, transformer, VAE. */
  ONE_AT_A_TIME,
  /**
   * The same, and of transformer and T5 no more than two blocks: the one that runs, and the next.
   * For machines where a network does not fit; each step reads all weights.
   */
  BLOCK
}
