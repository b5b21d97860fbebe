package io.github.urae.pipeline;

import io.github.urae.graph.ClipTextGraph;
import io.github.urae.graph.NetworkGraph;
import io.github.urae.graph.T5EncoderGraph;
import io.github.urae.graph.TransformerGraph;
import io.github.urae.graph.VaeDecoderGraph;
import io.github.urae.session.Weights;
import io.github.urae.tensor.ElementType;
import java.io.IOException;

/** A checkpoint in diffusers layout: graphs are built from its configurations. */
record DiffusersSource(FluxCheckpoint checkpoint) implements ModelSource {

  @Override
  public Weights open(Part part, ElementType type) throws IOException {
    return switch (part) {
      case CLIP -> open(ClipTextGraph.build(checkpoint.clip(), type), "text_encoder");
      case T5 -> open(T5EncoderGraph.build(checkpoint.t5(), type), "text_encoder_2");
      case TRANSFORMER ->
          open(TransformerGraph.build(checkpoint.transformer(), type), "transformer");
      case VAE_DECODER -> open(VaeDecoderGraph.build(checkpoint.vae()), "vae");
    };
  }

  private Weights open(NetworkGraph graph, String subfolder) throws IOException {
    return Weights.open(graph, checkpoint.folder().resolve(subfolder));
  }
}
