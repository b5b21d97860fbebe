package io.github.urae.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.urae.CancellationToken;
import io.github.urae.ProgressListener;
import io.github.urae.adapter.AdapterSpec;
import io.github.urae.adapter.CheckpointQuantiser;
import io.github.urae.device.Device;
import io.github.urae.device.Offload;
import io.github.urae.device.Precision;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.onnx.internal.graph.Arithmetic;
import io.github.urae.onnx.internal.graph.LinearArithmetic;
import io.github.urae.onnx.internal.model.Networks;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Tensor;
import io.github.urae.testkit.TestData;
import io.github.urae.weights.Safetensors;
import io.github.urae.weights.SafetensorsWriter;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Adapters on weights of few bits: computed beside what is stored, and not rounded to it, in which
 * most of a small update would be lost.
 */
class QuantisedAdaptersTest {

  private static final Arithmetic AS_STORED =
      new Arithmetic(ElementType.F32, LinearArithmetic.AS_STORED);

  private static final List<AdapterSpec> LORA =
      List.of(new AdapterSpec(TestData.path("adapters/peft.safetensors"), 1));

  /** The second replaces minor components of what the first leaves. */
  private static final List<AdapterSpec> MINOR =
      List.of(new AdapterSpec(TestData.adapter2k(), 1), new AdapterSpec(TestData.adapter4k(), 1));

  @TempDir Path folder;

  private Path nf4() throws IOException {
    Path file = folder.resolve("nf4.safetensors");
    QuantisedWriter.writeNf4(file);
    return file;
  }

  @Test
  void loraOnNf4() throws IOException {
    assertAdapters(new QuantisedCase("flux-tiny-bnb-nf4-v2", nf4()));
  }

  @ParameterizedTest
  @EnumSource(CheckpointQuantiser.Encoding.class)
  void loraOnBlocksOfGguf(CheckpointQuantiser.Encoding encoding) throws IOException {
    boolean fourBits = encoding == CheckpointQuantiser.Encoding.Q4_0;
    Path eightBits = folder.resolve("q8_0.gguf");
    if (!fourBits) {
      QuantisedWriter.writeQ80(eightBits);
    }
    assertAdapters(
        fourBits
            ? QuantisedCase.gguf("flux-tiny-Q4_0")
            : new QuantisedCase("flux-tiny-Q8_0", eightBits));
  }

  /** As recorded with the adapter; without it again, the base bit by bit. */
  private void assertAdapters(QuantisedCase recorded) throws IOException {
    for (Arithmetic arithmetic : List.of(Arithmetic.FLOAT32, AS_STORED)) {
      Path own = Files.createTempDirectory(folder, "model");
      try (Networks base = recorded.open(own, "flux-tiny", arithmetic);
          Networks adapted = with(base, LORA);
          Networks removed = with(adapted, List.of())) {
        recorded.assertRuns(adapted, "lora_peft_");
        assertThat(recorded.latents(removed)).isEqualTo(recorded.latents(base));
      }
    }
  }

  private static Networks with(Networks networks, List<AdapterSpec> adapters) throws IOException {
    return networks.with(adapters, ProgressListener.NONE, new CancellationToken());
  }

