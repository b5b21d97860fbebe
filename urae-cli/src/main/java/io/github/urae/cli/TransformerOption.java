package io.github.urae.cli;

import io.github.urae.adapter.ModelBuilder;
import java.nio.file.Path;
import picocli.CommandLine.Option;

/** A transformer that is kept elsewhere than the model. */
final class TransformerOption {

  @Option(
      names = "--transformer",
      paramLabel = "FILE",
      description =
          "Take the transformer from this safetensors file, also one in Black Forest Labs' own"
              + " names; all else comes from the model.")
  Path file;

  /** Tells a builder. */
  void applyTo(ModelBuilder<?> builder) {
    if (file != null) {
      builder.transformer(file);
    }
  }
}
