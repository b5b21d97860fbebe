package io.github.urae.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.urae.CancellationToken;
import io.github.urae.ProgressListener;
import io.github.urae.adapter.internal.match.AdapterOptions;
import io.github.urae.device.Device;
import io.github.urae.device.Offload;
import io.github.urae.flux.GeneratedImage;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.PromptEmbeddings;
import io.github.urae.flux.RunOptions;
import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.flux.arithmetic.Schedule;
import io.github.urae.flux.arithmetic.TorchGenerator;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.VaeConfig;
import io.github.urae.onnx.internal.generation.Conditioning;
import io.github.urae.onnx.internal.generation.Denoiser;
import io.github.urae.onnx.internal.generation.Generation;
import io.github.urae.onnx.internal.generation.TextEncoders;
import io.github.urae.onnx.internal.generation.VelocityPredictor;
import io.github.urae.onnx.internal.generation.WorkRates;
import io.github.urae.onnx.internal.graph.Arithmetic;
import io.github.urae.onnx.internal.image.ImageDecoder;
import io.github.urae.onnx.internal.image.ImageEncoder;
import io.github.urae.onnx.internal.image.Plane;
import io.github.urae.onnx.internal.model.ModelSource;
import io.github.urae.onnx.internal.model.Networks;
import io.github.urae.onnx.internal.model.PipelineSettings;
import io.github.urae.onnx.internal.session.NetworkUse;
import io.github.urae.onnx.internal.session.SessionSettings;
import io.github.urae.tensor.Tensor;
import io.github.urae.testkit.TestData;
import io.github.urae.weights.SafetensorsFile;
import io.github.urae.weights.internal.WeightCache;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Every stage against the reference's recorded output, to the tolerances of the design. */
class GoldenPipelineTest {

  /** Of the tensor's largest value: one network. */
  private static final double ONE_STAGE = 1e-4;

  /** Of the tensor's largest value: several steps. */
  private static final double SEVERAL_STEPS = 1e-3;

  private static Networks networks;
  private static FluxPipeline pipeline;

  @BeforeAll
  static void open() throws IOException {
    networks =
        Networks.open(
            ModelSource.at(TestData.checkpoint()),
            new PipelineSettings(
                new SessionSettings(Device.cpu(), OptionalInt.empty(), false),
                Arithmetic.FLOAT32,
                Offload.ALL,
                new WeightCache(TestData.CACHE, WeightCache.DEFAULT_MAX_BYTES),
                OptionalLong.empty(),
                AdapterOptions.STRICT),
            List.of(),
            ProgressListener.NONE,
            new CancellationToken());
    pipeline =
        FluxPipeline.builder()
            .model(TestData.checkpoint())
            .device(Device.cpu())
            .cacheFolder(TestData.CACHE)
            .build();
  }

  @AfterAll
  static void close() throws IOException {
    networks.close();
    pipeline.close();
  }

  @Test
  void textEncoders() throws IOException {
    JsonNode rows = new ObjectMapper().readTree(TestData.path("golden/tokens.json").toFile());
    try (SafetensorsFile golden = SafetensorsFile.open(TestData.path("golden/text.safetensors"))) {
      for (int i = 0; i < rows.size(); i++) {
        List<String> prompt = List.of(rows.get(i).get("text").textValue());
        for (Map.Entry<String, Integer> length :
            Map.of("sequence", 64, "sequence_12", 12).entrySet()) {
          PromptEmbeddings encoded =
              TextEncoders.of(networks)
                  .encode(
                      prompt,
                      OptionalInt.of(length.getValue()),
                      RunOptions.NONE,
                      new CancellationToken(),
                      new WorkRates());
          TestData.assertClose(
              "prompt " + i + " pooled",
              golden.tensor(i + ".pooled").toFloats(),
              encoded.pooled().toFloats(),
              ONE_STAGE);
          TestData.assertClose(
              "prompt " + i + " " + length.getKey(),
              golden.tensor(i + "." + length.getKey()).toFloats(),
              encoded.sequence().toFloats(),
              ONE_STAGE);
        }
      }
    }
  }

  @Test
  void autoencoder() throws IOException {
    try (SafetensorsFile golden = SafetensorsFile.open(TestData.path("golden/vae.safetensors"));
        NetworkUse vaeDecoder = networks.use(Component.VAE_DECODER)) {
      VaeConfig config = networks.checkpoint().vae();
      for (String input : List.of("latents", "large_latents")) {
        float[] decoded =
            vaeDecoder.run(Map.of("latent_sample", golden.tensor(input)), new CancellationToken());
        String output = input.replace("latents", "decoded");
        TestData.assertClose("VAE " + output, golden.tensor(output).toFloats(), decoded, ONE_STAGE);
      }
      Plane tiled = new Plane(new float[3 * 208 * 288], 3, 208, 288);
      Plane latents = new Plane(golden.tensor("large_latents").toFloats(), 16, 26, 36);
      new ImageDecoder(vaeDecoder, config)
          .decodeTiles(latents, new CancellationToken(), tiled::put);
      TestData.assertClose(
          "VAE large_decoded_tiled",
          golden.tensor("large_decoded_tiled").toFloats(),
          tiled.values(),
          ONE_STAGE);
    }
  }