  /**
   * Two adapters at once, minor components, and what has no low rank: magnitudes, whole matrices,
   * Kronecker products. The first are the same as on the stored values in float32; of the others,
   * merged and rounded to 8 bits, as good as all of the effect stays.
   */
  @ParameterizedTest
  @CsvSource({
    "peft+urae_2k_adapter, 1e-4",
    "urae_2k_adapter+urae_4k_adapter, 1e-4",
    "loha, 1e-2",
    "peft_dora, 0.05",
    "lokr, 0.05",
    "full, 0.05",
    "peft_dora+urae_2k_adapter, 0.05",
  })
  void adaptersOnNf4AsOnItsValues(String names, double allowed) throws IOException {
    List<AdapterSpec> adapters =
        Stream.of(names.split("\\+", -1))
            .map(name -> TestData.path("adapters/" + name + ".safetensors"))
            .map(file -> new AdapterSpec(file, 1))
            .toList();
    QuantisedCase nf4 = new QuantisedCase("flux-tiny-bnb-nf4-v2", nf4());
    Path plain = folder.resolve("plain.safetensors");
    QuantisedWriter.writeValues(nf4.file(), plain);
    QuantisedCase values = new QuantisedCase("flux-tiny-bnb-nf4-v2", plain);
    Path own = Files.createTempDirectory(folder, "model");
    try (Networks floats = open(values, Arithmetic.FLOAT32);
        Networks expected = with(floats, adapters);
        Networks base = nf4.open(own, "flux-tiny", AS_STORED)) {
      long before = bytesOf(own.resolve("cache"));
      try (Networks adapted = with(base, adapters);
          Networks removed = with(adapted, List.of())) {
        double room = (double) (bytesOf(own.resolve("cache")) - before) / Files.size(plain);
        double[] effect = effect(values, floats, expected);
        double lost = difference(effect, effect(nf4, base, adapted));
        System.out.printf(
            "%s on NF4: changes %.2e, of which %.2e are lost; takes %.3f of the model in float32%n",
            names, size(effect), lost, room);
        assertThat(size(effect)).isGreaterThan(1e-4);
        assertThat(lost).isLessThan(allowed);
        assertThat(room).isLessThan(allowed < 0.05 ? 0.25 : 0.3);
        assertThat(nf4.firstVelocity(removed)).isEqualTo(nf4.firstVelocity(base));
      }
    }
  }

  private static long bytesOf(Path cache) throws IOException {
    try (Stream<Path> files = Files.walk(cache)) {
      return files.filter(Files::isRegularFile).mapToLong(file -> file.toFile().length()).sum();
    }
  }

  /** What adapters change of the first velocity, in parts of its largest value. */
  private static double[] effect(QuantisedCase recorded, Networks base, Networks adapted)
      throws IOException {
    float[] before = recorded.firstVelocity(base);
    float[] after = recorded.firstVelocity(adapted);
    double most = 0;
    double[] effect = new double[before.length];
    for (int i = 0; i < effect.length; i++) {
      effect[i] = (double) after[i] - before[i];
      most = Math.max(most, Math.abs(before[i]));
    }
    for (int i = 0; i < effect.length; i++) {
      effect[i] /= most;
    }
    return effect;
  }

  private static double size(double[] values) {
    double squares = 0;
    for (double value : values) {
      squares += value * value;
    }
    return Math.sqrt(squares / values.length);
  }

  /** The root mean square of a difference, in parts of what is expected. */
  private static double difference(double[] expected, double[] found) {
    double[] difference = new double[expected.length];
    for (int i = 0; i < difference.length; i++) {
      difference[i] = found[i] - expected[i];
    }
    return size(difference) / size(expected);
  }

  /**
   * In any precision, of a small LoRA and of URAE's: what is lost is what the rest of the network
   * makes otherwise of the same change. With 4 bits, rounding would have left half of the first.
   */
  @ParameterizedTest
  @EnumSource(LinearArithmetic.class)
  void theEffectSurvivesInEveryPrecision(LinearArithmetic linear) throws IOException {
    Path file = folder.resolve("float8.safetensors");
    QuantisedWriter.writePlainFloat8(file, QuantisedWriter.original());
    QuantisedCase float8 = new QuantisedCase("float8 as " + linear, file);
    try (Networks exact = open(float8, Arithmetic.FLOAT32);
        Networks base = open(float8, new Arithmetic(ElementType.F32, linear))) {
      for (List<AdapterSpec> adapters : List.of(LORA, MINOR)) {
        try (Networks exactAdapted = with(exact, adapters);
            Networks adapted = with(base, adapters)) {
          double[] effect = effect(float8, exact, exactAdapted);
          double lost = difference(effect, effect(float8, base, adapted));
          System.out.printf(
              "%s: %d adapters change %.2e, of which %.2e are lost%n",
              float8.label(), adapters.size(), size(effect), lost);
          assertThat(lost).isLessThan(allowed(linear));
        }
      }
    }
  }

