package io.github.urae.onnx.internal.source;

import ai.onnx.proto.OnnxMl.AttributeProto;
import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.TensorProto;
import ai.onnx.proto.OnnxMl.ValueInfoProto;
import io.github.urae.FileFormatException;
import io.github.urae.onnx.internal.graph.OnnxMessages;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Set;

/**
 * Checks that a graph is one, before anything walks it: every value has one maker, everything that
 * is read is there, nothing needs its own result, and the operators that are looked into have the
 * inputs and outputs that they must have. What comes after relies on it. Nodes may be in any order,
 * as for ONNX Runtime; the specification wants them sorted, and so they are afterwards.
 *
 * @see <a href="https://github.com/onnx/onnx/blob/main/docs/IR.md#graphs">ONNX: graphs</a>
 */
final class GraphCheck {

  /**
   * How many inputs and outputs an operator has, in all versions that are read.
   *
   * @param required inputs that must be there
   * @param inputs inputs at most
   * @param outputs outputs at most
   */
  private record Arity(int required, int inputs, int outputs) {}

  private static final Arity UNARY = new Arity(1, 1, 1);
  private static final Arity BINARY = new Arity(2, 2, 1);

  private static final Map<String, Arity> ARITIES =
      Map.ofEntries(
          Map.entry("Cast", UNARY),
          Map.entry("Identity", UNARY),
          Map.entry("Transpose", UNARY),
          Map.entry("Softmax", UNARY),
          Map.entry("Shape", UNARY),
          Map.entry("CastLike", BINARY),
          Map.entry("Add", BINARY),
          Map.entry("Sub", BINARY),
          Map.entry("Mul", BINARY),
          Map.entry("Div", BINARY),
          Map.entry("Pow", BINARY),
          Map.entry("MatMul", BINARY),
          Map.entry("FusedMatMul", BINARY),
          Map.entry("Gather", BINARY),
          Map.entry("Where", new Arity(3, 3, 1)),
          Map.entry("Gemm", new Arity(2, 3, 1)),
          Map.entry("Conv", new Arity(2, 3, 1)),
          Map.entry("ReduceMean", new Arity(1, 2, 1)),
          Map.entry("LayerNormalization", new Arity(2, 3, 3)),
          Map.entry("GroupNormalization", new Arity(3, 3, 1)),
          Map.entry("InstanceNormalization", new Arity(3, 3, 1)),
          Map.entry("RMSNormalization", BINARY),
          Map.entry("SimplifiedLayerNormalization", new Arity(2, 2, 2)),
          Map.entry("Constant", new Arity(0, 0, 1)));

  /**
   * Names that a graph may read, with those of the graphs around it.
   *
   * @param outer the graph around it; null for the model's own
   */
  private record Scope(Scope outer, Set<String> names) {

    /** One step for each graph around: protobuf nests messages no deeper than 100. */
    boolean contains(String name) {
      return names.contains(name) || (outer != null && outer.contains(name));
    }
  }

  private static final Scope NOTHING = new Scope(null, Set.of());

  private final Path path;

  private GraphCheck(Path path) {
    this.path = path;
  }

  /**
   * Checks a graph.
   *
   * @param path the model, for messages
   * @param graph nodes, inputs, outputs and small initializers
   * @param initializers names of the other initializers
   * @return the nodes in an order in which they can run: their own, where it is one
   * @throws FileFormatException if the graph is malformed; names the node
   */
  static List<NodeProto> inOrder(Path path, GraphProto graph, Set<String> initializers) {
    return new GraphCheck(path).check(graph, initializers, NOTHING, false);
  }

