package io.github.urae.pipeline;

/** Which networks are in memory at a time. Pictures are the same. */
public enum Residency {
  /** All networks, from the building of the pipeline to its closing. */
  ALL,
  /** A network is loaded when it is needed and released after: text encoders, transformer, VAE. */
  ONE_AT_A_TIME
}
