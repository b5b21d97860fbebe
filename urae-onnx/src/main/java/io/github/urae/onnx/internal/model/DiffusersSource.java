package io.github.urae.onnx.internal.model;

import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.Checkpoint;
import io.github.urae.onnx.internal.graph.ClipTextGraph;
import io.github.urae.onnx.internal.graph.NetworkGraph;
import io.github.urae.onnx.internal.graph.T5EncoderGraph;
import io.github.urae.onnx.internal.graph.TransformerGraph;
import io.github.urae.onnx.internal.graph.VaeDecoderGraph;
import io.github.urae.onnx.internal.graph.VaeEncoderGraph;
import io.github.urae.onnx.internal.session.Weights;
import io.github.urae.tensor.ElementType;
import java.io.IOException;

/** A checkpoint in diffusers layout: graphs are built from its configurations. */
public record DiffusersSource(Checkpoint checkpoint) implements ModelSource {

  @Override
  public Weights open(Component component, ElementType type) throws IOException {
    return Weights.open(
        graph(checkpoint, component, type), checkpoint.folder().resolve(component.folder()));
  }

  /** Builds the graph of a network from its configuration. */
  public static NetworkGraph graph(Checkpoint checkpoint, Component component, ElementType type) {
    return switch (component) {
      case TEXT_ENCODER -> ClipTextGraph.build(checkpoint.clip(), type);
      case TEXT_ENCODER_2 -> T5EncoderGraph.build(checkpoint.t5(), type);
      case TRANSFORMER -> TransformerGraph.build(checkpoint.transformer(), type);
      case VAE_ENCODER -> VaeEncoderGraph.build(checkpoint.vae());
      case VAE_DECODER -> VaeDecoderGraph.build(checkpoint.vae());
      case TOKENIZER, TOKENIZER_2 ->
          throw new IllegalArgumentException(component + " is no network");
    };
  }
}
