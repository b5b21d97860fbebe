package io.github.urae.onnx.internal.graph;

import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.TensorProto;
import ai.onnx.proto.OnnxMl.TypeProto;
import ai.onnx.proto.OnnxMl.ValueInfoProto;
import io.github.urae.ModelException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Cuts the graph of a network into its blocks, to be run one after the other: the first has what is
 * before the blocks as well, the last what is after them. What one computes and a later one needs
 * is an output of the one and an input of the other, under the same name.
 */
public final class GraphSegments {

  /** A block's weights, by diffusers' and transformers' names. */
  private static final Pattern BLOCK =
      Pattern.compile("((?:single_)?transformer_blocks|encoder\\.block)\\.\\d+\\..*");

  private static final Pattern NUMBER = Pattern.compile("\\.\\d+\\.");

  private final NetworkGraph whole;
  private final Map<String, TensorProto> constants;
  private final Map<String, ValueInfoProto> inputs;
  private final Map<String, ValueInfoProto> outputs;
  private final Map<String, Integer> types = new HashMap<>();

  private GraphSegments(NetworkGraph whole) {
    this.whole = whole;
    GraphProto graph = whole.graph();
    constants = byName(graph.getInitializerList(), TensorProto::getName);
    inputs = byName(graph.getInputList(), ValueInfoProto::getName);
    outputs = byName(graph.getOutputList(), ValueInfoProto::getName);
    constants.forEach((name, tensor) -> types.put(name, tensor.getDataType()));
    inputs.forEach((name, value) -> types.put(name, value.getType().getTensorType().getElemType()));
    whole.weights().forEach((name, weight) -> types.put(name, OnnxMessages.code(weight.type())));
  }

  private static <T> Map<String, T> byName(List<T> values, Function<T, String> name) {
    return values.stream().collect(Collectors.toMap(name, v -> v, (a, b) -> a, LinkedHashMap::new));
  }

  /**
   * Cuts a graph.
   *
   * @param whole a network; its nodes are in an order in which they can be run
   * @return one graph for each block, in the order in which they run; the same graph where the
   *     network has no blocks
   * @throws ModelException if the graph holds operators whose results are of unknown type
   */
  public static List<NetworkGraph> cut(NetworkGraph whole) {
    return new GraphSegments(whole).cut();
  }

  private List<NetworkGraph> cut() {
    List<List<NodeProto>> parts = parts();
    Map<String, Integer> producers = new HashMap<>();
    for (int part = 0; part < parts.size(); part++) {
      for (NodeProto node : parts.get(part)) {
        for (String output : node.getOutputList()) {
          producers.put(output, part);
        }
        noteTypes(node);
      }
    }
    List<Set<String>> taken = new ArrayList<>();
    List<Set<String>> given = new ArrayList<>();
    for (int part = 0; part < parts.size(); part++) {
      taken.add(new LinkedHashSet<>());
      given.add(new LinkedHashSet<>());
    }
    for (int part = 0; part < parts.size(); part++) {
      for (NodeProto node : parts.get(part)) {
        for (String input : OnnxMessages.reads(node)) {
          Integer producer = producers.get(input);
          if (inputs.containsKey(input)) {
            taken.get(part).add(input);
          } else if (producer != null && producer != part) {
            taken.get(part).add(input);
            given.get(producer).add(input);
          }
        }
      }
    }
    outputs.keySet().forEach(name -> given.get(producers.get(name)).add(name));
    List<NetworkGraph> segments = new ArrayList<>();
    for (int part = 0; part < parts.size(); part++) {
      segments.add(segment(part, parts, taken.get(part), given.get(part)));
    }
    return segments;
  }

  /** The nodes of each block; a block begins with the first node that uses a weight of it. */
  private List<List<NodeProto>> parts() {
    List<List<NodeProto>> parts = new ArrayList<>();
    parts.add(new ArrayList<>());
    Set<String> blocks = new LinkedHashSet<>();
    for (NodeProto node : whole.graph().getNodeList()) {
      for (String input : OnnxMessages.reads(node)) {
        if (whole.weights().containsKey(input)
            && BLOCK.matcher(input).matches()
            && blocks.add(block(input))
            && blocks.size() > 1) {
          parts.add(new ArrayList<>());
        }
      }
      parts.get(parts.size() - 1).add(node);
    }
    return parts;
  }

  private static String block(String weight) {
    Matcher number = NUMBER.matcher(weight);
    return number.find() ? weight.substring(0, number.end()) : weight;
  }

  private NetworkGraph segment(
      int part, List<List<NodeProto>> parts, Set<String> taken, Set<String> given) {
    GraphProto.Builder graph = GraphProto.newBuilder().setName(whole.graph().getName());
    Set<String> used = new LinkedHashSet<>();
    parts.get(part).forEach(node -> used.addAll(OnnxMessages.reads(node)));
    Map<String, GraphWeight> weights = new LinkedHashMap<>();
    for (String name : used) {
      if (whole.weights().containsKey(name)) {
        weights.put(name, whole.weights().get(name));
      }
      if (constants.containsKey(name)) {
        graph.addInitializer(constants.get(name));
      }
    }
    graph.addAllNode(parts.get(part));
    taken.forEach(
        name -> graph.addInput(inputs.containsKey(name) ? inputs.get(name) : carried(name)));
    given.forEach(
        name -> graph.addOutput(outputs.containsKey(name) ? outputs.get(name) : carried(name)));
    return new NetworkGraph(
        parts.size() == 1
            ? whole.name()
            : whole.name() + ", part " + (part + 1) + " of " + parts.size(),
        whole.type(),
        graph.build(),
        weights,
        whole.opset());
  }

  /** Declares a value that goes from one segment to another, of any shape. */
  private ValueInfoProto carried(String name) {
    return ValueInfoProto.newBuilder()
        .setName(name)
        .setType(
            TypeProto.newBuilder()
                .setTensorType(TypeProto.Tensor.newBuilder().setElemType(types.get(name))))
        .build();
  }

  /** Derives the element types of a node's outputs from those of its inputs. */
  private void noteTypes(NodeProto node) {
    for (int i = 0; i < node.getOutputCount(); i++) {
      if (node.getOutput(i).isEmpty()) {
        continue;
      }
      int type =
          ResultTypes.of(node, i, types)
              .orElseThrow(
                  () ->
                      new ModelException(
                          whole.name()
                              + ": operator "
                              + node.getOpType()
                              + " '"
                              + node.getName()
                              + "': the graph cannot be cut into blocks, because the type of its"
                              + " result is not known; keep whole networks in memory instead (one"
                              + " at a time)"));
      types.put(node.getOutput(i), type);
    }
  }
}
