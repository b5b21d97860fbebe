package io.github.urae.onnx.internal.graph;

import static org.assertj.core.api.Assertions.assertThat;

import ai.onnx.proto.OnnxMl.NodeProto;
import io.github.urae.CancellationToken;
import io.github.urae.ProgressListener;
import io.github.urae.device.Device;
import io.github.urae.flux.model.Component;
import io.github.urae.onnx.internal.session.NetworkSession;
import io.github.urae.onnx.internal.session.SessionSettings;
import io.github.urae.onnx.internal.session.Weights;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.WeightEncoding;
import io.github.urae.weights.internal.BlockEncoding;
import io.github.urae.weights.internal.PlacedTensors;
import io.github.urae.weights.internal.WeightCache;
import io.github.urae.weights.internal.gguf.GgmlType;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Random;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Layers and tables in every type of block, against float64 products of the decoded values. */
class DequantisedBlocksTest {

  private static final SessionSettings SETTINGS =
      new SessionSettings(Device.cpu(), OptionalInt.of(1), false);

  private static final Arithmetic AS_STORED =
      new Arithmetic(ElementType.F32, LinearArithmetic.AS_STORED);

  private static final int ROWS = 96;
  private static final int COLUMNS = 512;

  @TempDir Path folder;

  static Stream<GgmlType> blocks() {
    return Stream.of(GgmlType.values()).filter(t -> t.encoding() instanceof BlockEncoding);
  }

  @ParameterizedTest
  @MethodSource("blocks")
  void aLayerMultipliesWithTheValuesOfItsBlocks(GgmlType type) throws IOException {
    long seed = new Random().nextLong();
    Random random = new Random(seed);
    float[] x = floats(random, 5 * COLUMNS);
    try (TensorSource source = source(random, type)) {
      GraphBuilder g =
          new GraphBuilder("layer", ElementType.F32, LinearLayers.of(source, AS_STORED));
      String input = g.input("x", ElementType.F32, "tokens", COLUMNS);
      String y = g.linear(LayerRole.BLOCK, "layer", input, COLUMNS, ROWS);
      g.output("y", y, ElementType.F32, "tokens", ROWS);
      NetworkGraph graph = g.build();
      float[] weight = values(source, "layer.weight");
      float[] bias = values(source, "layer.bias");
      float[] found = run(graph, source, Map.of("x", Tensor.ofFloats(x, 5, COLUMNS)));
      for (int token = 0; token < 5; token++) {
        for (int row = 0; row < ROWS; row++) {
          double sum = bias[row];
          double magnitude = Math.abs(bias[row]);
          for (int i = 0; i < COLUMNS; i++) {
            double product = (double) x[token * COLUMNS + i] * weight[row * COLUMNS + i];
            sum += product;
            magnitude += Math.abs(product);
          }
          assertThat((double) found[token * ROWS + row])
              .as("token %d, row %d, seed %d", token, row, seed)
              .isCloseTo(sum, org.assertj.core.data.Offset.offset(3e-6 * magnitude));
        }
      }
      long bits = graph.weights().get("layer.weight.codes").byteSize() * 8 / (ROWS * COLUMNS);
      assertThat(bits).isEqualTo(expectedBits(type));
    }
  }

  private static long expectedBits(GgmlType type) {
    return switch (type) {
      case Q4_0, Q4_1, Q4_K, Q2_K, Q3_K -> 4;
      default -> 8;
    };
  }

  @ParameterizedTest
  @MethodSource("blocks")
  void aTableGivesTheValuesOfItsBlocks(GgmlType type) throws IOException {
    long seed = new Random().nextLong();
    Random random = new Random(seed);
    try (TensorSource source = source(random, type)) {
      GraphBuilder g =
          new GraphBuilder("table", ElementType.F32, LinearLayers.of(source, AS_STORED));
      String ids = g.input("ids", ElementType.I64, "batch", "text");
      g.output(
          "y",
          g.rows("layer.weight", ids, ROWS, COLUMNS),
          ElementType.F32,
          "batch",
          "text",
          COLUMNS);
      float[] weight = values(source, "layer.weight");
      long[] chosen = {95, 0, 7, 7, 31, 1};
      float[] found = run(g.build(), source, Map.of("ids", longs(chosen)));
      for (int i = 0; i < chosen.length; i++) {
        for (int column = 0; column < COLUMNS; column++) {
          assertThat(found[i * COLUMNS + column])
              .as("row %d, column %d, seed %d", chosen[i], column, seed)
              .isEqualTo(weight[(int) chosen[i] * COLUMNS + column]);
        }
      }
    }
  }

