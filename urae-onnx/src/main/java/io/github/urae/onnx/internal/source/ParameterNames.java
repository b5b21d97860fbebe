package io.github.urae.onnx.internal.source;

import ai.onnx.proto.OnnxMl.NodeProto;
import io.github.urae.FileFormatException;
import io.github.urae.ModelException;
import io.github.urae.onnx.internal.graph.OnnxMessages;
import io.github.urae.tensor.Shape;
import io.github.urae.weights.TensorInfo;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * Which initializer of an exported graph is which parameter. Exporters keep some names, fold the
 * transposes of linear layers into anonymous initializers, and store equal ones once; what a
 * parameter is called is then told by the nodes that read it.
 */
final class ParameterNames {

  /** How a parameter was found. */
  enum Rule {
    /** The initializer bears its name. */
    INITIALIZER("by the initializer's own name"),
    /** The path of the node that reads it is the module's. */
    NODE("by the name of the node that reads it"),
    /** The product is followed by the addition of a bias whose name is known. */
    BIAS("by the name of the bias that follows"),
    /** No other parameter and no other initializer that are left have its shape. */
    SHAPE("by its shape, which is unique among what is left");

    private final String text;

    Rule(String text) {
      this.text = text;
    }

    /** Returns the rule in words, as in {@code 24 by the name of the node that reads it}. */
    String text() {
      return text;
    }
  }

  /**
   * A parameter's initializer.
   *
   * @param transposed whether the initializer is the transpose of the parameter
   */
  record Found(TensorInfo initializer, boolean transposed, Rule rule) {}

  /** A place where a node reads an initializer. */
  private record Read(NodeProto node, int input, boolean transposed) {}

  /** Wrappers that exports put before the names of the network. */
  private static final List<String> PREFIXES = List.of("transformer.", "model.", "module.");

  private final OnnxFile file;
  private final Map<String, Shape> expected;
  private final DataFlow flow;
  private final Map<String, List<Read>> reads = new HashMap<>();
  private final Map<String, Found> found = new LinkedHashMap<>();
  private final Map<String, List<String>> parametersOf = new HashMap<>();

  private ParameterNames(OnnxFile file, Map<String, Shape> expected) {
    this.file = file;
    this.expected = expected;
    this.flow = new DataFlow(file.graph().getNodeList());
  }

  /**
   * Finds as many parameters as can be told.
   *
   * @param expected names and shapes of all parameters, by the configuration
   * @return initializers by parameter
   * @throws FileFormatException if two rules contradict each other
   * @throws ModelException if a parameter has another shape than expected, or is quantised
   */
  static Map<String, Found> recover(OnnxFile file, Map<String, Shape> expected) {
    ParameterNames names = new ParameterNames(file, expected);
    names.collectReads();
    names.byInitializer();
    names.byNode();
    names.byBias();
    names.byShape();
    return Collections.unmodifiableMap(names.found);
  }

  private void collectReads() {
    for (String name : file.initializers().keySet()) {
      reads.put(name, readsOf(name));
    }
  }

  /** Looks through nodes that hand a weight on, as exports of half precision have them. */
  private List<Read> readsOf(String initializer) {
    List<Read> all = new ArrayList<>();
    Deque<Read> open = new ArrayDeque<>();
    pushReaders(initializer, false, open);
    while (!open.isEmpty()) {
      Read read = open.pop();
      NodeProto node = read.node();
      switch (node.getOpType()) {
        case "DequantizeLinear", "MatMulNBits", "MatMulInteger", "DynamicQuantizeMatMul" ->
            throw new ModelException(
                file.path()
                    + ": node '"
                    + node.getName()
                    + "': quantised exports ("
                    + node.getOpType()
                    + ") are not supported; export the model in float32, float16 or bfloat16");
        case "Cast", "Identity" -> pushReaders(node.getOutput(0), read.transposed(), open);
        case "Transpose" -> pushReaders(node.getOutput(0), read.transposed() != turns(node), open);
        default -> all.add(read);
      }
    }
    return all;
  }

  /** The first reader comes to the top. */
  private void pushReaders(String value, boolean transposed, Deque<Read> open) {
    List<DataFlow.Read> all = flow.reads(value);
    for (int i = all.size() - 1; i >= 0; i--) {
      open.push(new Read(all.get(i).node(), all.get(i).input(), transposed));
    }
  }

  /** Whether a matrix that goes through becomes its transpose: what permutes nothing does not. */
  private static boolean turns(NodeProto transpose) {
    return OnnxMessages.attribute(transpose, "perm")
        .map(perm -> !perm.getIntsList().equals(List.of(0L, 1L)))
        .orElse(true);
  }

  private void byInitializer() {
    for (TensorInfo initializer : file.initializers().values()) {
      expectedName(initializer.name())
          .ifPresent(
              name ->
                  bind(name, initializer, firstTransposed(initializer), Rule.INITIALIZER, true));
    }
  }

  /** Whether the operator takes the initializer as [inputs, outputs]. */
  private boolean firstTransposed(TensorInfo initializer) {
    return reads.get(initializer.name()).stream().findFirst().map(this::transposed).orElse(false);
  }

  private boolean transposed(Read read) {
    String operator = read.node().getOpType();
    boolean product = operator.equals("MatMul") || operator.equals("FusedMatMul");
    if (!product && !operator.equals("Gemm")) {
      return read.transposed();
    }
    boolean flag =
        read.node().getAttributeList().stream()
            .anyMatch(a -> a.getName().equals("transB") && a.getI() != 0);
    // x W^T is what a linear layer computes: the parameter is what is transposed an odd time.
    return read.input() == 1 && read.transposed() == flag;
  }

