package io.github.urae.onnx.internal.source;

import static io.github.urae.onnx.internal.graph.OnnxMessages.attribute;

import ai.onnx.proto.OnnxMl.AttributeProto;
import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.ValueInfoProto;
import io.github.urae.ModelException;
import io.github.urae.onnx.internal.graph.NetworkGraph;
import io.github.urae.onnx.internal.graph.OnnxMessages;
import io.github.urae.tensor.ElementType;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Rewrites the patterns that it knows in an exported transformer which is not known as a whole:
 * attention that holds its scores becomes {@code MultiHeadAttention}, and the rotary tables that
 * the export computes from positions become inputs, with the factor of proportional attention on
 * the queries. What it does not know stays as it is.
 */
final class GraphRewriter {

  private static final String POSITIONS = "pos_embed";

  /** Nodes between the scores and their softmax: a factor, and casts around it. */
  private static final int MAX_SCALING = 4;

  private final Path path;
  private final GraphProto.Builder graph;
  private final int heads;
  private final DataFlow flow;
  private final List<NodeProto> added = new ArrayList<>();
  private final Set<NodeProto> removed = new HashSet<>();
  private final Set<String> queries = new HashSet<>();
  private final int attentions;
  private int fused;
  private boolean tables;

  private GraphRewriter(Path path, GraphProto.Builder graph, int heads) {
    this.path = path;
    this.graph = graph;
    this.heads = heads;
    flow = new DataFlow(graph.getNodeList());
    attentions = Ingredients.of(graph.build()).get(Ingredients.Kind.ATTENTION);
  }

  /**
   * What was rewritten.
   *
   * @param attentions how many attentions the graph has
   * @param fused how many of them hold their scores no more
   * @param rotaryInputs whether rotary tables are inputs
   */
  record Result(int attentions, int fused, boolean rotaryInputs) {

    @Override
    public String toString() {
      return "attention "
          + fused
          + " of "
          + attentions
          + ", rotary tables "
          + (rotaryInputs ? "as inputs" : "as exported: the standard profile only");
    }
  }

  /**
   * Rewrites a graph in place.
   *
   * @param path the model, for messages
   * @param graph a well-formed graph
   * @param heads attention heads
   */
  static Result rewriteInPlace(Path path, GraphProto.Builder graph, int heads) {
    GraphRewriter rewriter = new GraphRewriter(path, graph, heads);
    boolean nested =
        graph.getNodeList().stream().anyMatch(node -> !OnnxMessages.graphs(node).isEmpty());
    if (nested) {
      return new Result(rewriter.attentions, 0, false);
    }
    for (NodeProto node : graph.getNodeList()) {
      if (node.getOpType().equals("Softmax")) {
        rewriter.fuseAttention(node);
      }
    }
    rewriter.exposeTables();
    rewriter.finish();
    return new Result(rewriter.attentions, rewriter.fused, rewriter.tables);
  }

  /**
   * Softmax(q k) v, with q [B, heads, S, D], k [B, heads, D, S] and v [B, heads, S, D]. A factor on
   * the scores moves to q.
   */
  private void fuseAttention(NodeProto softmax) {
    NodeProto before = flow.maker(softmax.getInput(0));
    List<NodeProto> factors = new ArrayList<>();
    for (int i = 0;
        i < MAX_SCALING
            && before != null
            && Set.of("Cast", "Mul", "Div").contains(before.getOpType());
        i++) {
      if (!before.getOpType().equals("Cast")) {
        factors.add(before);
      }
      before = flow.maker(before.getInput(0));
    }
    String weights = softmax.getOutput(0);
    NodeProto after = onlyReader(weights);
    if (after != null && after.getOpType().equals("Cast")) {
      weights = after.getOutput(0);
      after = onlyReader(weights);
    }
    boolean matches =
        before != null
            && before.getOpType().equals("MatMul")
            && onlyReader(before.getOutput(0)) != null
            && after != null
            && after.getOpType().equals("MatMul")
            && after.getInput(0).equals(weights)
            && factors.size() <= 1;
    if (!matches) {
      return;
    }
    String query = before.getInput(0);
    for (NodeProto factor : factors) {
      query = add(factor.getOpType(), List.of(query, factor.getInput(1)));
    }
    String scaled = query + " for " + softmax.getName();
    queries.add(scaled);
    added.add(OnnxMessages.node("", "Identity", scaled, List.of(query), List.of(scaled)));
    String attended =
        addMicrosoft(
            "MultiHeadAttention",
            List.of(
                flat(scaled, 0, 2, 1, 3),
                flat(before.getInput(1), 0, 3, 1, 2),
                flat(after.getInput(1), 0, 2, 1, 3)),
            attribute("num_heads", heads),
            attribute("scale", 1f));
    String perHead = add("Reshape", List.of(attended, longs(0, 0, heads, -1)));
    added.add(
        OnnxMessages.node(
            "",
            "Transpose",
            "transpose " + after.getOutput(0),
            List.of(perHead),
            List.of(after.getOutput(0)),
            attribute("perm", new long[] {0, 2, 1, 3})));
    removed.add(after);
    fused++;
  }

  /** [B, S, heads * D] of a value with four dimensions in another order. */
  private String flat(String value, long... order) {
    String ordered = add("Transpose", List.of(value), attribute("perm", order));
    return add("Reshape", List.of(ordered, longs(0, 0, -1)));
  }

  private NodeProto onlyReader(String value) {
    List<DataFlow.Read> all = flow.reads(value);
    return all.size() == 1 ? all.get(0).node() : null;
  }