  @Test
  void autoencodersEncoder() throws IOException {
    try (SafetensorsFile golden = SafetensorsFile.open(TestData.path("golden/vae.safetensors"));
        NetworkUse vaeEncoder = networks.use(Component.VAE_ENCODER)) {
      Plane pixels = new Plane(golden.tensor("pixels").toFloats(), 3, 96, 160);
      Plane encoded =
          new ImageEncoder(vaeEncoder, networks.checkpoint().vae())
              .encode(pixels, new CancellationToken());
      float[] mean = Arrays.copyOf(encoded.values(), 16 * 12 * 20);
      float[] logvar = Arrays.copyOfRange(encoded.values(), mean.length, 2 * mean.length);
      TestData.assertClose("VAE mean", golden.tensor("mean").toFloats(), mean, ONE_STAGE);
      TestData.assertClose("VAE logvar", golden.tensor("logvar").toFloats(), logvar, ONE_STAGE);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"image-to-image-06", "image-to-image-upscaled"})
  void imageToImage(String name) throws IOException {
    GoldenCase golden = GoldenCase.named(name);
    GenerationRequest request =
        golden
            .request()
            .initialImage(
                TestData.path("golden/cases/" + golden.json().get("start").textValue()),
                golden.json().get("strength").doubleValue())
            .build();
    List<float[]> steps = new ArrayList<>();
    GeneratedImage image =
        new Generation(networks, request, collecting(steps), new WorkRates()).run().get(0);
    assertThat(steps).hasSize(golden.json().get("steps_run").intValue());
    assertThat(image.record().passes().get(0).steps()).isEqualTo(steps.size());
    try (SafetensorsFile recorded =
        SafetensorsFile.open(TestData.path("golden/cases/" + name + ".safetensors"))) {
      TestData.assertClose(
          name + " first latents",
          recorded.tensor("latents_first").toFloats(),
          steps.get(0),
          ONE_STAGE);
      TestData.assertClose(
          name + " last latents",
          recorded.tensor("latents_last").toFloats(),
          image.latents().toFloats(),
          SEVERAL_STEPS);
    }
    assertSamePicture(golden, image);
  }

  private static RunOptions collecting(List<float[]> latents) {
    return RunOptions.builder().onStep(step -> latents.add(step.latents().toFloats())).build();
  }

  @Test
  void trueGuidance() throws IOException {
    GoldenCase golden = GoldenCase.named("true-cfg");
    List<float[]> steps = new ArrayList<>();
    GeneratedImage image =
        new Generation(networks, golden.request().build(), collecting(steps), new WorkRates())
            .run()
            .get(0);
    try (SafetensorsFile recorded =
        SafetensorsFile.open(TestData.path("golden/cases/true-cfg.safetensors"))) {
      for (int step : golden.recordedSteps()) {
        TestData.assertClose(
            "true-cfg latents after step " + step,
            recorded.tensor("latents_" + step).toFloats(),
            steps.get(step),
            step == 0 ? ONE_STAGE : SEVERAL_STEPS);
      }
    }
    assertSamePicture(golden, image);
  }

