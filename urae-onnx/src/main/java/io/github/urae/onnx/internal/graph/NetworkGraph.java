package io.github.urae.onnx.internal.graph;

import ai.onnx.proto.OnnxMl;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * A network without its weights.
 *
 * @param name the network, for messages: {@code "transformer"}
 * @param type element type of most of the arithmetic and of most weights
 * @param graph nodes, inputs, outputs and constants
 * @param weights what it takes from a checkpoint, by name in the graph; values of a parameter bear
 *     the parameter's name and feed their operators directly, so that they can be replaced in a
 *     session
 * @param opset version of ONNX's operators
 */
public record NetworkGraph(
    String name,
    ElementType type,
    OnnxMl.GraphProto graph,
    Map<String, GraphWeight> weights,
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
   * Returns the weights that a checkpoint must hold.
   *
   * @return shapes by parameter
   */
  public Map<String, Shape> parameters() {
    Map<String, Shape> parameters = new LinkedHashMap<>();
    for (GraphWeight weight : weights.values()) {
      parameters.put(weight.form().parameter(), weight.form().parameterShape());
    }
    return parameters;
  }

  /**
   * Returns the element type that a weight has in a session.
   *
   * @param name its name in the graph
   * @return its type; the network's for a weight that the graph does not take
   */
  public ElementType typeOf(String name) {
    GraphWeight weight = weights.get(name);
    return weight == null ? type : weight.type();
  }

  /**
   * Tells whether a session can be given other values of some weights: those that the graph takes
   * as values, or not at all.
   *
   * @param parameters names of weights in the checkpoint
   * @return false if something else is made of one of them
   */
  public boolean takesValuesOf(Set<String> parameters) {
    return weights.values().stream()
        .map(GraphWeight::form)
        .allMatch(
            form -> form instanceof ParameterValues || !parameters.contains(form.parameter()));
  }

  /**
   * Returns those of some weights of which the graph takes what is stored: they cannot be given
   * other values.
   *
   * @param parameters names of weights in the checkpoint
   * @return some of these
   */
  public Set<String> takenAsStored(Set<String> parameters) {
    return weights.values().stream()
        .map(GraphWeight::form)
        .filter(form -> !form.isMadeOfValues() && parameters.contains(form.parameter()))
        .map(WeightForm::parameter)
        .collect(Collectors.toSet());
  }

  /**
   * Returns what the graph takes of some weights, in the forms in which it takes them.
   *
   * @param parameters names of weights in the checkpoint
   * @return tensors by their names in the graph; those of one weight follow one another
   */
  public Map<String, GraphWeight> madeOf(Set<String> parameters) {
    Map<String, Map<String, GraphWeight>> byParameter = new LinkedHashMap<>();
    weights.forEach(
        (name, weight) -> {
          if (parameters.contains(weight.form().parameter())) {
            byParameter
                .computeIfAbsent(weight.form().parameter(), p -> new LinkedHashMap<>())
                .put(name, weight);
          }
        });
    Map<String, GraphWeight> all = new LinkedHashMap<>();
    byParameter.values().forEach(all::putAll);
    return all;
  }

  /**
   * Returns how many bytes the weights take in a session.
   *
   * @return the sum of their sizes
   */
  public long weightBytes() {
    return weights.values().stream().mapToLong(GraphWeight::byteSize).sum();
  }

  /**
   * Wraps a graph into a model of this graph's operators.
   *
   * @param complete this graph with its weights as initializers
   * @return the model
   */
  public OnnxMl.ModelProto model(OnnxMl.GraphProto complete) {
    return model(complete, opset);
  }

  /**
   * Wraps a graph into a model.
   *
   * @param complete a graph with its weights as initializers or inputs
   * @param opset version of ONNX's operators
   * @return the model
   */
  public static OnnxMl.ModelProto model(OnnxMl.GraphProto complete, long opset) {
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
  NetworkGraph(
      String name, ElementType type, OnnxMl.GraphProto graph, Map<String, GraphWeight> weights) {
    this(name, type, graph, weights, OPSET);
  }
}
