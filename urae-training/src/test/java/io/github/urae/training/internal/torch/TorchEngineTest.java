package io.github.urae.training.internal.torch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.github.urae.AdapterException;
import io.github.urae.CancellationToken;
import io.github.urae.GenerationCancelledException;
import io.github.urae.InferenceException;
import io.github.urae.ModelException;
import io.github.urae.ProgressListener;
import io.github.urae.adapter.AdapterSpec;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.arithmetic.TorchGenerator;
import io.github.urae.flux.model.internal.ModelLocation;
import io.github.urae.pipeline.FluxPipeline;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Tensor;
import io.github.urae.testkit.TestData;
import io.github.urae.training.internal.engine.AdapterStage;
import io.github.urae.training.internal.engine.BaseModel;
import io.github.urae.training.internal.engine.EngineSettings;
import io.github.urae.training.internal.engine.NativeMemory;
import io.github.urae.training.internal.engine.OptimizerSettings;
import io.github.urae.training.internal.engine.StepInputs;
import io.github.urae.training.internal.engine.TargetModules;
import io.github.urae.training.internal.engine.TrainingEngine;
import io.github.urae.weights.SafetensorsWriter;
import io.github.urae.weights.internal.WeightCache;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What holds of an engine beside the arithmetic. */
class TorchEngineTest {

  private static RecordedRun run(String stage) throws IOException {
    return new RecordedRun(stage, "prodigy");
  }

  private static void steps(TrainingEngine engine, RecordedRun run, int first, int last)
      throws IOException {
    for (int step = first; step <= last; step++) {
      engine.accumulate(run.step(step), 1);
      engine.clipGradients(1);
      engine.update(1);
    }
  }

  private static Map<String, List<Byte>> bits(Map<String, Tensor> tensors) {
    Map<String, List<Byte>> bits = new HashMap<>();
    tensors.forEach(
        (name, tensor) -> {
          byte[] bytes = new byte[tensor.data().remaining()];
          tensor.data().get(bytes);
          List<Byte> list = new ArrayList<>();
          for (byte b : bytes) {
            list.add(b);
          }
          bits.put(name, list);
        });
    return bits;
  }

  @ParameterizedTest
  @ValueSource(strings = {"F32", "BF16"})
  void aRestoredEngineGoesOnToTheSameBits(ElementType adapterType) throws IOException {
    RecordedRun run = run("2k");
    EngineSettings settings = run.settings().withTypes(ElementType.F32, adapterType);
    try (TrainingEngine whole = run.open(settings);
        TrainingEngine resumed = run.open(settings)) {
      steps(whole, run, 1, 2);
      resumed.restore(whole.adapter(), whole.optimizerState());
      assertThat(bits(resumed.adapter())).isEqualTo(bits(whole.adapter()));
      steps(whole, run, 3, 4);
      steps(resumed, run, 3, 4);
      assertThat(bits(resumed.adapter())).isEqualTo(bits(whole.adapter()));
      assertThat(bits(resumed.optimizerState())).isEqualTo(bits(whole.optimizerState()));
      assertThat(resumed.updates()).isEqualTo(4);
      assertThat(whole.adapter().values())
          .allSatisfy(tensor -> assertThat(tensor.type()).isEqualTo(adapterType));
    }
  }

  @Test
  void gradientsAddUpAndAreDiscarded() throws IOException {
    RecordedRun run = run("2k");
    try (TrainingEngine engine = run.open(run.settings())) {
      double loss = engine.accumulate(run.step(1), 0.25);
      assertThat(engine.evaluate(run.step(1))).isCloseTo(loss, within(1e-6));
      double once = engine.clipGradients(Double.POSITIVE_INFINITY);
      engine.accumulate(run.step(1), 0.25);
      assertThat(engine.clipGradients(Double.POSITIVE_INFINITY))
          .isCloseTo(2 * once, within(1e-5 * once));
      engine.discardGradients();
      assertThat(engine.clipGradients(1)).isZero();
    }
  }

  /** Another picture of the size of a recorded one, with another caption and noise level. */
  private static StepInputs another(StepInputs like) {
    TorchGenerator random = new TorchGenerator(5);
    return new StepInputs(
        random(random, like.latents()),
        like.rows(),
        like.columns(),
        0.25,
        1,
        random(random, like.text()),
        random(random, like.pooled()),
        random(random, like.target()),
        0.5);
  }

