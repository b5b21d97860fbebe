package io.github.urae.flux.model;

import java.util.Arrays;
import java.util.List;

/**
 * The parts of a model, in the order in which a picture meets them. Each has the name of its folder
 * in diffusers' layout, which is also what progress, plans and messages call it.
 */
public enum Component {
  /** Prompts to CLIP's token ids. */
  TOKENIZER("tokenizer", Kind.TOKENIZER),
  /** Prompts to T5's token ids. */
  TOKENIZER_2("tokenizer_2", Kind.TOKENIZER),
  /** CLIP's text encoder. */
  TEXT_ENCODER("text_encoder", Kind.ADAPTABLE),
  /** T5's encoder. */
  TEXT_ENCODER_2("text_encoder_2", Kind.ADAPTABLE),
  /** The denoising transformer. */
  TRANSFORMER("transformer", Kind.ADAPTABLE),
  /** The autoencoder's encoder, for pictures that start from another. */
  VAE_ENCODER("vae_encoder", Kind.AUTOENCODER),
  /** The autoencoder's decoder. */
  VAE_DECODER("vae_decoder", Kind.AUTOENCODER);

  private enum Kind {
    TOKENIZER,
    ADAPTABLE,
    AUTOENCODER
  }

  private static final List<Component> NETWORKS =
      Arrays.stream(values()).filter(Component::isNetwork).toList();

  private static final List<Component> ADAPTABLE =
      Arrays.stream(values()).filter(Component::isAdaptable).toList();

  private final String id;
  private final Kind kind;

  Component(String id, Kind kind) {
    this.id = id;
    this.kind = kind;
  }

  /**
   * Returns the name, which is that of its folder in an ONNX export.
   *
   * @return for instance {@code "text_encoder_2"}
   */
  public String id() {
    return id;
  }

  /**
   * Returns the folder in a checkpoint in diffusers' layout, where both halves of the autoencoder
   * share one.
   *
   * @return for instance {@code "vae"}
   */
  public String folder() {
    return kind == Kind.AUTOENCODER ? "vae" : id;
  }

  /**
   * Tells networks from tokenizers.
   *
   * @return whether it has weights
   */
  public boolean isNetwork() {
    return kind != Kind.TOKENIZER;
  }

  /**
   * Tells whether adapters may change it.
   *
   * @return true for the text encoders and the transformer
   */
  public boolean isAdaptable() {
    return kind == Kind.ADAPTABLE;
  }

  /**
   * Tells whether many generations do without it, so that it is opened by the first that does not.
   *
   * @return true for the autoencoder's encoder
   */
  public boolean isOnDemand() {
    return this == VAE_ENCODER;
  }

  /**
   * Tells whether it is a long chain of blocks, so large that it may have to run block by block.
   *
   * @return true for T5 and the transformer
   */
  public boolean hasBlocks() {
    return this == TEXT_ENCODER_2 || this == TRANSFORMER;
  }

  /**
   * Returns the components that adapters may change.
   *
   * @return immutable, in order
   */
  public static List<Component> adaptable() {
    return ADAPTABLE;
  }

  /**
   * Returns the components that have weights.
   *
   * @return immutable, in order
   */
  public static List<Component> networks() {
    return NETWORKS;
  }
}
