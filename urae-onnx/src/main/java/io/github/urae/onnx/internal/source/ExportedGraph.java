package io.github.urae.onnx.internal.source;

import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.TypeProto;
import ai.onnx.proto.OnnxMl.ValueInfoProto;
import com.google.protobuf.ByteString;
import io.github.urae.FileFormatException;
import io.github.urae.onnx.internal.graph.GraphWeight;
import io.github.urae.onnx.internal.graph.NetworkGraph;
import io.github.urae.onnx.internal.graph.OnnxMessages;
import io.github.urae.tensor.ElementType;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.internal.PlacedTensors;
import java.io.IOException;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * An exported graph as it is, but for what lets a pipeline and adapters use it: floating-point
 * inputs and the output are float32, initializers bear the names of parameters, one for each, and
 * feed their operators directly.
 *
 * @param graph the graph
 * @param found its weights: parameters, and large initializers that are none, by their own names
 * @param rewriting what of a transformer was rewritten; empty for other networks
 */
record ExportedGraph(
    NetworkGraph graph,
    Map<String, ParameterNames.Found> found,
    Optional<GraphRewriter.Result> rewriting) {

  /** Up to this size, initializers that are no parameters become part of the graph. */
  private static final long MAX_INLINE_BYTES = 1 << 16;

  /** All of them together; those of FLUX.1 take less than a megabyte. */
  private static final long MAX_INLINE_BYTES_IN_ALL = 1 << 26;

  private static final Set<String> HANDED_ON = Set.of("Cast", "Identity", "Transpose");

  static ExportedGraph of(
      OnnxFile file,
      Map<String, ParameterNames.Found> parameters,
      NetworkGraph own,
      ExportedNetwork.Interface contract)
      throws IOException {
    Builder builder = new Builder(file, parameters);
    builder.feedParameters();
    builder.addConstants();
    builder.convertInterface(contract);
    Optional<GraphRewriter.Result> rewriting = Optional.empty();
    if (contract.inputs().containsKey("img_ids")) {
      rewriting =
          Optional.of(GraphRewriter.rewriteInPlace(file.path(), builder.graph, headsOf(own)));
    }
    Map<String, GraphWeight> weights = new LinkedHashMap<>();
    builder.found.forEach(
        (key, value) ->
            weights.put(
                key,
                GraphWeight.values(
                    key, ExportedNetwork.storedShape(value), value.initializer().type())));
    NetworkGraph graph =
        new NetworkGraph(
            own.name() + " of " + file.path(),
            builder.type,
            builder.graph.build(),
            weights,
            file.opsets().get(""));
    return new ExportedGraph(graph, builder.found, rewriting);
  }

  private static int headsOf(NetworkGraph own) {
    return own.graph().getNodeList().stream()
        .filter(node -> node.getOpType().equals("MultiHeadAttention"))
        .flatMap(node -> node.getAttributeList().stream())
        .filter(attribute -> attribute.getName().equals("num_heads"))
        .mapToInt(attribute -> (int) attribute.getI())
        .findFirst()
        .orElseThrow();
  }

  private static final class Builder {

    final GraphProto.Builder graph = GraphProto.newBuilder();
    final Map<String, ParameterNames.Found> found = new LinkedHashMap<>();
    final ElementType type;
    private final OnnxFile file;
    private final Map<String, ParameterNames.Found> parameters;

    Builder(OnnxFile file, Map<String, ParameterNames.Found> parameters) {
      this.file = file;
      this.type = prevailingType(file);
      this.parameters = parameters;
      graph.setName(file.graph().getName()).addAllInitializer(file.graph().getInitializerList());
    }

    /** Returns the floating-point type of most of the weights' bytes. */
    private static ElementType prevailingType(OnnxFile file) {
      Map<ElementType, Long> bytes = new EnumMap<>(ElementType.class);
      for (TensorInfo initializer : file.initializers().values()) {
        if (initializer.type().isFloatingPoint()) {
          bytes.merge(initializer.type(), initializer.length(), Long::sum);
        }
      }
      return bytes.entrySet().stream()
          .max(Map.Entry.comparingByValue())
          .map(Map.Entry::getKey)
          .orElse(ElementType.F32);
    }

    /** Each read of a parameter gets the parameter's own name. */
    void feedParameters() {
      Map<String, List<String>> names = new HashMap<>();
      parameters.forEach(
          (name, parameter) ->
              names
                  .computeIfAbsent(parameter.initializer().name(), i -> new ArrayList<>())
                  .add(name));
      for (NodeProto node : file.graph().getNodeList()) {
        NodeProto.Builder changed = node.toBuilder();
        Map<String, String> chosen = new HashMap<>();
        for (int i = 0; i < node.getInputCount(); i++) {
          List<String> candidates = names.getOrDefault(node.getInput(i), List.of());
          if (!candidates.isEmpty()) {
            String parameter =
                chosen.computeIfAbsent(node.getInput(i), value -> nearest(node, candidates));
            // What another node computes from is folded when a session starts: an override under
            // the parameter's name would be ignored, so that it must not match any.
            String name =
                HANDED_ON.contains(node.getOpType())
                    ? parameter + " (through " + node.getOpType() + ")"
                    : parameter;
            if (parameters.get(parameter).initializer().type() != type) {
              continue; // Of another precision: a constant.
            }
            changed.setInput(i, name);
            found.put(name, parameters.get(parameter));
            if (i == 1
                && node.getOpType().equals("MatMul")
                && parameters.get(parameter).transposed()) {
              takeAsParameter(changed);
            }
          }
        }
        graph.addNode(changed);
      }
    }

    /** Of parameters that share an initializer, the one whose module the node belongs to. */
    private static String nearest(NodeProto node, List<String> candidates) {
      if (candidates.size() == 1) {
        return candidates.get(0);
      }
      String path = node.getName().replace('/', '.');
      return candidates.stream()
          .filter(name -> path.contains(name.substring(0, name.lastIndexOf('.') + 1)))
          .findFirst()
          .orElse(candidates.get(0));
    }

    /** The product takes a weight [outputs, inputs]; a session that has the transpose says so. */
    private static void takeAsParameter(NodeProto.Builder product) {
      product
          .setOpType("FusedMatMul")
          .setDomain(NetworkGraph.MICROSOFT_DOMAIN)
          .addAttribute(OnnxMessages.attribute("transB", 1));
    }

    /** Initializers that are no parameters: small ones by value, large ones by place. */
    void addConstants() throws IOException {
      Set<String> reads = new HashSet<>();
      graph.getNodeList().forEach(node -> reads.addAll(OnnxMessages.reads(node)));
      List<TensorInfo> inline = new ArrayList<>();
      long bytes = 0;
      for (TensorInfo initializer : file.initializers().values()) {
        if (found.containsKey(initializer.name()) || !reads.contains(initializer.name())) {
          continue;
        }
        if (initializer.length() <= MAX_INLINE_BYTES) {
          inline.add(initializer);
          bytes += initializer.length();
          if (bytes > MAX_INLINE_BYTES_IN_ALL) {
            throw new FileFormatException(
                file.path()
                    + ": initializers that are no parameters, of up to "
                    + MAX_INLINE_BYTES
                    + " bytes each, take more than "
                    + MAX_INLINE_BYTES_IN_ALL
                    + " bytes together");
          }
        } else if (initializer.type() == type) {
          found.put(
              initializer.name(),
              new ParameterNames.Found(initializer, false, ParameterNames.Rule.INITIALIZER));
        } else {
          throw new FileFormatException(
              file.describe(initializer.name())
                  + ": expected "
                  + type
                  + " as of the other weights, found "
                  + initializer.type()
                  + initializer.shape());
        }
      }
      if (inline.isEmpty()) {
        return;
      }
      try (PlacedTensors values = PlacedTensors.open(inline)) {
        for (TensorInfo constant : inline) {
          graph.addInitializer(
              OnnxMessages.tensor(constant.name(), constant.type(), constant.shape().toArray())
                  .setRawData(ByteString.copyFrom(values.tensor(constant.name()).data())));
        }
      }
    }

    void convertInterface(ExportedNetwork.Interface contract) {
      GraphProto.Builder casts = GraphProto.newBuilder();
      for (ValueInfoProto input : file.graph().getInputList()) {
        if (file.initializers().containsKey(input.getName())) {
          continue;
        }
        int type = input.getType().getTensorType().getElemType();
        boolean tokens = contract.inputs().containsKey("input_ids");
        if (tokens || type == OnnxMessages.code(ElementType.F32)) {
          graph.addInput(input);
        } else {
          // Positions are int64 in some exports and floating-point in others.
          String outside = input.getName();
          renameReads(outside, outside + " (as exported)");
          graph.addInput(withType(input, ElementType.F32));
          casts.addNode(
              OnnxMessages.cast(
                  "cast " + outside + " (as exported)", outside, outside + " (as exported)", type));
        }
      }
      ValueInfoProto output =
          file.graph().getOutputList().stream()
              .filter(o -> o.getName().equals(contract.output()))
              .findFirst()
              .orElseThrow();
      int type = output.getType().getTensorType().getElemType();
      if (type == OnnxMessages.code(ElementType.F32)) {
        graph.addOutput(output);
      } else {
        String outside = output.getName() + " (float32)";
        graph.addNode(
            OnnxMessages.cast(
                "cast " + outside, output.getName(), outside, OnnxMessages.code(ElementType.F32)));
        graph.addOutput(withType(output, ElementType.F32).toBuilder().setName(outside));
      }
      List<NodeProto> nodes = List.copyOf(graph.getNodeList());
      graph.clearNode().addAllNode(casts.getNodeList()).addAllNode(nodes);
    }

    private void renameReads(String from, String to) {
      for (int i = 0; i < graph.getNodeCount(); i++) {
        graph.setNode(i, withInput(graph.getNode(i), from, to));
      }
    }

    private static NodeProto withInput(NodeProto node, String from, String to) {
      if (!OnnxMessages.reads(node).contains(from)) {
        return node;
      }
      NodeProto.Builder changed = node.toBuilder();
      for (int i = 0; i < node.getInputCount(); i++) {
        if (node.getInput(i).equals(from)) {
          changed.setInput(i, to);
        }
      }
      return OnnxMessages.withGraphs(changed.build(), inside -> withInput(inside, from, to));
    }

    private static GraphProto withInput(GraphProto inside, String from, String to) {
      GraphProto.Builder changed = inside.toBuilder().clearNode();
      inside.getNodeList().forEach(node -> changed.addNode(withInput(node, from, to)));
      for (ValueInfoProto.Builder output : changed.getOutputBuilderList()) {
        if (output.getName().equals(from)) {
          output.setName(to);
        }
      }
      return changed.build();
    }

    private static ValueInfoProto withType(ValueInfoProto value, ElementType type) {
      TypeProto.Tensor tensor =
          value.getType().getTensorType().toBuilder().setElemType(OnnxMessages.code(type)).build();
      return value.toBuilder().setType(TypeProto.newBuilder().setTensorType(tensor)).build();
    }
  }
}
