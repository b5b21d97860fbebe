package io.github.urae.cli;

import io.github.urae.adapter.ModelBuilder;
import java.nio.file.Path;
import picocli.CommandLine.Option;

/** Parts of a model that are kept elsewhere than the model. */
final class PartOptions {

  @Option(
      names = "--transformer",
      paramLabel = "FILE",
      description =
          "Take the transformer from this file, also one in Black Forest Labs' own names; all else"
              + " comes from the model.")
  Path transformer;

  @Option(
      names = "--text-encoder",
      paramLabel = "FILE",
      description = "Take CLIP's text encoder from this file (clip_l).")
  Path textEncoder;

  @Option(
      names = "--text-encoder-2",
      paramLabel = "FILE",
      description = "Take T5's encoder from this file (t5xxl).")
  Path textEncoder2;

  @Option(
      names = "--vae",
      paramLabel = "FILE",
      description = "Take the autoencoder from this file (ae). One file may serve several parts.")
  Path vae;

  @Option(
      names = "--tokenizers",
      paramLabel = "DIR",
      description = "Take both tokenizers from this checkpoint, or folder with both.")
  Path tokenizers;

  /** Tells a builder. */
  void applyTo(ModelBuilder<?> builder) {
    if (transformer != null) {
      builder.transformer(transformer);
    }
    if (textEncoder != null) {
      builder.textEncoder(textEncoder);
    }
    if (textEncoder2 != null) {
      builder.textEncoder2(textEncoder2);
    }
    if (vae != null) {
      builder.vae(vae);
    }
    if (tokenizers != null) {
      builder.tokenizers(tokenizers);
    }
  }
}
