package io.github.urae.onnx.internal.graph;

import ai.onnx.proto.OnnxMl;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
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
   * ONNX operator set of the graphs made here, the autoencoder's apart: the first with rotary
   * embedding and RMS normalisation.
   */
  public static final long OPSET = 23;

  /** Version of ONNX Runtime's own operators. */
  public static final long MICROSOFT_OPSET = 1;

  /** Domain of ONNX Runtime's own operators. */
  public static final String MICROSOFT_DOMAIN = "com.microsoft";

  /** Version of ONNX's file format, of the same release as the operator set. */
  public static final long IR_VERSION = 11;

  /** Operators that keep a copy of their weights in a layout of their own. */
  private static final Set<String> REARRANGING =
      Set.of("Gemm", "MatMul", "MatMulNBits", "MatMulInteger", "MatMulIntegerToFloat", "Conv");

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
   * Returns those of some weights that a session cannot be given other values of, since the graph
   * does not take their values but something else that is made of them.
   *
   * @param parameters names of weights in the checkpoint
   * @return some of these
   */
  public Set<String> notTakenAsValues(Set<String> parameters) {
    return parametersOf(parameters, form -> !(form instanceof ParameterValues));
  }

  /**
   * Returns those of some weights of which the graph takes what is stored: the same cannot be made
   * of other values.
   *
   * @param parameters names of weights in the checkpoint
   * @return some of these
   */
  public Set<String> takenAsStored(Set<String> parameters) {
    return parametersOf(parameters, form -> form.origin() == WeightForm.Origin.CODES);
  }

  private Set<String> parametersOf(Set<String> parameters, Predicate<WeightForm> which) {
    return weights.values().stream()
        .map(GraphWeight::form)
        .filter(form -> parameters.contains(form.parameter()) && which.test(form))
        .map(WeightForm::parameter)
        .collect(Collectors.toSet());
  }

  /**
   * Returns what the graph takes of some weights that adapters have changed: what is added, where
   * it is computed beside them, and otherwise everything that is made of them.
   *
   * @param parameters names of weights in the checkpoint
   * @return tensors by their names in the graph; those of one weight follow one another
   */
  public Map<String, GraphWeight> changedWith(Set<String> parameters) {
    Set<String> beside =
        parametersOf(parameters, form -> form.origin() == WeightForm.Origin.CHANGES);
    Map<String, Map<String, GraphWeight>> byParameter = new LinkedHashMap<>();
    weights.forEach(
        (name, weight) -> {
          String parameter = weight.form().parameter();
          boolean added = weight.form().origin() == WeightForm.Origin.CHANGES;
          if (parameters.contains(parameter) && added == beside.contains(parameter)) {
            byParameter.computeIfAbsent(parameter, p -> new LinkedHashMap<>()).put(name, weight);
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
   * Returns how many bytes of the weights ONNX Runtime copies into a layout of its own on a
   * processor, where it may: those that matrix products and convolutions take as they are. What is
   * expanded first, or looked up, stays in its file.
   *
   * @return the sum of their sizes
   */
  public long rearrangedBytes() {
    Set<String> taken = new HashSet<>();
    for (OnnxMl.NodeProto node : graph.getNodeList()) {
      if (REARRANGING.contains(node.getOpType())) {
        taken.addAll(node.getInputList());
      }
    }
    return weights.entrySet().stream()
        .filter(weight -> taken.contains(weight.getKey()))
        .mapToLong(weight -> weight.getValue().byteSize())
        .sum();
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
}