  private static void assertSamePicture(GoldenCase golden, GeneratedImage image)
      throws IOException {
    int difference =
        GoldenCase.largestDifference(golden.pictures().get(0), image.toBufferedImage());
    System.out.printf("%s picture: %d of 255%n", golden.name(), difference);
    assertThat(difference).as(golden.name()).isLessThanOrEqualTo(1);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "standard-128",
        "standard-wide",
        "standard-guidance-1",
        "standard-batch",
        "standard-prompt-2",
        "ultra-256",
        "ultra-256-base-4608",
        "ultra-512",
        "ultra-512-conversion",
        "ultra-512-no-adapter"
      })
  void everyStageOfACase(String name) throws IOException {
    GoldenCase golden = GoldenCase.named(name);
    try (SafetensorsFile recorded =
            SafetensorsFile.open(TestData.path("golden/cases/" + name + ".safetensors"));
        Networks adapted =
            networks.with(golden.adapters(), ProgressListener.NONE, new CancellationToken());
        NetworkUse transformer = adapted.use(Component.TRANSFORMER)) {
      GenerationRequest request = golden.request().build();
      LatentGrid grid = golden.grid();
      int images = request.images();
      float[] noise =
          grid.pack(
              new TorchGenerator(request.seeds().values().get(0))
                  .randn(images * grid.latentElements()));
      if (recorded.find("noise").isPresent()) {
        TestData.assertClose(name + " noise", recorded.tensor("noise").toFloats(), noise, 3e-7);
      }
      assertThat(golden.schedule(networks).sigmas())
          .isEqualTo(recorded.tensor("sigmas").toFloats());

      // The recorded embeddings, so that errors of the text encoders do not add up.
      PromptEmbeddings embeddings =
          new PromptEmbeddings(copy(recorded.tensor("pooled")), copy(recorded.tensor("sequence")));
      Denoiser denoiser = golden.denoiser(networks, transformer);
      float[] velocity =
          denoiser.velocity(0, noise, Conditioning.of(embeddings), new CancellationToken());
      TestData.assertClose(
          name + " first velocity",
          recorded.tensor("first_velocity").toFloats(),
          velocity,
          ONE_STAGE);
      denoiser.denoise(
          noise,
          Conditioning.of(embeddings),
          new CancellationToken(),
          (step, latents, change) -> compareLatents(golden, recorded, step, latents));
    }
  }

  /** A step may be spared: here every second one goes on as the one before. */
  @Test
  void aStepsVelocityIsAStrategy() throws IOException {
    GoldenCase golden = GoldenCase.named("standard-128");
    Schedule schedule = golden.schedule(networks);
    try (SafetensorsFile recorded =
            SafetensorsFile.open(TestData.path("golden/cases/standard-128.safetensors"));
        NetworkUse transformer = networks.use(Component.TRANSFORMER)) {
      PromptEmbeddings text =
          new PromptEmbeddings(copy(recorded.tensor("pooled")), copy(recorded.tensor("sequence")));
      float[] noise =
          golden.grid().pack(new TorchGenerator(5).randn(golden.grid().latentElements()));
      List<VelocityPredictor.Step> asked = new ArrayList<>();
      Map<Boolean, float[]> cache = new HashMap<>();
      VelocityPredictor whole = VelocityPredictor.everyStep(transformer);
      VelocityPredictor everySecond =
          (step, inputs, cancellation) -> {
            asked.add(step);
            if (step.index() % 2 == 0) {
              cache.put(step.negative(), whole.predict(step, inputs, cancellation));
            }
            return cache.get(step.negative()).clone();
          };
      List<float[]> velocities = new ArrayList<>();
      golden
          .denoiser(networks, transformer, everySecond)
          .denoise(
              noise,
              new Conditioning(text, Optional.of(text), 2),
              new CancellationToken(),
              (step, latents, velocity) -> {
                velocities.add(velocity);
                return latents;
              });
      assertThat(asked).hasSize(2 * schedule.steps());
      for (int i = 0; i < schedule.steps(); i++) {
        float sigma = schedule.sigma(i);
        assertThat(asked.subList(2 * i, 2 * i + 2))
            .containsExactly(
                new VelocityPredictor.Step(i, schedule.steps(), sigma, false),
                new VelocityPredictor.Step(i, schedule.steps(), sigma, true));
      }
      assertThat(velocities.get(1)).isEqualTo(velocities.get(0));
      assertThat(velocities.get(2)).isNotEqualTo(velocities.get(0));
    }
  }

  private static float[] compareLatents(
      GoldenCase golden, SafetensorsFile recorded, int step, float[] latents) {
    if (!golden.recordedSteps().contains(step)) {
      return latents;
    }
    try {
      TestData.assertClose(
          golden.name() + " latents after step " + step,
          recorded.tensor("latents_" + step).toFloats(),
          latents,
          step == 0 ? ONE_STAGE : SEVERAL_STEPS);
      return latents;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Tensor copy(Tensor tensor) {
    return Tensor.ofFloats(tensor.toFloats(), tensor.shape().toArray());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "standard-128",
        "standard-wide",
        "standard-guidance-1",
        "standard-batch",
        "standard-prompt-2",
        "ultra-256",
        "ultra-256-base-4608",
        "ultra-512",
        "ultra-512-conversion",
        "ultra-512-no-adapter"
      })
  void picturesOfACase(String name) throws IOException {
    GoldenCase golden = GoldenCase.named(name);
    List<BufferedImage> expected = golden.pictures();
    pipeline.setAdapters(golden.adapters());
    for (int batchSize : new int[] {1, 3}) {
      List<GeneratedImage> actual =
          pipeline.generate(golden.request().batchSize(batchSize).build());
      assertThat(actual).hasSameSizeAs(expected);
      for (int i = 0; i < expected.size(); i++) {
        int difference =
            GoldenCase.largestDifference(expected.get(i), actual.get(i).toBufferedImage());
        System.out.printf("%s picture %d: %d of 255%n", name, i, difference);
        assertThat(difference)
            .as("%s, picture %d, batches of %d", name, i, batchSize)
            .isLessThanOrEqualTo(golden.ultra() ? 2 : 1);
      }
    }
  }
}
