package io.github.urae.onnx.internal.source;

import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.TypeProto;
import ai.onnx.proto.OnnxMl.ValueInfoProto;
import io.github.urae.ModelException;
import io.github.urae.flux.model.ExportReport;
import io.github.urae.onnx.internal.graph.NetworkGraph;
import io.github.urae.tensor.Shape;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A network that someone exported to ONNX, understood: its parameters by name, and a graph over
 * them.
 *
 * <p>Where every parameter of the configuration is found, no weight is left over, and the export is
 * made of the same patterns as the network, the graph is the one that a checkpoint of the same
 * configuration gets, over the export's own bytes. Otherwise it is the export's, with its
 * initializers under the parameters' names.
 *
 * @param graph the graph that runs
 * @param weights its weights by the names and shapes of the parameters; the caller closes them
 * @param report what was understood
 */
public record ExportedNetwork(NetworkGraph graph, TensorSource weights, ExportReport report) {

  private static final Logger LOG = LoggerFactory.getLogger(ExportedNetwork.class);

  /** Largest unnamed initializer that may be a constant of the arithmetic. */
  private static final long MAX_CONSTANT_ELEMENTS = 1 << 14;

  /**
   * What an export must take and give: names, and ranks.
   *
   * @param inputs rank by name of each input that a pipeline binds
   * @param output the output that it reads
   */
  public record Interface(Map<String, Integer> inputs, String output) {}

  /**
   * Opens an export.
   *
   * @param model the {@code model.onnx}
   * @param own the graph that a checkpoint of the same configuration gets, in the session's type
   * @param contract inputs and output
   * @return the network; the caller closes its weights
   * @throws IOException if a file is missing or cannot be read
   * @throws io.github.urae.FileFormatException if a file is damaged, or external data is missing,
   *     cut short or outside the folder
   * @throws ModelException if it is another network, quantised, or needs operators that are not
   *     there
   */
  public static ExportedNetwork open(Path model, NetworkGraph own, Interface contract)
      throws IOException {
    OnnxFile file = OnnxFile.read(model);
    checkInterface(file, own.name(), contract);
    Map<String, ParameterNames.Found> found = ParameterNames.recover(file, own.parameters());
    List<String> missing =
        own.parameters().keySet().stream().filter(name -> !found.containsKey(name)).toList();
    Map<Ingredients.Kind, Integer> expected = Ingredients.of(own.graph());
    Map<Ingredients.Kind, Integer> actual = Ingredients.of(file.graph());
    List<String> remarks = remarks(file, found, missing, expected, actual);
    boolean rewritten = remarks.isEmpty();
    ExportedGraph asItIs = rewritten ? null : ExportedGraph.of(file, found, own, contract);
    TensorSource weights =
        rewritten
            ? ExportedWeights.open(model, found, own.parameters(), Optional.empty())
            : ExportedWeights.open(
                model,
                asItIs.found(),
                asItIs.graph().parameters(),
                Optional.of(model + ": " + String.join("; ", remarks)));
    Map<String, String> patterns = new LinkedHashMap<>();
    expected.forEach(
        (kind, count) -> {
          if (count > 0 || actual.get(kind) > 0) {
            patterns.put(kind.text(), actual.get(kind) + " of " + count);
          }
        });
    if (!rewritten) {
      asItIs.rewriting().ifPresent(result -> remarks.add("rewritten in part: " + result));
    }
    ExportReport report =
        new ExportReport(
            own.name(),
            model,
            own.parameters().size(),
            byRule(found),
            ExportedWeights.shared(weights.tensors().values()).size(),
            missing,
            patterns,
            rewritten,
            remarks);
    if (rewritten) {
      LOG.debug("{}", report);
    } else {
      LOG.warn(
          "{}: not understood as a whole; runs as it was exported, at the sizes that it allows: {}",
          model,
          String.join("; ", remarks));
    }
    return new ExportedNetwork(rewritten ? own : asItIs.graph(), weights, report);
  }