  private static Tensor random(TorchGenerator random, Tensor like) {
    return Tensor.ofFloats(random.randn((int) like.shape().elementCount()), like.shape().toArray());
  }

  @ParameterizedTest
  @CsvSource({"2k, true, 1", "2k, false, 2", "4k, true, 2", "4k, false, 1"})
  void picturesComputedAtOnceGiveTheSumOfTheirGradients(
      String stage, boolean recomputation, int workers) throws IOException {
    RecordedRun run = run(stage);
    StepInputs one = run.step(1);
    TargetModules targets =
        stage.equals("4k")
            ? TargetModules.URAE
            : new TargetModules(List.of("attn.*", "ff*.net.*", "norm*linear", "proj_*"));
    EngineSettings settings =
        (stage.equals("4k")
                ? run.settings()
                : EngineSettings.of(new AdapterStage.Lora(4, 4, targets, 0)))
            .withDevice("cpu", OptionalInt.of(1))
            .withRecomputation(recomputation, false)
            .withWorkers(workers);
    List<StepInputs> pictures = List.of(one, run.step(2), another(one), run.step(2));
    try (TrainingEngine engine = run.open(settings)) {
      Map<String, Tensor> start = new HashMap<>(engine.adapter());
      TorchGenerator random = new TorchGenerator(6);
      start.replaceAll(
          (key, value) ->
              key.contains("lora_B")
                  ? Tensor.ofFloats(
                      scaled(random.randn((int) value.shape().elementCount()), 0.05f),
                      value.shape().toArray())
                  : value);
      engine.restore(start, Map.of());
      List<Double> alone = new ArrayList<>();
      for (StepInputs picture : pictures) {
        alone.add(engine.accumulate(picture, 0.25));
      }
      Map<String, Tensor> sum = engine.gradients();
      engine.discardGradients();
      List<Double> losses = engine.accumulate(pictures, 0.25);
      for (int i = 0; i < pictures.size(); i++) {
        assertThat(losses.get(i)).isCloseTo(alone.get(i), within(1e-5 * alone.get(i)));
      }
      Map<String, Tensor> together = engine.gradients();
      engine.discardGradients();
      engine.accumulate(pictures, 0.25);
      assertThat(bits(engine.gradients())).isEqualTo(bits(together));
      sum.forEach(
          (key, tensor) -> {
            float[] expected = tensor.toFloats();
            float[] found = together.get(key).toFloats();
            double largest = largestError(expected, new float[expected.length]);
            assertThat(largestError(expected, found)).as(key).isLessThan(1e-4 * largest);
          });
    }
  }

  private static double largestError(float[] expected, float[] found) {
    assertThat(found).hasSameSizeAs(expected);
    double error = 0;
    for (int i = 0; i < expected.length; i++) {
      error = Math.max(error, Math.abs(expected[i] - found[i]));
    }
    return error;
  }

