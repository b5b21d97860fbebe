package io.github.urae.training.internal.torch;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.urae.CancellationToken;
import io.github.urae.ProgressListener;
import io.github.urae.adapter.AdapterSpec;
import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.flux.model.internal.Flux1;
import io.github.urae.flux.model.internal.ModelLocation;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import io.github.urae.testkit.TestData;
import io.github.urae.training.internal.engine.AdapterStage;
import io.github.urae.training.internal.engine.BaseModel;
import io.github.urae.training.internal.engine.EngineSettings;
import io.github.urae.training.internal.engine.OptimizerSettings;
import io.github.urae.training.internal.engine.StepInputs;
import io.github.urae.training.internal.engine.TargetModules;
import io.github.urae.training.internal.engine.TrainingEngine;
import io.github.urae.weights.Safetensors;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.WeightCache;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;

/** Five steps of URAE's own script, and an engine that is to do the same. */
final class RecordedRun {

  private static final double SHIFT = 0.0409;
  private static final double SCALING = 0.7232;

  final boolean minor;
  final boolean prodigy;
  final JsonNode log;

  /** Values by their names, of the stage. */
  final Map<String, float[]> values;

  private final Map<String, Shape> shapes = new LinkedHashMap<>();

  /**
   * Reads a run.
   *
   * @param stage {@code 2k} or {@code 4k}
   * @param optimizer {@code adamw} or {@code prodigy}
   */
  RecordedRun(String stage, String optimizer) throws IOException {
    minor = stage.equals("4k");
    prodigy = optimizer.equals("prodigy");
    log =
        new ObjectMapper()
            .readTree(TestData.path("training/steps.json").toFile())
            .get(stage + "-" + optimizer);
    values = read(TestData.path("training/" + stage + ".safetensors"), shapes);
  }

  static Map<String, float[]> read(Path file, Map<String, Shape> shapes) throws IOException {
    Map<String, float[]> values = new LinkedHashMap<>();
    try (TensorSource source = Safetensors.open(file)) {
      for (String name : source.tensors().keySet()) {
        values.put(name, source.tensor(name).toFloats());
        shapes.put(name, source.tensors().get(name).shape());
      }
    }
    return values;
  }

  /** Returns the settings of the run, with one thread. */
  EngineSettings settings() {
    return EngineSettings.of(
            minor
                ? new AdapterStage.Minor(4, TargetModules.URAE)
                : new AdapterStage.Lora(4, 4, TargetModules.URAE, 0))
        .withOptimizer(prodigy ? OptimizerSettings.Prodigy.URAE : OptimizerSettings.AdamW.URAE)
        .withDevice("cpu", OptionalInt.of(1));
  }

  double learningRate() {
    return prodigy ? 1 : 1e-3;
  }

  double maxNorm() {
    return prodigy ? 1 : 0.3;
  }

  /** Returns the small checkpoint, for 4K with the 2K LoRA merged. */
  BaseModel model() {
    return model(TestData.checkpoint());
  }

  BaseModel model(Path checkpoint) {
    return new BaseModel(
        ModelLocation.of(checkpoint),
        minor ? List.of(new AdapterSpec(TestData.adapter2k(), 1)) : List.of(),
        new WeightCache(TestData.CACHE, WeightCache.DEFAULT_MAX_BYTES));
  }

  TrainingEngine open(EngineSettings settings) throws IOException {
    return TorchEngine.open(model(), settings, ProgressListener.NONE, new CancellationToken());
  }

  /** Opens an engine at the recorded start. */
  TrainingEngine openAtStart(EngineSettings settings) throws IOException {
    TrainingEngine engine = open(settings);
    engine.restore(adapter(engine, "adapter.0"), Map.of());
    return engine;
  }

  /** Returns recorded values of all parameters of an engine; zeros where none are recorded. */
  Map<String, Tensor> adapter(TrainingEngine engine, String what) {
    Map<String, Tensor> adapter = new LinkedHashMap<>();
    engine
        .adapter()
        .forEach(
            (key, own) -> {
              float[] recorded = values.get(what + "/" + recordedName(key));
              long[] shape = own.shape().toArray();
              adapter.put(
                  key,
                  Tensor.ofFloats(
                      recorded == null ? new float[(int) own.shape().elementCount()] : recorded,
                      shape));
            });
    return adapter;
  }

  static String recordedName(String key) {
    return key.startsWith("transformer.") ? key.substring("transformer.".length()) : key;
  }

  /** Returns the inputs of a step, from 1, made of the caches and the recorded draws. */
  StepInputs step(int number) throws IOException {
    Map<String, Shape> sizes = new LinkedHashMap<>();
    Map<String, float[]> latents = read(dataFile(2 * number - 2), sizes);
    Map<String, float[]> texts = read(dataFile(2 * number - 1), sizes);
    Shape size = sizes.get("mean");
    int height = (int) size.dimension(1);
    int width = (int) size.dimension(2);
    float[] mean = latents.get("mean");
    float[] deviation = latents.get("std");
    float[] drawn = values.get("step." + number + "/posterior_noise");
    float[] noise = values.get("step." + number + "/noise");
    float u = (float) log.get("u").get(number - 1).get(0).asDouble();
    float sigma = (1000 - (int) (u * 1000)) / 1000f;
    float[] noisy = new float[mean.length];
    float[] target = new float[mean.length];
    for (int i = 0; i < mean.length; i++) {
      float clean = ((mean[i] + deviation[i] * drawn[i]) - (float) SHIFT) * (float) SCALING;
      noisy[i] = (1 - sigma) * clean + sigma * noise[i];
      target[i] = noise[i] - clean;
    }
    LatentGrid grid = new LatentGrid(Flux1.FAMILY.latents(), 8 * width, 8 * height);
    Shape text = sizes.get("caption_feature_t5");
    return new StepInputs(
        Tensor.ofFloats(grid.pack(noisy), grid.tokens(), 64),
        grid.rows(),
        grid.columns(),
        sigma,
        1,
        Tensor.ofFloats(texts.get("caption_feature_t5"), text.toArray()),
        Tensor.ofFloats(
            texts.get("caption_feature_clip"), texts.get("caption_feature_clip").length),
        Tensor.ofFloats(grid.pack(target), grid.tokens(), 64),
        1);
  }

  private Path dataFile(int index) {
    return TestData.path("training/data/" + log.get("files").get(index).asText());
  }
}
