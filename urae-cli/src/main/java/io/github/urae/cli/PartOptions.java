package io.github.urae.cli;

import io.github.urae.adapter.ModelBuilder;
import io.github.urae.flux.model.Component;
import io.github.urae.internal.HuggingFaceCache;
import java.io.IOException;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.Map;
import picocli.CommandLine.Option;

/**
 * Parts of a model that are kept elsewhere than the model, each a file, a folder, or the id of
 * either in Hugging Face's cache.
 */
public final class PartOptions {

  @Option(
      names = "--transformer",
      paramLabel = "FILE",
      description =
          "Take the transformer from this file (safetensors or GGUF, in diffusers' names or Black"
              + " Forest Labs' own); all else comes from the model.")
  String transformer;

  @Option(
      names = "--text-encoder",
      paramLabel = "FILE",
      description = "Take CLIP's text encoder from this file (clip_l).")
  String textEncoder;

  @Option(
      names = "--text-encoder-2",
      paramLabel = "FILE",
      description = "Take T5's encoder from this file (t5xxl).")
  String textEncoder2;

  @Option(
      names = "--vae",
      paramLabel = "FILE",
      description = "Take the autoencoder from this file (ae). One file may serve several parts.")
  String vae;

  @Option(
      names = "--tokenizers",
      paramLabel = "DIR",
      description = "Take both tokenizers from this checkpoint, or from a folder with both.")
  String tokenizers;

  /** Names no part. */
  public PartOptions() {}

  /** Tells whether no network is left for a model to bring. */
  boolean areAllNetworks() {
    return transformer != null && textEncoder != null && textEncoder2 != null && vae != null;
  }

  /** Tells a builder. */
  void applyTo(ModelBuilder<?> builder) throws IOException {
    if (transformer != null) {
      builder.transformer(path(transformer));
    }
    if (textEncoder != null) {
      builder.textEncoder(path(textEncoder));
    }
    if (textEncoder2 != null) {
      builder.textEncoder2(path(textEncoder2));
    }
    if (vae != null) {
      builder.vae(path(vae));
    }
    if (tokenizers != null) {
      builder.tokenizers(path(tokenizers));
    }
  }

  /** Returns the networks that are given; the autoencoder's is its decoder. */
  Map<Component, Path> networks() throws IOException {
    Map<Component, Path> networks = new EnumMap<>(Component.class);
    if (transformer != null) {
      networks.put(Component.TRANSFORMER, path(transformer));
    }
    if (textEncoder != null) {
      networks.put(Component.TEXT_ENCODER, path(textEncoder));
    }
    if (textEncoder2 != null) {
      networks.put(Component.TEXT_ENCODER_2, path(textEncoder2));
    }
    if (vae != null) {
      networks.put(Component.VAE_DECODER, path(vae));
    }
    return networks;
  }

  private static Path path(String text) throws IOException {
    NativeText.checkFileName(text);
    return HuggingFaceCache.ofThisProcess().modelOrFile(text);
  }
}