  /** Otherwise ONNX Runtime would expand all weights of a network before its first layer runs. */
  @ParameterizedTest
  @MethodSource("blocks")
  void noWeightIsExpandedBeforeItsActivationsAreThere(GgmlType type) throws IOException {
    try (TensorSource source = source(new Random(1), type)) {
      GraphBuilder g =
          new GraphBuilder("layers", ElementType.F32, LinearLayers.of(source, AS_STORED));
      String hidden = g.input("hidden", ElementType.F32, "tokens", COLUMNS);
      String conditioning = g.input("conditioning", ElementType.F32, "tokens", COLUMNS);
      g.begin(hidden);
      String y = g.linear(LayerRole.MODULATION, "layer", conditioning, COLUMNS, ROWS);
      g.output("y", y, ElementType.F32, "tokens", ROWS);
      NetworkGraph graph = g.build();
      Map<String, Set<String>> reached = new HashMap<>();
      int expansions = 0;
      for (NodeProto node : graph.graph().getNodeList()) {
        Set<String> before = new HashSet<>();
        for (String input : node.getInputList()) {
          before.addAll(reached.getOrDefault(input, Set.of(input)));
        }
        node.getOutputList().forEach(output -> reached.put(output, before));
        if (node.getOpType().equals("DequantizeLinear")) {
          assertThat(before).contains("hidden", "conditioning");
          expansions++;
        }
      }
      assertThat(expansions).isPositive();
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = GgmlType.class,
      names = {"Q8_0", "Q4_0", "Q4_K", "Q6_K"})
  void aFileThatHasLostItsPathIsStillComputedWith(GgmlType type) throws IOException {
    Random random = new Random(3);
    Map<String, Tensor> inputs = Map.of("x", Tensor.ofFloats(floats(random, COLUMNS), 1, COLUMNS));
    try (TensorSource source = source(random, type)) {
      GraphBuilder g =
          new GraphBuilder("layer", ElementType.F32, LinearLayers.of(source, AS_STORED));
      String input = g.input("x", ElementType.F32, "tokens", COLUMNS);
      g.output(
          "y",
          g.linear(LayerRole.BLOCK, "layer", input, COLUMNS, ROWS),
          ElementType.F32,
          "n",
          ROWS);
      NetworkGraph graph = g.build();
      try (Weights weights = Weights.of(graph, source)) {
        TensorSource ready = inSession(weights);
        float[] before = run(graph, ready, inputs, SETTINGS);
        for (Path file : ready.files()) {
          Files.delete(file);
        }
        assertThat(run(graph, ready, inputs, SETTINGS)).isEqualTo(before);
      }
    }
  }

  private float[] run(NetworkGraph graph, TensorSource source, Map<String, Tensor> inputs)
      throws IOException {
    try (Weights weights = Weights.of(graph, source)) {
      return run(graph, inSession(weights), inputs, SETTINGS);
    }
  }

  private static float[] run(
      NetworkGraph graph, TensorSource ready, Map<String, Tensor> inputs, SessionSettings settings)
      throws IOException {
    try (NetworkSession session = NetworkSession.open(graph, ready, Map.of(), settings)) {
      return session.run(inputs, new CancellationToken());
    }
  }

  private TensorSource inSession(Weights weights) throws IOException {
    return weights.inSessionType(
        Component.TRANSFORMER,
        new WeightCache(folder.resolve("cache"), WeightCache.DEFAULT_MAX_BYTES),
        ProgressListener.NONE,
        new CancellationToken());
  }

  private static float[] values(TensorSource source, String name) throws IOException {
    float[] values = new float[(int) source.tensors().get(name).shape().elementCount()];
    source.readFloats(name, 0, values, 0, values.length);
    return values;
  }

  private static float[] floats(Random random, int count) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  private static Tensor longs(long[] values) {
    ByteBuffer bytes =
        ByteBuffer.allocateDirect(values.length * Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asLongBuffer().put(values);
    return Tensor.view(ElementType.I64, Shape.of(1, values.length), bytes, "ids");
  }

  /** Random blocks with scales of some use, and a bias. */
  private TensorSource source(Random random, GgmlType type) throws IOException {
    BlockEncoding encoding = (BlockEncoding) type.encoding();
    Shape shape = Shape.of(ROWS, COLUMNS);
    Shape biasShape = Shape.of(ROWS);
    int weightBytes = (int) encoding.byteSize(shape);
    ByteBuffer bytes =
        ByteBuffer.allocate(weightBytes + ROWS * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    random.nextBytes(bytes.array());
    int blockBytes = encoding.layout().blockBytes();
    for (int block = 0; block < weightBytes; block += blockBytes) {
      for (int at : halves(type)) {
        // 0.0002 to 0.03, of both signs; sometimes nothing.
        int half = (0x0A00 + random.nextInt(0x1DFF)) | random.nextInt(2) << 15;
        bytes.putShort(block + at, (short) (random.nextInt(9) == 0 ? 0 : half));
      }
    }
    bytes.position(weightBytes);
    for (float value : floats(random, ROWS)) {
      bytes.putFloat(value);
    }
    Path file = Files.write(folder.resolve(type + ".blocks"), bytes.array());
    List<TensorInfo> tensors = new ArrayList<>();
    tensors.add(new TensorInfo("layer.weight", encoding, shape, file, 0, weightBytes));
    tensors.add(
        new TensorInfo(
            "layer.bias",
            WeightEncoding.plain(ElementType.F32),
            biasShape,
            file,
            weightBytes,
            ROWS * Float.BYTES));
    return PlacedTensors.open(tensors);
  }

  /** Where a block's numbers in half precision lie, by ggml's structures. */
  private static int[] halves(GgmlType type) {
    return switch (type) {
      case Q4_1, Q5_1, Q4_K, Q5_K -> new int[] {0, 2};
      case Q2_K -> new int[] {80, 82};
      case Q3_K -> new int[] {108};
      case Q6_K -> new int[] {208};
      default -> new int[] {0};
    };
  }
}