  /**
   * Checks a graph and those inside its nodes.
   *
   * @param outside values of the graphs around it
   * @param nested whether it is the attribute of a node
   */
  private List<NodeProto> check(
      GraphProto graph, Set<String> initializers, Scope outside, boolean nested) {
    List<NodeProto> all = graph.getNodeList();
    Set<String> given = given(graph, initializers, outside);
    Map<String, Integer> makers = new HashMap<>();
    for (int i = 0; i < all.size(); i++) {
      checkArity(all.get(i), i);
      checkAttributes(all.get(i), i);
      for (String output : all.get(i).getOutputList()) {
        Integer other = output.isEmpty() ? null : makers.put(output, i);
        if (other != null) {
          throw malformed(
              all.get(i), i, "makes '" + output + "', which " + name(all, other) + " makes too");
        }
        if (given.contains(output) || outside.contains(output)) {
          throw malformed(
              all.get(i), i, "makes '" + output + "', which is an input or initializer");
        }
      }
    }
    List<Set<Integer>> needed = new ArrayList<>();
    for (int i = 0; i < all.size(); i++) {
      Set<Integer> before = new LinkedHashSet<>();
      for (String input : OnnxMessages.reads(all.get(i))) {
        Integer maker = makers.get(input);
        if (maker != null) {
          before.add(maker);
        } else if (!given.contains(input) && !outside.contains(input)) {
          throw malformed(
              all.get(i), i, "reads '" + input + "', which no node makes and no initializer holds");
        }
      }
      needed.add(before);
    }
    Scope inside = new Scope(new Scope(outside, given), makers.keySet());
    // A graph of a node may hand on what it was given.
    checkOutputs(graph, nested ? inside : new Scope(null, makers.keySet()));
    List<NodeProto> ordered = order(all, needed);
    for (NodeProto node : all) {
      for (GraphProto graphOfNode : OnnxMessages.graphs(node)) {
        check(graphOfNode, Set.of(), inside, true);
      }
    }
    return ordered;
  }

  /** Inputs and initializers; in old files an initializer is an input as well. */
  private Set<String> given(GraphProto graph, Set<String> initializers, Scope outside) {
    Set<String> inputs = new HashSet<>();
    for (ValueInfoProto input : graph.getInputList()) {
      if (input.getName().isEmpty()
          || outside.contains(input.getName())
          || !inputs.add(input.getName())) {
        throw new FileFormatException(
            path + ": input '" + input.getName() + "' has no name of its own");
      }
    }
    Set<String> given = new HashSet<>(initializers);
    for (TensorProto initializer : graph.getInitializerList()) {
      if (outside.contains(initializer.getName()) || !given.add(initializer.getName())) {
        throw new FileFormatException(
            path + ": initializer '" + initializer.getName() + "' is there twice");
      }
      ConstantCheck.problem(initializer)
          .ifPresent(
              problem -> {
                throw new FileFormatException(
                    path + ": initializer '" + initializer.getName() + "': " + problem);
              });
    }
    if (graph.getSparseInitializerCount() > 0) {
      throw new FileFormatException(path + ": sparse initializers are not supported");
    }
    if (given.contains("")) {
      throw new FileFormatException(path + ": an initializer has no name");
    }
    given.addAll(inputs);
    return given;
  }

  private void checkOutputs(GraphProto graph, Scope known) {
    Set<String> names = new HashSet<>();
    for (ValueInfoProto output : graph.getOutputList()) {
      String name = output.getName();
      if (!known.contains(name)) {
        throw new FileFormatException(path + ": output '" + name + "': no node makes it");
      }
      if (!names.add(name)) {
        throw new FileFormatException(path + ": output '" + name + "' is there twice");
      }
    }
  }

  private void checkArity(NodeProto node, int index) {
    if (node.getOpType().isEmpty()) {
      throw malformed(node, index, "has no operator");
    }
    if (node.getOutputList().stream().allMatch(String::isEmpty)) {
      throw malformed(node, index, "has no output");
    }
    Arity arity = ARITIES.get(node.getOpType());
    if (arity != null) {
      long required =
          node.getInputList().stream().limit(arity.required()).filter(i -> !i.isEmpty()).count();
      if (required < arity.required() || node.getInputCount() > arity.inputs()) {
        throw malformed(
            node,
            index,
            "expected "
                + arity.required()
                + (arity.inputs() > arity.required() ? " to " + arity.inputs() : "")
                + " inputs, found "
                + node.getInputList());
      }
      if (node.getOutput(0).isEmpty() || node.getOutputCount() > arity.outputs()) {
        throw malformed(
            node,
            index,
            "expected at most " + arity.outputs() + " outputs, found " + node.getOutputList());
      }
    }
    if (node.getOpType().equals("Cast")) {
      AttributeProto to =
          OnnxMessages.attribute(node, "to")
              .orElseThrow(() -> malformed(node, index, "expected an attribute 'to', found none"));
      if (TensorProto.DataType.forNumber((int) to.getI()) == null || to.getI() == 0) {
        throw malformed(node, index, "casts to type " + to.getI() + ", which is none of ONNX's");
      }
    }
  }

