package io.github.urae.onnx.internal.model;

import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.Checkpoint;
import io.github.urae.flux.model.internal.NetworkSizes;
import io.github.urae.flux.model.internal.NetworkWeights;
import io.github.urae.internal.OwnedResources;
import io.github.urae.onnx.internal.graph.Arithmetic;
import io.github.urae.onnx.internal.graph.ClipTextGraph;
import io.github.urae.onnx.internal.graph.LinearLayers;
import io.github.urae.onnx.internal.graph.NetworkGraph;
import io.github.urae.onnx.internal.graph.T5EncoderGraph;
import io.github.urae.onnx.internal.graph.TransformerGraph;
import io.github.urae.onnx.internal.graph.VaeDecoderGraph;
import io.github.urae.onnx.internal.graph.VaeEncoderGraph;
import io.github.urae.onnx.internal.session.Weights;
import io.github.urae.tensor.ElementType;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;

/** A checkpoint in diffusers layout: graphs are built from its configurations. */
public record DiffusersSource(Checkpoint checkpoint) implements ModelSource {

  @Override
  public Weights open(Component component, Arithmetic arithmetic) throws IOException {
    return open(checkpoint, component, arithmetic, checkpoint.place(component));
  }

  /**
   * Opens a network whose weights may lie elsewhere.
   *
   * @param path its file or folder
   */
  static Weights open(Checkpoint checkpoint, Component component, Arithmetic arithmetic, Path path)
      throws IOException {
    OwnedResources opened = new OwnedResources();
    try {
      TensorSource source = opened.add(NetworkWeights.open(path, checkpoint.family(), component));
      if (component == Component.TRANSFORMER) {
        checkpoint.checkGuidance(source);
      }
      NetworkSizes.check(checkpoint, component, Optional.of(source));
      LinearLayers layers = LinearLayers.of(source, arithmetic);
      NetworkGraph graph = graph(checkpoint, component, arithmetic.type(), layers);
      Weights weights = Weights.of(graph, source, arithmetic.adapted().keySet());
      UnreadTensors.report(component, graph, source);
      return weights;
    } catch (Throwable e) {
      opened.closeAfter(e);
      throw e;
    }
  }

  /** Builds the graph of a network from its configuration. */
  public static NetworkGraph graph(
      Checkpoint checkpoint, Component component, ElementType type, LinearLayers layers) {
    return switch (component) {
      case TEXT_ENCODER -> ClipTextGraph.build(checkpoint.clip(), type, layers);
      case TEXT_ENCODER_2 -> T5EncoderGraph.build(checkpoint.t5(), type, layers);
      case TRANSFORMER -> TransformerGraph.build(checkpoint.transformer(), type, layers);
      case VAE_ENCODER -> VaeEncoderGraph.build(checkpoint.vae());
      case VAE_DECODER -> VaeDecoderGraph.build(checkpoint.vae());
      case TOKENIZER, TOKENIZER_2 ->
          throw new IllegalArgumentException(component + " is no network");
    };
  }
}
