package io.github.urae.pipeline;

import io.github.urae.graph.ClipTextGraph;
import io.github.urae.graph.NetworkGraph;
import io.github.urae.graph.T5EncoderGraph;
import io.github.urae.graph.TransformerGraph;
import io.github.urae.graph.VaeDecoderGraph;
import io.github.urae.graph.VaeEncoderGraph;
import io.github.urae.session.Weights;
import io.github.urae.tensor.ElementType;
import java.io.IOException;

/** A checkpoint in diffusers layout: graphs are built from its configurations. */
record DiffusersSource(FluxCheckpoint checkpoint) implements ModelSource {

  @Override
  public Weights open(Part part, ElementType type) throws IOException {
    String subfolder =
        switch (part) {
          case CLIP -> "text_encoder";
          case T5 -> "text_encoder_2";
          case TRANSFORMER -> "transformer";
          case VAE_ENCODER, VAE_DECODER -> "vae";
        };
    return Weights.open(graph(checkpoint, part, type), checkpoint.folder().resolve(subfolder));
  }

  /** Builds the graph of a network from its configuration. */
  static NetworkGraph graph(FluxCheckpoint checkpoint, Part part, ElementType type) {
    return switch (part) {
      case CLIP -> ClipTextGraph.build(checkpoint.clip(), type);
      case T5 -> T5EncoderGraph.build(checkpoint.t5(), type);
      case TRANSFORMER -> TransformerGraph.build(checkpoint.transformer(), type);
      case VAE_ENCODER -> VaeEncoderGraph.build(checkpoint.vae());
      case VAE_DECODER -> VaeDecoderGraph.build(checkpoint.vae());
    };
  }
}