  private void byNode() {
    for (TensorInfo initializer : file.initializers().values()) {
      for (Read read : reads.get(initializer.name())) {
        Optional<String> name = nameByNode(read);
        if (name.isPresent() && !found.containsKey(name.get())) {
          checkBias(read, name.get(), initializer);
          bind(name.get(), initializer, transposed(read), Rule.NODE, false);
        }
      }
    }
  }

  private Optional<String> nameByNode(Read read) {
    String path = read.node().getName();
    int last = path.lastIndexOf('/');
    if (last <= 0) {
      return Optional.empty();
    }
    String module = path.substring(path.startsWith("/") ? 1 : 0, last).replace('/', '.');
    return role(read).flatMap(role -> expectedName(module + "." + role));
  }

  private static Optional<String> role(Read read) {
    String[] roles =
        switch (read.node().getOpType()) {
          case "Gemm",
              "Conv",
              "LayerNormalization",
              "GroupNormalization",
              "MatMul",
              "FusedMatMul" ->
              new String[] {null, "weight", "bias"};
          case "RMSNormalization", "SimplifiedLayerNormalization" -> new String[] {null, "weight"};
          case "Mul" -> new String[] {"weight", "weight"};
          case "Add" -> new String[] {"bias", "bias"};
          case "Gather" -> new String[] {"weight"};
          default -> new String[0];
        };
    return read.input() >= 0 && read.input() < roles.length
        ? Optional.ofNullable(roles[read.input()])
        : Optional.empty();
  }

  /** A node's path and the bias added to its result must name the same module. */
  private void checkBias(Read read, String name, TensorInfo initializer) {
    Optional<String> byBias = nameByBias(read);
    if (byBias.isPresent() && !byBias.get().equals(name)) {
      throw new FileFormatException(
          file.path()
              + ": node '"
              + read.node().getName()
              + "': its name says that initializer '"
              + initializer.name()
              + "' is "
              + name
              + ", the bias that follows says "
              + byBias.get());
    }
  }

  private void byBias() {
    for (TensorInfo initializer : file.initializers().values()) {
      for (Read read : reads.get(initializer.name())) {
        Optional<String> name = nameByBias(read);
        if (name.isPresent() && !found.containsKey(name.get())) {
          bind(name.get(), initializer, transposed(read), Rule.BIAS, false);
        }
      }
    }
  }

  private Optional<String> nameByBias(Read read) {
    if (!read.node().getOpType().equals("MatMul") || read.input() != 1) {
      return Optional.empty();
    }
    String product = read.node().getOutput(0);
    for (DataFlow.Read sum : flow.reads(product)) {
      NodeProto node = sum.node();
      if (node.getOpType().equals("Add")) {
        String other = node.getInput(node.getInput(0).equals(product) ? 1 : 0);
        // Equal biases may be stored once; then one name stands for several.
        List<String> names = parametersOf.getOrDefault(other, List.of());
        if (names.size() == 1 && names.get(0).endsWith(".bias")) {
          return expectedName(names.get(0).replaceAll("bias$", "weight"));
        }
      }
    }
    return Optional.empty();
  }

  private void byShape() {
    Map<String, List<String>> missing = new TreeMap<>();
    expected.forEach(
        (name, shape) -> {
          if (!found.containsKey(name) && shape.rank() > 1) {
            missing.computeIfAbsent(shape.toString(), s -> new ArrayList<>()).add(name);
          }
        });
    Map<String, List<TensorInfo>> left = new TreeMap<>();
    for (TensorInfo initializer : file.initializers().values()) {
      if (!parametersOf.containsKey(initializer.name()) && initializer.shape().rank() > 1) {
        String shape = parameterShape(initializer, firstTransposed(initializer)).toString();
        left.computeIfAbsent(shape, s -> new ArrayList<>()).add(initializer);
      }
    }
    missing.forEach(
        (shape, names) -> {
          List<TensorInfo> candidates = left.getOrDefault(shape, List.of());
          if (names.size() == 1 && candidates.size() == 1) {
            TensorInfo only = candidates.get(0);
            bind(names.get(0), only, firstTransposed(only), Rule.SHAPE, false);
          }
        });
  }

  private Optional<String> expectedName(String name) {
    if (expected.containsKey(name)) {
      return Optional.of(name);
    }
    return PREFIXES.stream()
        .filter(name::startsWith)
        .map(prefix -> name.substring(prefix.length()))
        .filter(expected::containsKey)
        .findFirst();
  }

  private static Shape parameterShape(TensorInfo initializer, boolean transposed) {
    Shape shape = initializer.shape();
    return transposed && shape.rank() == 2
        ? Shape.of(shape.dimension(1), shape.dimension(0))
        : shape;
  }

  private void bind(
      String name, TensorInfo initializer, boolean transposed, Rule rule, boolean certain) {
    Shape shape = parameterShape(initializer, transposed);
    Shape wanted = expected.get(name);
    // Scales of normalisation are stored as [C, 1, 1], to be multiplied with [C, H, W].
    if (!withoutOnes(shape).equals(withoutOnes(wanted))) {
      if (!certain) {
        return;
      }
      throw new ModelException(
          file.describe(initializer.name())
              + ": expected shape "
              + wanted
              + " by the configuration, found "
              + shape);
    }
    boolean turned = transposed && initializer.shape().rank() == 2;
    found.put(name, new Found(initializer, turned, rule));
    parametersOf.computeIfAbsent(initializer.name(), i -> new ArrayList<>()).add(name);
  }

  private static List<Long> withoutOnes(Shape shape) {
    return Arrays.stream(shape.toArray()).filter(d -> d != 1).boxed().toList();
  }
}