  private void checkAttributes(NodeProto node, int index) {
    Set<String> names = new HashSet<>();
    for (AttributeProto attribute : node.getAttributeList()) {
      String name = "attribute '" + attribute.getName() + "'";
      if (!names.add(attribute.getName())) {
        throw malformed(node, index, name + " is there twice");
      }
      if (!attribute.getRefAttrName().isEmpty()) {
        throw malformed(node, index, name + " refers to one of a function, outside of any");
      }
      if (attribute.hasSparseTensor() || attribute.getSparseTensorsCount() > 0) {
        throw malformed(node, index, name + ": sparse tensors are not supported");
      }
      List<TensorProto> tensors = new ArrayList<>(attribute.getTensorsList());
      if (attribute.hasT()) {
        tensors.add(attribute.getT());
      }
      for (TensorProto tensor : tensors) {
        ConstantCheck.problem(tensor)
            .ifPresent(
                problem -> {
                  throw malformed(node, index, name + ": " + problem);
                });
      }
    }
  }

  /** The earliest node whose inputs are there comes next. */
  private List<NodeProto> order(List<NodeProto> all, List<Set<Integer>> needed) {
    int[] missing = new int[all.size()];
    List<List<Integer>> after = new ArrayList<>();
    all.forEach(node -> after.add(new ArrayList<>()));
    PriorityQueue<Integer> ready = new PriorityQueue<>();
    for (int i = 0; i < all.size(); i++) {
      missing[i] = needed.get(i).size();
      for (int before : needed.get(i)) {
        after.get(before).add(i);
      }
      if (missing[i] == 0) {
        ready.add(i);
      }
    }
    List<NodeProto> ordered = new ArrayList<>(all.size());
    while (!ready.isEmpty()) {
      int next = ready.remove();
      ordered.add(all.get(next));
      for (int later : after.get(next)) {
        missing[later]--;
        if (missing[later] == 0) {
          ready.add(later);
        }
      }
    }
    if (ordered.size() < all.size()) {
      throw circular(all, needed, missing);
    }
    return ordered;
  }

  private FileFormatException circular(
      List<NodeProto> all, List<Set<Integer>> needed, int[] missing) {
    int at = 0;
    while (missing[at] == 0) {
      at++;
    }
    Set<Integer> seen = new LinkedHashSet<>();
    while (seen.add(at)) {
      at = needed.get(at).stream().filter(before -> missing[before] > 0).findFirst().orElseThrow();
    }
    List<Integer> walked = new ArrayList<>(seen);
    List<Integer> circle = walked.subList(walked.indexOf(at), walked.size());
    return malformed(
        all.get(at),
        at,
        circle.size() == 1
            ? "needs its own result"
            : "needs its own result, through "
                + circle.stream().skip(1).limit(4).map(i -> name(all, i)).toList()
                + (circle.size() > 5 ? " and " + (circle.size() - 5) + " more" : ""));
  }

  private FileFormatException malformed(NodeProto node, int index, String problem) {
    return new FileFormatException(
        path + ": " + name(node, index) + " (" + node.getOpType() + "): " + problem);
  }

  private static String name(List<NodeProto> all, int index) {
    return name(all.get(index), index);
  }

  private static String name(NodeProto node, int index) {
    return node.getName().isEmpty() ? "node " + index : "node '" + node.getName() + "'";
  }
}