  private static void checkInterface(OnnxFile file, String network, Interface contract) {
    Map<String, Integer> inputs = new HashMap<>();
    for (ValueInfoProto input : file.graph().getInputList()) {
      if (!file.initializers().containsKey(input.getName())) {
        inputs.put(input.getName(), rank(input));
      }
    }
    if (!inputs.keySet().equals(contract.inputs().keySet())) {
      throw new ModelException(
          file.path()
              + ": expected the inputs "
              + sorted(contract.inputs().keySet())
              + " of the "
              + network
              + ", found "
              + sorted(inputs.keySet())
              + "; the file is of another network, or not of FLUX.1");
    }
    contract
        .inputs()
        .forEach(
            (name, rank) -> {
              if (inputs.get(name) >= 0 && !inputs.get(name).equals(rank)) {
                throw new ModelException(
                    file.path()
                        + ": input '"
                        + name
                        + "': expected "
                        + rank
                        + " dimensions, found "
                        + inputs.get(name));
              }
            });
    List<String> outputs =
        file.graph().getOutputList().stream().map(ValueInfoProto::getName).toList();
    if (!outputs.contains(contract.output())) {
      throw new ModelException(
          file.path()
              + ": expected an output '"
              + contract.output()
              + "' of the "
              + network
              + ", found "
              + outputs);
    }
  }

  private static List<String> sorted(Set<String> names) {
    return names.stream().sorted().toList();
  }

  /** Returns the number of dimensions, or -1 if the file does not say. */
  private static int rank(ValueInfoProto value) {
    TypeProto.Tensor tensor = value.getType().getTensorType();
    return tensor.hasShape() ? tensor.getShape().getDimCount() : -1;
  }

  private static List<String> remarks(
      OnnxFile file,
      Map<String, ParameterNames.Found> found,
      List<String> missing,
      Map<Ingredients.Kind, Integer> expected,
      Map<Ingredients.Kind, Integer> actual) {
    List<String> remarks = new ArrayList<>();
    Set<String> used =
        found.values().stream().map(f -> f.initializer().name()).collect(Collectors.toSet());
    if (!missing.isEmpty()) {
      remarks.add(
          missing.size()
              + " parameters were not found, such as "
              + whereMissing(file, used, missing));
    }
    List<TensorInfo> unused =
        file.initializers().values().stream()
            .filter(i -> !used.contains(i.name()) && i.type().isFloatingPoint())
            .filter(i -> i.shape().elementCount() > MAX_CONSTANT_ELEMENTS)
            .toList();
    if (!unused.isEmpty()) {
      remarks.add(
          unused.size()
              + " initializers are no parameters, such as '"
              + unused.get(0).name()
              + "' "
              + unused.get(0).shape());
    }
    expected.forEach(
        (kind, count) -> {
          if (!count.equals(actual.get(kind))) {
            remarks.add(kind.text() + ": expected " + count + " times, found " + actual.get(kind));
          }
        });
    return remarks;
  }

  /** Names a missing parameter and, where one is near, the node that it went into. */
  private static String whereMissing(OnnxFile file, Set<String> used, List<String> missing) {
    String name = missing.get(0);
    Set<String> unknown = new HashSet<>();
    for (TensorInfo initializer : file.initializers().values()) {
      if (!used.contains(initializer.name()) && initializer.shape().rank() > 1) {
        unknown.add(initializer.name());
      }
    }
    for (int end = name.lastIndexOf('.'); end > 0; end = name.lastIndexOf('.', end - 1)) {
      String module = name.substring(0, end);
      for (NodeProto node : file.graph().getNodeList()) {
        String path = node.getName().replace('/', '.');
        if (path.contains(module + ".")
            && node.getInputList().stream().anyMatch(unknown::contains)) {
          return name + ", fused into node '" + node.getName() + "'";
        }
      }
    }
    return name;
  }

  private static Map<String, Integer> byRule(Map<String, ParameterNames.Found> found) {
    Map<ParameterNames.Rule, Integer> counts = new EnumMap<>(ParameterNames.Rule.class);
    found.values().forEach(f -> counts.merge(f.rule(), 1, Integer::sum));
    Map<String, Integer> byRule = new LinkedHashMap<>();
    counts.forEach((rule, count) -> byRule.put(rule.text(), count));
    return byRule;
  }

  /** Shapes of the parameters as they are stored, up to a transposition. */
  static Shape storedShape(ParameterNames.Found found) {
    Shape shape = found.initializer().shape();
    return found.transposed() ? Shape.of(shape.dimension(1), shape.dimension(0)) : shape;
  }
}
