package io.github.urae.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.urae.Stage;
import io.github.urae.device.Device;
import io.github.urae.flux.DenoisingStep;
import io.github.urae.flux.GeneratedImage;
import io.github.urae.flux.GenerationPlan;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.Profile;
import io.github.urae.flux.RunOptions;
import io.github.urae.flux.Sampling;
import io.github.urae.flux.arithmetic.SigmaSpacing;
import io.github.urae.flux.arithmetic.Solver;
import io.github.urae.testkit.TestData;
import io.github.urae.weights.SafetensorsFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Checkpoints with other schedulers, and requests that choose others. */
class SchedulerTest {

  @TempDir Path folder;

  static Stream<JsonNode> runs() throws IOException {
    List<JsonNode> runs = new ArrayList<>();
    recorded().get("runs").forEach(runs::add);
    assertThat(runs).hasSizeGreaterThan(15);
    return runs.stream();
  }

  private static JsonNode recorded() throws IOException {
    return new ObjectMapper().readTree(TestData.path("golden/schedulers.json").toFile());
  }

  /** diffusers' own latents, whatever its scheduler's configuration says. */
  @ParameterizedTest
  @MethodSource("runs")
  void latentsOfARun(JsonNode run) throws IOException {
    GenerationRequest.Builder request = request();
    if (run.get("strength").isNumber()) {
      request.initialImage(
          TestData.path("golden/cases/image-to-image-06-start.png"),
          run.get("strength").doubleValue());
    }
    if (run.get("scale").isNumber()) {
      request.trueGuidance(
          recorded().get("negative_prompt").textValue(), run.get("scale").doubleValue());
    }
    try (FluxPipeline pipeline = pipeline(run.get("name").textValue());
        SafetensorsFile golden =
            SafetensorsFile.open(TestData.path("golden/schedulers.safetensors"))) {
      GeneratedImage image = pipeline.generate(request.build()).get(0);
      String name = run.get("run").textValue();
      TestData.assertClose(name, golden.tensor(name).toFloats(), image.latents().toFloats(), 1e-3);
      // What the picture tells draws it again.
      assertThat(pipeline.plan(request.build()).steps())
          .isEqualTo(image.record().passes().get(0).steps());
    }
  }

  private static GenerationRequest.Builder request() throws IOException {
    return GenerationRequest.builder(recorded().get("prompt").textValue())
        .size(128, 128)
        .steps(6)
        .guidance(3.5)
        .seed(4)
        .maxSequenceLength(64)
        .profile(Profile.Choice.STANDARD);
  }

  private FluxPipeline pipeline(String name) throws IOException {
    CheckpointCopy checkpoint = CheckpointCopy.in(folder);
    Path config = checkpoint.file("scheduler/scheduler_config.json");
    Files.delete(config);
    Files.writeString(config, recorded().get("configs").get(name).toString());
    return open(checkpoint.folder());
  }

  private static FluxPipeline open(Path checkpoint) throws IOException {
    return FluxPipeline.builder()
        .model(checkpoint)
        .device(Device.cpu())
        .cacheFolder(TestData.CACHE)
        .build();
  }

  @Test
  void aRequestChoosesAnother() throws IOException {
    Sampling karras = Sampling.AUTO.withSigmas(SigmaSpacing.KARRAS);
    try (FluxPipeline plain = open(TestData.checkpoint());
        SafetensorsFile golden =
            SafetensorsFile.open(TestData.path("golden/schedulers.safetensors"))) {
      GenerationRequest request = request().sampling(karras).build();
      GeneratedImage image = plain.generate(request).get(0);
      TestData.assertClose(
          "karras by request",
          golden.tensor("karras").toFloats(),
          image.latents().toFloats(),
          1e-3);
      assertThat(image.record().request().sampling()).isEqualTo(karras);
      assertThat(image.record().asText()).containsEntry("sigmas", "karras");
      assertThat(GenerationRequest.fromJson(request.toJson())).isEqualTo(request);
      assertThat(plain.generate(request().build()).get(0).record().asText())
          .doesNotContainKeys("sigmas", "solver");
    }
  }

  @Test
  void aRequestChoosesWhatTheCheckpointDoesNot() throws IOException {
    try (FluxPipeline karras = pipeline("karras");
        FluxPipeline plain = open(TestData.checkpoint())) {
      GenerationRequest even =
          request().sampling(Sampling.AUTO.withSigmas(SigmaSpacing.EVEN)).build();
      assertThat(karras.generate(even).get(0).toRgbImage())
          .isEqualTo(plain.generate(request().build()).get(0).toRgbImage());
      // A picture of that checkpoint names its way.
      GenerationRequest own = karras.generate(request().build()).get(0).record().request();
      assertThat(own.sampling().sigmas()).contains(SigmaSpacing.KARRAS);
    }
  }

  /** Two velocities for every step but the last: in plans, in progress, and to callbacks a step. */
  @Test
  void heunsMethodIsCounted() throws IOException {
    Sampling heun = Sampling.AUTO.withSolver(Solver.HEUN);
    try (FluxPipeline pipeline = open(TestData.checkpoint())) {
      GenerationRequest one = request().build();
      GenerationRequest two = request().sampling(heun).build();
      assertThat(denoising(pipeline.plan(two))).isEqualTo(denoising(pipeline.plan(one)) / 6 * 11);
      List<Integer> steps = new ArrayList<>();
      List<Double> levels = new ArrayList<>();
      pipeline.generate(
          two,
          RunOptions.builder()
              .onStep(
                  (DenoisingStep step) -> {
                    steps.add(step.step());
                    levels.add(step.sigma());
                  })
              .build());
      assertThat(steps).containsExactly(1, 2, 3, 4, 5, 6);
      assertThat(levels).isSortedAccordingTo((a, b) -> Double.compare(b, a));
    }
  }

  private static double denoising(GenerationPlan plan) {
    return plan.phases().stream()
        .filter(phase -> phase.stage() == Stage.DENOISING)
        .mapToDouble(GenerationPlan.Phase::flops)
        .sum();
  }

  /** Both passes of coarse to fine, and images one by one or several at once. */
  @Test
  void coarseToFineAndBatches() throws IOException {
    try (FluxPipeline pipeline = pipeline("heun")) {
      GenerationRequest.Builder request =
          GenerationRequest.builder("A red circle")
              .size(256, 256)
              .steps(4)
              .seed(3)
              .imagesPerPrompt(2)
              .coarseToFine(io.github.urae.flux.CoarseToFine.ofStrength(0.5));
      List<GeneratedImage> single = pipeline.generate(request.build());
      List<GeneratedImage> batch = pipeline.generate(request.batchSize(2).build());
      for (int i = 0; i < 2; i++) {
        TestData.assertClose(
            "batch of Heun's, image " + i,
            single.get(i).latents().toFloats(),
            batch.get(i).latents().toFloats(),
            1e-3);
      }
      assertThat(single.get(0).record().passes()).hasSize(2);
      assertThat(single.get(0).toRgbImage()).isNotEqualTo(single.get(1).toRgbImage());
    }
  }
}
