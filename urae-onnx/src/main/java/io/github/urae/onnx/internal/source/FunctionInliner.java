package io.github.urae.onnx.internal.source;

import ai.onnx.proto.OnnxMl.AttributeProto;
import ai.onnx.proto.OnnxMl.FunctionProto;
import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.OperatorSetIdProto;
import ai.onnx.proto.OnnxMl.TensorProto;
import ai.onnx.proto.OnnxMl.ValueInfoProto;
import io.github.urae.FileFormatException;
import io.github.urae.ModelException;
import io.github.urae.onnx.internal.graph.OnnxMessages;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Puts the nodes of functions that a model brings along in the place of the nodes that call them,
 * as ONNX Runtime does when it loads a model: parameters and patterns are found in them like
 * anywhere else.
 *
 * @see <a href="https://github.com/onnx/onnx/blob/main/docs/IR.md#functions">ONNX: functions</a>
 */
final class FunctionInliner {

  /** Functions that call functions; exporters make one for each level of modules. */
  private static final int MAX_DEPTH = 64;

  /** Letters that names get, which grow with each level of calls. */
  private static final long MAX_NAME_LETTERS = 1 << 27;

  private record Key(String domain, String name, String overload) {

    static Key of(NodeProto node) {
      return new Key(OnnxFile.domain(node.getDomain()), node.getOpType(), node.getOverload());
    }

    @Override
    public String toString() {
      return "'" + name + "' of '" + domain + "'";
    }
  }

  private final Path path;
  private final Map<Key, FunctionProto> functions = new HashMap<>();
  private final Set<Key> calling = new LinkedHashSet<>();

  /** Calls and nodes: a few nested functions can stand for any number. */
  private int nodes;

  private long nameLetters;

  /** Constants of functions are there once for each call. */
  private long bytes;

  private int calls;

  private FunctionInliner(Path path) {
    this.path = path;
  }

  /**
   * Inlines all functions.
   *
   * @param path the model, for messages
   * @param graph a graph as it is in the file
   * @param functions the model's functions
   * @param opset version of the model's standard operators
   * @return the graph without calls
   * @throws FileFormatException if functions call each other in a circle, are there twice or do not
   *     fit their calls, or too many nodes arise
   * @throws ModelException if a function is of another version of the operators
   */
  static GraphProto inline(Path path, GraphProto graph, List<FunctionProto> functions, long opset) {
    if (functions.isEmpty()) {
      return graph;
    }
    FunctionInliner inliner = new FunctionInliner(path);
    for (FunctionProto function : functions) {
      inliner.add(function, opset);
    }
    return inliner.inlined(graph);
  }

  private void add(FunctionProto function, long opset) {
    Key key =
        new Key(OnnxFile.domain(function.getDomain()), function.getName(), function.getOverload());
    if (functions.put(key, function) != null) {
      throw new FileFormatException(path + ": function " + key + " is there twice");
    }
    for (OperatorSetIdProto imported : function.getOpsetImportList()) {
      if (OnnxFile.isStandard(imported.getDomain()) && imported.getVersion() != opset) {
        throw new ModelException(
            path
                + ": function "
                + key
                + ": expected operator set "
                + opset
                + " as of the model, found "
                + imported.getVersion()
                + "; export the model without functions");
      }
    }
  }

  private GraphProto inlined(GraphProto graph) {
    List<NodeProto> target = new ArrayList<>();
    inline(graph.getNodeList(), target);
    return graph.toBuilder().clearNode().addAllNode(target).build();
  }

  private void inline(List<NodeProto> all, List<NodeProto> target) {
    for (NodeProto node : all) {
      nodes++;
      if (nodes > OnnxFile.MAX_NODES) {
        throw tooMuch();
      }
      Key key = Key.of(node);
      FunctionProto function = functions.get(key);
      if (function == null) {
        NodeProto inlined = withInlinedGraphs(node);
        bytes += inlined.getSerializedSize();
        if (bytes > OnnxFile.MAX_GRAPH_BYTES) {
          throw tooMuch();
        }
        target.add(inlined);
        continue;
      }
      if (!calling.add(key) || calling.size() > MAX_DEPTH) {
        throw new FileFormatException(
            path
                + ": node '"
                + node.getName()
                + "': function "
                + key
                + " calls itself, or functions are nested more than "
                + MAX_DEPTH
                + " deep: "
                + calling.stream().limit(5).map(Key::name).toList());
      }
      inline(new Call(node, function, calls++).body(), target);
      calling.remove(key);
    }
  }