  /** Cuts the graph where tables [S, D], each number twice, leave the module that makes them. */
  private void exposeTables() {
    Set<String> results = new LinkedHashSet<>();
    for (NodeProto node : graph.getNodeList()) {
      if (isPositions(node)) {
        for (String output : node.getOutputList()) {
          if (flow.reads(output).stream().anyMatch(read -> !isPositions(read.node()))) {
            results.add(output);
          }
        }
      }
    }
    // Without all attentions fused there is no place for the factor on the queries.
    if (results.size() != 2 || fused != attentions || fused == 0) {
      return;
    }
    Optional<String> cos = results.stream().filter(r -> comesFrom(r, "Cos", "Sin")).findFirst();
    Optional<String> sin = results.stream().filter(r -> comesFrom(r, "Sin", "Cos")).findFirst();
    if (cos.isEmpty() || sin.isEmpty() || !isOnlyResult(cos.get()) || !isOnlyResult(sin.get())) {
      return;
    }
    replaceTable(cos.get(), "key_cos");
    replaceTable(sin.get(), "key_sin");
    declare("query_cos");
    declare("query_sin");
    // The first token is text, at position 0: its cosines are the factor itself.
    String column = add("Gather", List.of("query_cos", longs(0)), attribute("axis", 0));
    String factor = add("Gather", List.of(column, longs(0)), attribute("axis", 1));
    String scalar = add("Reshape", List.of(factor, longs(1)));
    for (int i = 0; i < added.size(); i++) {
      NodeProto node = added.get(i);
      if (queries.contains(node.getName())) {
        String like = add("CastLike", List.of(scalar, node.getInput(0)));
        added.set(i, node.toBuilder().setOpType("Mul").addInput(like).build());
      }
    }
    tables = true;
  }

  /** Whether the node that makes a value makes no other, so that it can go. */
  private boolean isOnlyResult(String value) {
    return flow.maker(value).getOutputCount() == 1;
  }

  private static boolean isPositions(NodeProto node) {
    return node.getName().contains(POSITIONS) && !node.getOpType().equals("Constant");
  }

  private boolean comesFrom(String value, String operator, String other) {
    Deque<String> open = new ArrayDeque<>(List.of(value));
    Set<String> seen = new HashSet<>();
    boolean found = false;
    while (!open.isEmpty()) {
      String next = open.pop();
      NodeProto writer = flow.maker(next);
      if (writer == null || !seen.add(next)) {
        continue;
      }
      if (writer.getOpType().equals(other)) {
        return false;
      }
      if (writer.getOpType().equals(operator)) {
        found = true;
      } else {
        open.addAll(writer.getInputList());
      }
    }
    return found;
  }

  private void replaceTable(String value, String input) {
    declare(input);
    NodeProto writer = flow.maker(value);
    String column = add("Unsqueeze", List.of(input, longs(2)));
    String twice = add("Concat", List.of(column, column), attribute("axis", 2));
    String table = add("Reshape", List.of(twice, longs(0, -1)));
    int type =
        writer.getOpType().equals("Cast")
            ? (int) attribute(writer, "to").orElseThrow().getI()
            : OnnxMessages.code(ElementType.F32);
    added.add(OnnxMessages.cast("table " + input, table, value, type));
    removed.add(writer);
  }

  private void declare(String input) {
    graph.addInput(OnnxMessages.value(input, ElementType.F32, "tokens", "pairs"));
  }

  /** Puts the nodes in an order in which they can run, without those that nothing needs. */
  private void finish() {
    List<NodeProto> all = new ArrayList<>(graph.getNodeList());
    all.removeAll(removed);
    all.addAll(added);
    DataFlow rewritten = new DataFlow(all);
    Set<NodeProto> done = new LinkedHashSet<>();
    Set<NodeProto> entered = new HashSet<>();
    Deque<NodeProto> open = new ArrayDeque<>();
    for (ValueInfoProto output : graph.getOutputList()) {
      open.push(rewritten.maker(output.getName()));
    }
    while (!open.isEmpty()) {
      NodeProto node = open.peek();
      boolean ready = true;
      for (String input : node.getInputList()) {
        NodeProto maker = rewritten.maker(input);
        if (maker != null && !done.contains(maker)) {
          open.push(maker);
          ready = false;
        }
      }
      if (ready) {
        open.pop();
        done.add(node);
      } else if (!entered.add(node)) {
        throw new ModelException(
            path
                + ": node '"
                + node.getName()
                + "' needs its own result once attention is rewritten; its values have names that"
                + " the rewriting gives");
      }
    }
    graph.clearNode().addAllNode(done);
    if (tables) {
      List<ValueInfoProto> inputs = new ArrayList<>(graph.getInputList());
      inputs.removeIf(i -> Set.of("img_ids", "txt_ids").contains(i.getName()));
      graph.clearInput().addAllInput(inputs);
    }
  }

  private String add(String operator, List<String> inputs, AttributeProto... attributes) {
    return add("", operator, inputs, attributes);
  }

  private String addMicrosoft(String operator, List<String> inputs, AttributeProto... attributes) {
    return add(NetworkGraph.MICROSOFT_DOMAIN, operator, inputs, attributes);
  }

  private String add(
      String domain, String operator, List<String> inputs, AttributeProto... attributes) {
    String name = "urae/" + operator + "_" + added.size();
    added.add(OnnxMessages.node(domain, operator, name, inputs, List.of(name), attributes));
    return name;
  }

  private String longs(long... values) {
    return add("Constant", List.of(), attribute("value", OnnxMessages.longs("", values)));
  }
}
