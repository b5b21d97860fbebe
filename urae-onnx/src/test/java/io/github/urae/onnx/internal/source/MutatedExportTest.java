package io.github.urae.onnx.internal.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.ModelProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import io.github.urae.UraeException;
import io.github.urae.device.Device;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.ClipTextConfig;
import io.github.urae.flux.model.internal.Flux1;
import io.github.urae.flux.model.internal.TransformerConfig;
import io.github.urae.internal.JsonConfig;
import io.github.urae.onnx.internal.graph.ClipTextGraph;
import io.github.urae.onnx.internal.graph.GraphSegments;
import io.github.urae.onnx.internal.graph.NetworkGraph;
import io.github.urae.onnx.internal.graph.TransformerGraph;
import io.github.urae.onnx.internal.session.NetworkSession;
import io.github.urae.onnx.internal.session.SessionSettings;
import io.github.urae.tensor.ElementType;
import io.github.urae.testkit.OptimumExport;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Random;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Exports changed at random open, or are refused with an exception of this library's own, within
 * seconds. {@code -Durae.test.seed} gives other changes.
 */
class MutatedExportTest {

  private static final int ROUNDS = 200;

  /** Sessions take ten times as long as everything else. */
  private static final int ROUNDS_WITH_SESSION = 20;

  private static final Duration LONGEST = Duration.ofMinutes(2);

  @TempDir static Path folder;

  private static Path root;

  @BeforeAll
  static void unpack() throws IOException {
    root = OptimumExport.unpackInto(folder);
  }

  @Test
  void transformer() throws IOException {
    JsonConfig config = JsonConfig.read(root.resolve("transformer/config.json"));
    mutate(
        Component.TRANSFORMER,
        TransformerGraph.build(TransformerConfig.from(config, Flux1.FAMILY), ElementType.F32));
  }

  @Test
  void textEncoder() throws IOException {
    JsonConfig config = JsonConfig.read(root.resolve("text_encoder/config.json"));
    mutate(
        Component.TEXT_ENCODER, ClipTextGraph.build(ClipTextConfig.from(config), ElementType.F32));
  }

  private static void mutate(Component network, NetworkGraph own) throws IOException {
    long seed = Long.getLong("urae.test.seed", 12);
    Path file = root.resolve(network.id()).resolve("model.onnx");
    ModelProto whole = ModelProto.parseFrom(Files.readAllBytes(file));
    int opened = 0;
    int refused = 0;
    for (int round = 0; round < ROUNDS; round++) {
      Random random = new Random(seed * 1_000_003 + round);
      ModelProto.Builder model = whole.toBuilder();
      int changes = 1 + random.nextInt(3);
      List<String> done = new ArrayList<>();
      for (int i = 0; i < changes; i++) {
        done.add(change(model.getGraphBuilder(), random));
      }
      Files.write(file, model.build().toByteArray());
      long start = System.nanoTime();
      try {
        open(file, network, own, round < ROUNDS_WITH_SESSION);
        opened++;
      } catch (UraeException e) {
        assertThat(e).hasMessageContaining(own.name());
        refused++;
      } catch (Throwable e) {
        fail("seed " + seed + ", round " + round + ": " + done, e);
      }
      assertThat(Duration.ofNanos(System.nanoTime() - start))
          .as("seed %d, round %d: %s", seed, round, done)
          .isLessThan(LONGEST);
    }
    System.out.printf(
        "%s, seed %d: %d of %d changed exports open, the others are refused%n",
        network, seed, opened, ROUNDS);
    assertThat(opened).isPositive();
    assertThat(refused).isPositive();
  }

  private static void open(Path file, Component network, NetworkGraph own, boolean withSession)
      throws IOException {
    ExportedNetwork export = ExportedNetwork.open(file, own, ExportContracts.of(network, true));
    try (TensorSource weights = export.weights()) {
      GraphSegments.cut(export.graph());
      if (withSession) {
        SessionSettings settings = new SessionSettings(Device.cpu(), OptionalInt.of(1), false);
        NetworkSession.open(export.graph(), weights, Map.of(), settings).close();
      }
    }
  }

  /** Makes one change and says which. */
  private static String change(GraphProto.Builder graph, Random random) {
    int index = random.nextInt(graph.getNodeCount());
    NodeProto.Builder node = graph.getNodeBuilder(index);
    NodeProto other = graph.getNode(random.nextInt(graph.getNodeCount()));
    String what = node.getOpType() + " '" + node.getName() + "'";
    int kind = random.nextInt(12);
    switch (kind) {
      case 0 -> graph.removeNode(index);
      case 1 -> graph.addNode(random.nextInt(graph.getNodeCount()), node.build());
      case 2 -> { // A copy with a result of its own.
        graph.addNode(index, node.build().toBuilder().setOutput(0, node.getOutput(0) + " again"));
      }
      case 3 -> rewire(node, random, other.getOutput(0));
      case 4 -> rewire(node, random, node.getOutput(0));
      case 5 -> rewire(node, random, "");
      case 6 -> {
        if (node.getInputCount() > 0) {
          List<String> inputs = new ArrayList<>(node.getInputList());
          inputs.remove(random.nextInt(inputs.size()));
          node.clearInput().addAllInput(inputs);
        }
      }
      case 7 -> node.clearOutput();
      case 8 -> node.setOutput(0, "");
      case 9 -> node.clearAttribute();
      case 10 -> node.setOpType(other.getOpType());
      default -> {
        String initializer =
            graph.getInitializer(random.nextInt(graph.getInitializerCount())).getName();
        if (random.nextBoolean()) {
          rewire(node, random, initializer);
        } else {
          int first = random.nextInt(graph.getInitializerCount());
          graph.removeInitializer(first);
        }
      }
    }
    return "change " + kind + " of " + what;
  }

  private static void rewire(NodeProto.Builder node, Random random, String value) {
    if (node.getInputCount() > 0) {
      node.setInput(random.nextInt(node.getInputCount()), value);
    }
  }
}
