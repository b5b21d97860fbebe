package io.github.urae.onnx.internal.source;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.urae.CancellationToken;
import io.github.urae.device.Device;
import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.flux.arithmetic.RotaryTables;
import io.github.urae.flux.arithmetic.TokenPositions;
import io.github.urae.flux.arithmetic.TorchGenerator;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.Flux1;
import io.github.urae.flux.model.internal.TransformerConfig;
import io.github.urae.internal.JsonConfig;
import io.github.urae.onnx.internal.graph.TransformerGraph;
import io.github.urae.onnx.internal.session.BlockwiseNetwork;
import io.github.urae.onnx.internal.session.NetworkRuns;
import io.github.urae.onnx.internal.session.NetworkSession;
import io.github.urae.onnx.internal.session.SessionSettings;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import io.github.urae.testkit.OptimumExport;
import io.github.urae.testkit.TestData;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.TransposedElements;
import java.io.IOException;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A changed weight of an export changes the result, at the optimisation level of production. */
class ExportedWeightOverrideTest {

  private static final int TEXT_TOKENS = 4;

  @TempDir Path folder;

  private Path root;
  private Path model;
  private TransformerConfig config;

  @BeforeEach
  void unpack() throws IOException {
    root = OptimumExport.unpackInto(folder);
    model = root.resolve("transformer/model.onnx");
    config =
        TransformerConfig.from(
            JsonConfig.read(root.resolve("transformer/config.json")), Flux1.FAMILY);
  }

  private ExportedNetwork open() throws IOException {
    return ExportedNetwork.open(
        model,
        TransformerGraph.build(config, ElementType.F32),
        ExportContracts.of(Component.TRANSFORMER, true));
  }

  private float[] run(ExportedNetwork network, Map<String, Tensor> overrides) throws IOException {
    SessionSettings settings = new SessionSettings(Device.cpu(), OptionalInt.of(1), false);
    try (NetworkSession session =
        NetworkSession.open(network.graph(), network.weights(), overrides, settings)) {
      return session.run(inputs(), new CancellationToken());
    }
  }

  private Map<String, Tensor> inputs() {
    LatentGrid grid = new LatentGrid(Flux1.LATENTS, 64, 48);
    int tokens = (int) grid.tokens();
    TorchGenerator random = new TorchGenerator(7);
    int[] axes = config.rotaryAxes().stream().mapToInt(Integer::intValue).toArray();
    RotaryTables tables = RotaryTables.of(axes, TokenPositions.of(TEXT_TOKENS, grid), 1, 1);
    Map<String, Tensor> inputs = new HashMap<>();
    inputs.put("hidden_states", Tensor.ofFloats(random.randn(tokens * 64), 1, tokens, 64));
    inputs.put(
        "encoder_hidden_states",
        Tensor.ofFloats(
            random.randn(TEXT_TOKENS * config.textDim()), 1, TEXT_TOKENS, config.textDim()));
    inputs.put(
        "pooled_projections",
        Tensor.ofFloats(random.randn(config.pooledDim()), 1, config.pooledDim()));
    inputs.put("timestep", Tensor.ofFloats(new float[] {0.7f}, 1));
    inputs.put("guidance", Tensor.ofFloats(new float[] {3.5f}, 1));
    for (String side : List.of("query", "key")) {
      long all = TEXT_TOKENS + grid.tokens();
      inputs.put(side + "_cos", Tensor.ofFloats(tables.cos(), all, config.headDim() / 2));
      inputs.put(side + "_sin", Tensor.ofFloats(tables.sin(), all, config.headDim() / 2));
    }
    return inputs;
  }

  /** The weight with all values half as large again, and a little more. */
  private static Tensor changed(TensorSource weights, String name) throws IOException {
    Shape shape = weights.tensors().get(name).shape();
    float[] values = new float[(int) shape.elementCount()];
    weights.readFloats(name, 0, values, 0, values.length);
    for (int i = 0; i < values.length; i++) {
      values[i] = 1.5f * values[i] + 0.01f;
    }
    return Tensor.ofFloats(values, shape.toArray());
  }

