package io.github.urae.training.internal.torch;

import static io.github.urae.testkit.TestData.assertClose;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.urae.CancellationToken;
import io.github.urae.ProgressListener;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.Flux1;
import io.github.urae.flux.model.internal.ModelLocation;
import io.github.urae.flux.model.internal.TransformerConfig;
import io.github.urae.internal.JsonConfig;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import io.github.urae.testkit.TestData;
import io.github.urae.training.internal.engine.AdapterStage;
import io.github.urae.training.internal.engine.BaseModel;
import io.github.urae.training.internal.engine.EngineSettings;
import io.github.urae.training.internal.engine.StepInputs;
import io.github.urae.training.internal.engine.TargetModules;
import io.github.urae.training.internal.engine.TrainingEngine;
import io.github.urae.weights.internal.WeightCache;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Transformers as people hold them: what the reference recorded of each is predicted. */
class StoredFormsTest {

  private static final EngineSettings SETTINGS =
      EngineSettings.of(new AdapterStage.Lora(2, 2, TargetModules.URAE, 0))
          .withDevice("cpu", OptionalInt.of(1));

  private static final WeightCache CACHE =
      new WeightCache(TestData.CACHE, WeightCache.DEFAULT_MAX_BYTES);

  private static Map<String, float[]> recorded(String name) throws IOException {
    return RecordedRun.read(
        TestData.path("quantised/golden/" + name + ".safetensors"), new LinkedHashMap<>());
  }

  /** The first step of the recorded run: 128x128 pixels, guidance 3.5. */
  private static StepInputs inputs() throws IOException {
    Map<String, Shape> shapes = new LinkedHashMap<>();
    Map<String, float[]> values =
        RecordedRun.read(
            TestData.path("quantised/golden/flux-tiny-unquantised.safetensors"), shapes);
    Tensor noise = Tensor.ofFloats(values.get("noise"), 64, 64);
    Shape text = shapes.get("sequence");
    return new StepInputs(
        noise,
        8,
        8,
        values.get("sigmas")[0],
        3.5,
        Tensor.ofFloats(values.get("sequence"), text.dimension(1), text.dimension(2)),
        Tensor.ofFloats(values.get("pooled"), values.get("pooled").length),
        noise,
        1);
  }

  private static void check(String label, TrainingEngine engine) throws IOException {
    float[] expected = recorded(label).get("first_velocity");
    assertClose(label, expected, engine.prediction(inputs()), 1e-4);
    engine.accumulate(inputs(), 1);
    assertThat(engine.clipGradients(1)).isPositive();
  }

  @ParameterizedTest
  @CsvSource({
    "flux-cut-Q5_1-Q5_0-Q4_1-sdcpp, flux-cut, gguf",
    "flux-mini-diffusers-Q4_0, flux-mini, gguf",
    "flux-mini-fp8_e5m2, flux-mini, safetensors",
    "flux-mini-fp8_scaled_new, flux-mini, safetensors",
    "flux-tiny-Q4_0, flux-tiny, gguf",
    "flux-wide-K, flux-wide, gguf",
    "nf4-diffusers, flux-cut, safetensors"
  })
  void everyEncodingIsTrainedOn(String label, String configuration, String ending)
      throws IOException {
    TransformerConfig config =
        TransformerConfig.from(
            JsonConfig.read(TestData.path("quantised/configs/" + configuration + "/config.json")),
            Flux1.FAMILY);
    Path file = TestData.path("quantised/files/" + label + "." + ending);
    try (TrainingEngine engine = TorchEngine.open(file, config, CACHE, SETTINGS)) {
      check(label, engine);
    }
  }

  @Test
  void theTransformerMayComeFromElsewhere() throws IOException {
    BaseModel model =
        new BaseModel(
            ModelLocation.of(TestData.checkpoint())
                .with(Component.TRANSFORMER, TestData.path("quantised/files/flux-tiny-Q4_0.gguf")),
            List.of(),
            CACHE);
    try (TrainingEngine engine =
        TorchEngine.open(model, SETTINGS, ProgressListener.NONE, new CancellationToken())) {
      check("flux-tiny-Q4_0", engine);
    }
  }
}
