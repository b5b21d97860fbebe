package io.github.urae.onnx.internal.graph;

import ai.onnx.proto.OnnxMl;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import java.util.Map;

/**
 * A network without its weights.
 *
 * @param name the network, for messages: {@code "transformer"}
 * @param type element type of the weights and of most of the arithmetic
 * @param graph nodes, inputs, outputs and constants
 * @param weights shapes of all weights by name; each feeds its operators directly, so that it can
 *     be replaced in a session
 * @param opset version of ONNX's operators
 */
public record NetworkGraph(
    String name,
    ElementType type,
    OnnxMl.GraphProto graph,
    Map<String, Shape> weights,
    long opset) {

  /**
   * ONNX operator set of all graphs made here: the first with rotary embedding and RMS
   * normalisation.
   */
  public static final long OPSET = 23;

  /** Version of ONNX Runtime's own operators. */
  public static final long MICROSOFT_OPSET = 1;

  /** Domain of ONNX Runtime's own operators. */
  public static final String MICROSOFT_DOMAIN = "com.microsoft";

  /** Version of ONNX's file format, of the same release as the operator set. */
  public static final long IR_VERSION = 11;

  /**
   * Wraps a graph into a model of this graph's operators.
   *
   * @param complete this graph with its weights as initializers
   * @return the model
   */
  public OnnxMl.ModelProto model(OnnxMl.GraphProto complete) {
    return OnnxMl.ModelProto.newBuilder()
        .setIrVersion(IR_VERSION)
        .setProducerName("urae")
        .addOpsetImport(OnnxMl.OperatorSetIdProto.newBuilder().setVersion(opset))
        .addOpsetImport(
            OnnxMl.OperatorSetIdProto.newBuilder()
                .setDomain(MICROSOFT_DOMAIN)
                .setVersion(MICROSOFT_OPSET))
        .setGraph(complete)
        .build();
  }

  /** A graph of {@link #OPSET}. */
  NetworkGraph(String name, ElementType type, OnnxMl.GraphProto graph, Map<String, Shape> weights) {
    this(name, type, graph, weights, OPSET);
  }
}