  /**
   * Also of T5, whose table of tokens changes too, and block by block: as in float32, in which all
   * of it is merged.
   */
  @Test
  void everyNetworkAndBlockByBlock() throws IOException {
    Random random = new Random(7);
    String layer = "text_encoder_2.encoder.block.1.layer.0.SelfAttention.q.";
    int width = 96;
    int tokens = 0;
    int inner = 0;
    try (TensorSource t5 =
        Safetensors.open(TestData.path("quantised/files/t5-encoder-Q8_0.gguf"))) {
      tokens = (int) t5.find("token_embd.weight").orElseThrow().shape().dimension(0);
      inner = (int) t5.find("enc.blk.1.attn_q.weight").orElseThrow().shape().dimension(0);
    }
    Path lora = folder.resolve("t5.safetensors");
    SafetensorsWriter.write(
        lora,
        Map.of(),
        Map.of(
            layer + "lora_A.weight",
            gaussian(random, 0.3, 4, width),
            layer + "lora_B.weight",
            gaussian(random, 0.3, inner, 4),
            "text_encoder_2.shared.diff",
            gaussian(random, 0.3, tokens, width)));
    List<AdapterSpec> adapters = List.of(LORA.get(0), new AdapterSpec(lora, 1));
    float[] merged = latents(Precision.FLOAT32, Offload.ALL, adapters);
    float[] beside = latents(Precision.AUTO, Offload.ALL, adapters);
    TestData.assertClose("beside", merged, beside, QuantisedCase.SEVERAL_STEPS);
    TestData.assertClose("blocks", beside, latents(Precision.AUTO, Offload.BLOCK, adapters), 1e-5);
    float[] base = latents(Precision.AUTO, Offload.ALL, List.of());
    assertThat(TestData.relativeDifference(beside, base)).isGreaterThan(0.01);
    float[] off = latents(Precision.AUTO, Offload.ALL, List.of(new AdapterSpec(lora, 0)));
    assertThat(off).isEqualTo(base);
    float[] t5Alone = latents(Precision.AUTO, Offload.ALL, adapters.subList(1, 2));
    assertThat(TestData.relativeDifference(t5Alone, base)).isGreaterThan(1e-3);
  }

  private static Tensor gaussian(Random random, double size, int rows, int columns) {
    float[] values = new float[rows * columns];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (size * random.nextGaussian());
    }
    return Tensor.ofFloats(values, rows, columns);
  }

  private static float[] latents(Precision precision, Offload offload, List<AdapterSpec> adapters)
      throws IOException {
    try (FluxPipeline pipeline =
        FluxPipeline.builder()
            .model(TestData.checkpoint())
            .transformer(TestData.path("quantised/files/flux-tiny-Q4_0.gguf"))
            .textEncoder2(TestData.path("quantised/files/t5-encoder-Q8_0.gguf"))
            .adapters(adapters)
            .device(Device.cpu())
            .precision(precision)
            .offload(offload)
            .cacheFolder(TestData.CACHE)
            .build()) {
      return pipeline
          .generate(GenerationRequest.builder("a red circle").size(64, 48).steps(2).seed(5).build())
          .get(0)
          .latents()
          .toFloats();
    }
  }

  private static double allowed(LinearArithmetic linear) {
    return switch (linear) {
      case PLAIN, AS_STORED -> 1e-4;
      case INT8, INT8_UNSIGNED, Q8 -> 0.2;
      case Q4 -> 0.35;
    };
  }

  private Networks open(QuantisedCase file, Arithmetic arithmetic) throws IOException {
    return file.open(Files.createTempDirectory(folder, "model"), "flux-tiny", arithmetic);
  }
}