  private FileFormatException tooMuch() {
    return new FileFormatException(
        path
            + ": with its functions inlined the graph has more than "
            + OnnxFile.MAX_NODES
            + " nodes, more than "
            + MAX_NAME_LETTERS
            + " letters in their names, or more than "
            + OnnxFile.MAX_GRAPH_BYTES
            + " bytes");
  }

  private NodeProto withInlinedGraphs(NodeProto node) {
    return OnnxMessages.withGraphs(node, this::inlined);
  }

  /** One call: names of the function's values become those of the caller, or new ones. */
  private final class Call {

    private final NodeProto node;
    private final FunctionProto function;
    private final Map<String, String> names = new HashMap<>();
    private final String prefix;

    Call(NodeProto node, FunctionProto function, int number) {
      this.node = node;
      this.function = function;
      this.prefix = node.getName() + "#" + number + "/";
      if (node.getInputCount() > function.getInputCount()
          || node.getOutputCount() > function.getOutputCount()) {
        throw new FileFormatException(
            path
                + ": node '"
                + node.getName()
                + "': function "
                + Key.of(node)
                + " takes "
                + function.getInputCount()
                + " inputs and has "
                + function.getOutputCount()
                + " outputs, found "
                + node.getInputCount()
                + " and "
                + node.getOutputCount());
      }
      for (int i = 0; i < function.getInputCount(); i++) {
        names.put(function.getInput(i), OnnxMessages.input(node, i));
      }
      Set<String> inputs = new HashSet<>(function.getInputList());
      for (int i = 0; i < node.getOutputCount(); i++) {
        String inside = function.getOutput(i);
        String outside = node.getOutput(i);
        if (inputs.contains(inside)) {
          throw new FileFormatException(
              path
                  + ": function "
                  + Key.of(node)
                  + ": output '"
                  + inside
                  + "' is one of its inputs");
        }
        if (!outside.isEmpty()) {
          names.put(inside, outside);
        }
      }
    }

    List<NodeProto> body() {
      return function.getNodeList().stream().map(this::renamed).toList();
    }

    private void checkLetters() {
      nameLetters += prefix.length();
      if (nameLetters > MAX_NAME_LETTERS) {
        throw tooMuch();
      }
    }

    private String name(String inside) {
      if (inside.isEmpty()) {
        return "";
      }
      checkLetters();
      return names.computeIfAbsent(inside, n -> prefix + n);
    }

    private NodeProto renamed(NodeProto inside) {
      checkLetters();
      NodeProto.Builder renamed =
          inside.toBuilder()
              .setName(node.getName() + "/" + inside.getName())
              .clearInput()
              .clearOutput()
              .clearAttribute();
      inside.getInputList().forEach(input -> renamed.addInput(name(input)));
      inside.getOutputList().forEach(output -> renamed.addOutput(name(output)));
      for (AttributeProto attribute : inside.getAttributeList()) {
        given(attribute).ifPresent(renamed::addAttribute);
      }
      return OnnxMessages.withGraphs(renamed.build(), this::renamed);
    }

    /** An attribute of the function's node may be one of the call, or have a default. */
    private Optional<AttributeProto> given(AttributeProto attribute) {
      String reference = attribute.getRefAttrName();
      if (reference.isEmpty()) {
        return Optional.of(attribute);
      }
      return OnnxMessages.attribute(node, reference)
          .or(
              () ->
                  function.getAttributeProtoList().stream()
                      .filter(a -> a.getName().equals(reference))
                      .findFirst())
          .map(value -> value.toBuilder().setName(attribute.getName()).build());
    }

    private GraphProto renamed(GraphProto inside) {
      GraphProto.Builder renamed = inside.toBuilder().clearNode().clearValueInfo();
      inside.getNodeList().forEach(n -> renamed.addNode(renamed(n)));
      for (ValueInfoProto.Builder value : renamed.getInputBuilderList()) {
        value.setName(name(value.getName()));
      }
      for (ValueInfoProto.Builder value : renamed.getOutputBuilderList()) {
        value.setName(name(value.getName()));
      }
      for (TensorProto.Builder tensor : renamed.getInitializerBuilderList()) {
        tensor.setName(name(tensor.getName()));
      }
      return renamed.build();
    }
  }
}