  private static float[] scaled(float[] values, float factor) {
    for (int i = 0; i < values.length; i++) {
      values[i] *= factor;
    }
    return values;
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2})
  void whatIsNotFiniteAmongSeveralIsNamed(int workers) throws IOException {
    RecordedRun run = run("2k");
    try (TrainingEngine engine = run.open(run.settings().withWorkers(workers))) {
      StepInputs one = run.step(1);
      float[] target = one.target().toFloats();
      target[3] = Float.POSITIVE_INFINITY;
      StepInputs bad =
          new StepInputs(
              one.latents(),
              one.rows(),
              one.columns(),
              one.sigma(),
              1,
              one.text(),
              one.pooled(),
              Tensor.ofFloats(target, one.target().shape().toArray()),
              1);
      NativeMemory before = engine.memory();
      assertThatThrownBy(() -> engine.accumulate(List.of(one, bad, one), 1))
          .isInstanceOf(InferenceException.class)
          .hasMessageContaining("of picture 2 of 3");
      assertThat(engine.clipGradients(1)).isZero();
      assertThat(engine.memory().pointers()).isEqualTo(before.pointers());
      assertThatThrownBy(() -> engine.accumulate(List.of(), 1))
          .isInstanceOf(IllegalArgumentException.class);
      assertThat(engine.accumulate(List.of(one, one), 1)).hasSize(2);
    }
  }

  /** Whoever reads the file need not know alpha; and training goes on to the same bits. */
  @Test
  void aLoraWithAnAlphaIsGivenReadyToUse() throws IOException {
    RecordedRun run = run("2k");
    EngineSettings settings =
        EngineSettings.of(new AdapterStage.Lora(4, 10, TargetModules.URAE, 0))
            .withOptimizer(OptimizerSettings.AdamW.URAE)
            .withDevice("cpu", OptionalInt.of(1));
    try (TrainingEngine scaled = run.open(settings);
        TrainingEngine resumed = run.open(settings);
        TrainingEngine plain = run.open(run.settings())) {
      for (int step = 1; step <= 3; step++) {
        scaled.accumulate(run.step(step), 1);
        scaled.clipGradients(1);
        scaled.update(1e-2);
      }
      plain.restore(scaled.adapter(), Map.of());
      float[] expected = scaled.prediction(run.step(4));
      assertThat(largestError(expected, plain.prediction(run.step(4)))).isLessThan(1e-4);
      resumed.restore(scaled.adapter(), scaled.optimizerState());
      assertThat(resumed.prediction(run.step(4))).isEqualTo(expected);
      for (TrainingEngine engine : List.of(scaled, resumed)) {
        engine.accumulate(run.step(4), 1);
        engine.update(1e-2);
      }
      assertThat(bits(resumed.adapter())).isEqualTo(bits(scaled.adapter()));
      assertThat(bits(resumed.optimizerState())).isEqualTo(bits(scaled.optimizerState()));
      // Without its state an adapter may be gone on from as well.
      resumed.restore(scaled.adapter(), Map.of());
      assertThat(largestError(scaled.prediction(run.step(5)), resumed.prediction(run.step(5))))
          .isLessThan(1e-4);
      assertThatThrownBy(() -> plain.restore(scaled.adapter(), scaled.optimizerState()))
          .isInstanceOf(AdapterException.class);
    }
  }

  /** As a pipeline reads it: merged into the weights, the file changes what it did in training. */
  @Test
  void aLoraWithAnAlphaIsMergedAsItWasTrained(@TempDir Path folder) throws IOException {
    RecordedRun run = run("2k");
    Path file = folder.resolve("adapter.safetensors");
    float[] untrained;
    float[] trained;
    try (TrainingEngine engine =
        run.open(
            EngineSettings.of(new AdapterStage.Lora(4, 10, TargetModules.URAE, 0))
                .withOptimizer(OptimizerSettings.AdamW.URAE)
                .withDevice("cpu", OptionalInt.of(1)))) {
      untrained = engine.prediction(run.step(4));
      for (int step = 1; step <= 3; step++) {
        engine.accumulate(run.step(step), 1);
        engine.clipGradients(1);
        engine.update(1e-2);
      }
      trained = engine.prediction(run.step(4));
      SafetensorsWriter.write(file, Map.of(), engine.adapter());
    }
    BaseModel merged =
        new BaseModel(
            ModelLocation.of(TestData.checkpoint()),
            List.of(new AdapterSpec(file, 1)),
            new WeightCache(folder.resolve("cache"), WeightCache.DEFAULT_MAX_BYTES));
    try (TrainingEngine engine =
        TorchEngine.open(merged, run.settings(), ProgressListener.NONE, new CancellationToken())) {
      float[] found = engine.prediction(run.step(4));
      assertThat(largestError(trained, found)).isLessThan(1e-4);
      assertThat(largestError(untrained, found)).isGreaterThan(1e-2);
    }
  }

  @Test
  void whatIsNotFiniteLeavesAdaptersAndGradientsAlone() throws IOException {
    RecordedRun run = run("2k");
    try (TrainingEngine engine = run.open(run.settings())) {
      StepInputs good = run.step(1);
      engine.accumulate(good, 1);
      Map<String, List<Byte>> adapter = bits(engine.adapter());
      Map<String, List<Byte>> gradients = bits(engine.gradients());
      float[] latents = good.latents().toFloats();
      latents[7] = Float.NaN;
      StepInputs bad =
          new StepInputs(
              Tensor.ofFloats(latents, good.latents().shape().toArray()),
              good.rows(),
              good.columns(),
              good.sigma(),
              1,
              good.text(),
              good.pooled(),
              good.target(),
              1);
      assertThatThrownBy(() -> engine.accumulate(bad, 1))
          .isInstanceOf(InferenceException.class)
          .hasMessageContaining("loss is not finite");
      assertThat(bits(engine.gradients())).isEqualTo(gradients);
      assertThat(bits(engine.adapter())).isEqualTo(adapter);
    }
  }

  @Test
  void inputsOfAnotherModelAreRefused() throws IOException {
    RecordedRun run = run("2k");
    try (TrainingEngine engine = run.open(run.settings())) {
      StepInputs good = run.step(1);
      assertThatThrownBy(
              () ->
                  engine.accumulate(
                      new StepInputs(
                          good.latents(),
                          good.rows(),
                          good.columns(),
                          good.sigma(),
                          1,
                          Tensor.ofFloats(new float[32 * 4096], 32, 4096),
                          good.pooled(),
                          good.target(),
                          1),
                      1))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("[L, 96]");
    }
  }

  @Test
  void bfloat16WeightsGiveNearlyTheSameLoss() throws IOException {
    RecordedRun run = run("4k");
    try (TrainingEngine engine =
        run.openAtStart(run.settings().withTypes(ElementType.BF16, ElementType.F32))) {
      double loss = engine.accumulate(run.step(1), 1);
      double recorded = run.log.get("losses").get(0).asDouble();
      assertThat(loss).isCloseTo(recorded, within(0.02 * recorded));
      assertThat(engine.gradients().values())
          .allSatisfy(tensor -> assertThat(tensor.type()).isEqualTo(ElementType.F32));
      double norm = engine.clipGradients(1);
      double recordedNorm = run.log.get("norms").get(0).asDouble();
      assertThat(norm).isCloseTo(recordedNorm, within(0.05 * recordedNorm));
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "ff*.net.*,add_*_proj,to_add_out,proj_mlp,norm1.linear",
        "single_transformer_blocks.2.proj_out",
        "single_transformer_blocks.3.norm.linear",
        "transformer_blocks.1.ff.net.2"
      })
  void anyLayerOfABlockCanBeTrained(String patterns) throws IOException {
    RecordedRun run = run("2k");
    TargetModules targets = new TargetModules(List.of(patterns.split(",")));
    EngineSettings settings =
        EngineSettings.of(new AdapterStage.Lora(2, 4, targets, 1))
            .withDevice("cpu", OptionalInt.of(1));
    Map<Boolean, Map<String, Tensor>> gradients = new HashMap<>();
    for (boolean recomputation : new boolean[] {true, false}) {
      try (TrainingEngine engine = run.open(settings.withRecomputation(recomputation, false))) {
        engine.accumulate(run.step(1), 1);
        assertThat(engine.clipGradients(Double.POSITIVE_INFINITY)).isPositive();
        gradients.put(recomputation, engine.gradients());
      }
    }
    gradients
        .get(true)
        .forEach(
            (key, gradient) ->
                assertThat(gradient.toFloats())
                    .as(key)
                    .usingComparatorWithPrecision(1e-5f)
                    .isEqualTo(gradients.get(false).get(key).toFloats()));
  }

  @Test
  void whatCannotBeTrainedIsNamed() throws IOException {
    RecordedRun run = run("2k");
    assertThatThrownBy(() -> run.open(EngineSettings.of(lora(4, "to_x"))))
        .isInstanceOf(AdapterException.class)
        .hasMessageContaining("'to_x'");
    assertThatThrownBy(() -> run.open(EngineSettings.of(lora(400, "to_q"))))
        .isInstanceOf(AdapterException.class)
        .hasMessageContaining("at most 128");
    assertThatThrownBy(
            () ->
                run.open(
                    EngineSettings.of(
                        new AdapterStage.Minor(4, new TargetModules(List.of("proj_mlp"))))))
        .isInstanceOf(AdapterException.class)
        .hasMessageContaining("proj_mlp");
    assertThatThrownBy(() -> run.open(run.settings().withDevice("cuda:0", OptionalInt.of(1))))
        .isInstanceOf(ModelException.class)
        .hasMessageContaining("-gpu");
    assertThatThrownBy(() -> run.open(run.settings().withDevice("tpu", OptionalInt.of(1))))
        .isInstanceOf(ModelException.class)
        .hasMessageContaining("expected cpu");
  }

  private static AdapterStage lora(int rank, String target) {
    return new AdapterStage.Lora(rank, rank, new TargetModules(List.of(target)), 0);
  }

  @Test
  void anAdapterOfAnotherTrainingIsRefusedWhole() throws IOException {
    RecordedRun run = run("2k");
    try (TrainingEngine engine = run.open(run.settings())) {
      Map<String, Tensor> fewer = new HashMap<>(engine.adapter());
      fewer.remove(fewer.keySet().iterator().next());
      Map<String, List<Byte>> before = bits(engine.adapter());
      assertThatThrownBy(() -> engine.restore(fewer, Map.of()))
          .isInstanceOf(AdapterException.class)
          .hasMessageContaining("another training");
      assertThat(bits(engine.adapter())).isEqualTo(before);
    }
  }

  @Test
  void tooManyTokensAreAnErrorThatNamesTheWayOut() throws IOException {
    RecordedRun run = run("2k");
    try (TrainingEngine engine = run.open(run.settings())) {
      StepInputs small = run.step(1);
      assertThatThrownBy(
              () ->
                  TorchFailure.explained(
                      "a step",
                      "take smaller pictures",
                      () -> torch.zeros(new long[] {1L << 50}).numel()))
          .isInstanceOf(InferenceException.class)
          .hasMessageContaining("takes more memory than there is")
          .hasMessageContaining("take smaller pictures");
      assertThat(engine.evaluate(small)).isPositive();
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void stepsLeaveNothingBehind(boolean recomputation) throws IOException {
    RecordedRun run = run("4k");
    try (TrainingEngine engine = run.open(run.settings().withRecomputation(recomputation, false))) {
      steps(engine, run, 3, 3);
      NativeMemory before = engine.memory();
      for (int i = 0; i < 6; i++) {
        steps(engine, run, 3, 3);
      }
      NativeMemory after = engine.memory();
      assertThat(after.pointers()).isEqualTo(before.pointers());
      assertThat(after.pointerBytes()).isEqualTo(before.pointerBytes());
    }
  }

  /** Both need OpenBLAS and OpenMP; here in one process, in either order. */
  @Test
  void aPictureIsDrawnBetweenSteps() throws IOException {
    RecordedRun run = run("4k");
    try (TrainingEngine engine = run.open(run.settings());
        FluxPipeline pipeline =
            FluxPipeline.builder()
                .model(TestData.checkpoint())
                .adapter(TestData.adapter2k())
                .adapter(TestData.adapter4k())
                .cacheFolder(TestData.CACHE)
                .build()) {
      GenerationRequest request =
          GenerationRequest.builder("a lighthouse").size(64, 64).steps(1).seed(1).build();
      float[] first = pipeline.generate(request).get(0).latents().toFloats();
      double loss = engine.accumulate(run.step(1), 1);
      double recorded = run.log.get("losses").get(0).asDouble();
      assertThat(loss).isCloseTo(recorded, within(1e-5));
      assertThat(pipeline.generate(request).get(0).latents().toFloats()).isEqualTo(first);
    }
  }

  @Test
  void aCancelledOpeningLeavesNothingOpen() throws IOException {
    CancellationToken cancelled = new CancellationToken();
    cancelled.cancel();
    RecordedRun run = run("4k");
    EngineSettings settings =
        EngineSettings.of(new AdapterStage.Minor(3, TargetModules.URAE))
            .withTypes(ElementType.BF16, ElementType.F32);
    assertThatThrownBy(
            () -> TorchEngine.open(run.model(), settings, ProgressListener.NONE, cancelled))
        .isInstanceOf(GenerationCancelledException.class);
  }

  @Test
  void aCancelledStepLeavesGradientsAndAdaptersAlone() throws IOException {
    RecordedRun run = run("2k");
    CancellationToken cancellation = new CancellationToken();
    try (TrainingEngine engine =
        TorchEngine.open(run.model(), run.settings(), ProgressListener.NONE, cancellation)) {
      engine.accumulate(run.step(1), 1);
      Map<String, List<Byte>> gradients = bits(engine.gradients());
      NativeMemory before = engine.memory();
      cancellation.cancel();
      assertThatThrownBy(() -> engine.accumulate(run.step(1), 1))
          .isInstanceOf(GenerationCancelledException.class);
      assertThat(bits(engine.gradients())).isEqualTo(gradients);
      assertThat(engine.memory().pointers()).isEqualTo(before.pointers());
      engine.clipGradients(1);
      engine.update(1);
    }
  }
}