  private void everyWeightMatters() throws IOException {
    ExportedNetwork network = open();
    try (TensorSource weights = network.weights()) {
      float[] base = run(network, Map.of());
      List<String> ignored = new ArrayList<>();
      int adaptable = 0;
      for (TensorInfo info : weights.tensors().values()) {
        if (info.shape().rank() == 2) {
          adaptable++;
          float[] result = run(network, Map.of(info.name(), changed(weights, info.name())));
          if (!(TestData.relativeDifference(base, result) > 1e-5)) {
            ignored.add(info.name());
          }
        }
      }
      assertThat(adaptable).isEqualTo(62);
      assertThat(ignored).isEmpty();
    }
  }

  @Test
  void everyWeightOfARewrittenExport() throws IOException {
    everyWeightMatters();
  }

  @Test
  void everyWeightOfAnExportThatRunsAsItIs() throws IOException {
    OnnxEdit.edit(model, OnnxEdit::addRelu);
    assertThat(open().report().rewritten()).isFalse();
    everyWeightMatters();
  }

  /** Reading ahead must touch the stored bytes: the values would be turned in each step. */
  @Test
  void blocksTakeTransposedWeightsAsTheyLie() throws IOException {
    ExportedNetwork network = open();
    SessionSettings settings = new SessionSettings(Device.cpu(), OptionalInt.of(1), false);
    try (TensorSource weights = network.weights()) {
      Set<Object> inPlace =
          weights.tensors().values().stream()
              .filter(t -> t.encoding() instanceof TransposedElements)
              .filter(t -> t.offset() % Float.BYTES == 0)
              .map(TensorInfo::name)
              .collect(Collectors.toSet());
      assertThat(inPlace).hasSizeGreaterThan(20);
      List<String> turned = Collections.synchronizedList(new ArrayList<>());
      TensorSource recording =
          (TensorSource)
              Proxy.newProxyInstance(
                  getClass().getClassLoader(),
                  new Class<?>[] {TensorSource.class},
                  (proxy, method, arguments) -> {
                    // What lies inside of model.onnx may be misaligned, and is copied.
                    if (Set.of("tensor", "readFloats", "readRows").contains(method.getName())
                        && inPlace.contains(arguments[0])) {
                      turned.add(method.getName() + " " + arguments[0]);
                    }
                    return method.invoke(weights, arguments);
                  });
      try (BlockwiseNetwork blocks =
          new BlockwiseNetwork(
              network.graph(), recording, Map.of(), settings, new NetworkRuns(TestData.CACHE))) {
        assertThat(blocks.run(inputs(), new CancellationToken())).isEqualTo(run(network, Map.of()));
      }
      assertThat(turned).isEmpty();
    }
  }

  @Test
  void sharedInitializersAreSplit() throws IOException {
    String first = "single_transformer_blocks.0.attn.to_q.weight";
    String second = "single_transformer_blocks.1.attn.to_q.weight";
    OnnxEdit.edit(model, OnnxEdit.initializerName("onnx::MatMul_2616", "onnx::MatMul_2586"));
    OnnxEdit.edit(
        model,
        changing -> {
          for (int i = changing.getGraph().getInitializerCount() - 1; i >= 0; i--) {
            if (changing.getGraph().getInitializer(i).getName().equals("onnx::MatMul_2586")) {
              changing.getGraphBuilder().removeInitializer(i);
              return;
            }
          }
        });
    for (boolean understood : new boolean[] {true, false}) {
      if (!understood) {
        OnnxEdit.edit(model, OnnxEdit::addRelu);
      }
      ExportedNetwork network = open();
      try (TensorSource weights = network.weights()) {
        assertThat(network.report().rewritten()).isEqualTo(understood);
        assertThat(network.report().shared()).isEqualTo(2);
        Tensor changed = changed(weights, first);
        float[] none = run(network, Map.of());
        float[] onlyFirst = run(network, Map.of(first, changed));
        float[] onlySecond = run(network, Map.of(second, changed));
        float[] both = run(network, Map.of(first, changed, second, changed));
        List<float[]> results = List.of(none, onlyFirst, onlySecond, both);
        for (int i = 0; i < results.size(); i++) {
          for (int j = 0; j < i; j++) {
            assertThat(TestData.relativeDifference(results.get(i), results.get(j)))
                .as("%d and %d", i, j)
                .isGreaterThan(1e-6);
          }
        }
      }
    }
  }
}
