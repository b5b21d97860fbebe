package io.github.urae.pipeline;

import io.github.urae.adapter.Network;
import java.util.Optional;

/** The networks that a pipeline runs, in the order in which it does. */
enum Part {
  /** CLIP's text encoder. */
  CLIP(Network.TEXT_ENCODER),
  /** T5's encoder. */
  T5(Network.TEXT_ENCODER_2),
  /** The transformer. */
  TRANSFORMER(Network.TRANSFORMER),
  /** The autoencoder's encoder, for pictures that start from another. */
  VAE_ENCODER(null),
  /** The autoencoder's decoder. */
  VAE_DECODER(null);

  private final Network network;

  Part(Network network) {
    this.network = network;
  }

  /** Returns the name that adapters know it by; empty for what no adapter changes. */
  Optional<Network> network() {
    return Optional.ofNullable(network);
  }

  /** Tells whether many generations never run it, so that it is opened by the first that does. */
  boolean onDemand() {
    return this == VAE_ENCODER;
  }

  /** Tells whether the network is large enough to be run block by block. */
  boolean hasBlocks() {
    return this == T5 || this == TRANSFORMER;
  }
}
