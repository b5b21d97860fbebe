package io.github.urae.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.github.urae.CancellationToken;
import io.github.urae.TrainingException;
import io.github.urae.adapter.Adapter;
import io.github.urae.adapter.AdapterFormat;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.image.RgbImage;
import io.github.urae.tensor.Tensor;
import io.github.urae.testkit.TestData;
import io.github.urae.training.internal.checkpoint.AdapterLayout;
import io.github.urae.training.internal.checkpoint.TrainingFolder;
import io.github.urae.training.internal.checkpoint.TrainingRecord;
import io.github.urae.training.internal.metrics.MetricsLog;
import io.github.urae.weights.Safetensors;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Whole trainings of the small checkpoint. */
class FluxTrainingTest {

  @TempDir Path folder;

  /** The training that others are compared with. */
  @TempDir static Path whole;

  private static final List<TrainingStep> WHOLE_STEPS = new ArrayList<>();

  @BeforeAll
  static void trainWithoutInterruption() throws IOException {
    SmallTraining.builder(whole)
        .trainingListener(
            new TrainingListener() {
              @Override
              public void onStep(TrainingStep step) {
                WHOLE_STEPS.add(step);
              }
            })
        .build()
        .run();
  }

  private static List<String> names(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }

  private static Map<String, float[]> values(Path file) throws IOException {
    Map<String, float[]> values = new LinkedHashMap<>();
    try (TensorSource source = Safetensors.open(file)) {
      for (String name : source.tensors().keySet()) {
        values.put(name, source.tensor(name).toFloats());
      }
    }
    return values;
  }

  private void assertEndsAs(String file) throws IOException {
    assertThat(Files.mismatch(folder.resolve(file), whole.resolve(file))).as(file).isEqualTo(-1);
  }

  private void assertEndsAsWhole() throws IOException {
    assertEndsAs("adapter.safetensors");
    assertEndsAs("checkpoint-8/state.safetensors");
    assertThat(losses(folder)).isEqualTo(losses(whole));
  }

  private static List<String> losses(Path folder) throws IOException {
    return Files.readAllLines(folder.resolve(MetricsLog.TABLE)).stream()
        .map(line -> line.split(",", -1)[0] + " " + line.split(",", -1)[2])
        .toList();
  }

  @Test
  void leavesAdapterCheckpointsAndMetrics() throws IOException {
    assertThat(names(whole))
        .containsExactly(
            "adapter.safetensors",
            "checkpoint-6",
            "checkpoint-8",
            "loss.png",
            "metrics.csv",
            "tensorboard");
    assertThat(names(whole.resolve("checkpoint-8")))
        .containsExactly("pytorch_lora_weights.safetensors", "state.safetensors", "training.json");
    assertThat(
            Files.mismatch(
                whole.resolve("adapter.safetensors"),
                whole.resolve("checkpoint-8/pytorch_lora_weights.safetensors")))
        .isEqualTo(-1);
    assertThat(losses(whole)).hasSize(SmallTraining.STEPS + 1);
    Adapter adapter = Adapter.open(whole.resolve("adapter.safetensors"));
    assertThat(adapter.format()).isEqualTo(AdapterFormat.PEFT);
  }

  @Test
  void listenersHearOfEachStep() {
    assertThat(WHOLE_STEPS).hasSize(SmallTraining.STEPS);
    TrainingStep step = WHOLE_STEPS.get(4);
    assertThat(step.step()).isEqualTo(5);
    assertThat(step.pictures()).hasSize(2).allMatch(name -> name.startsWith("image_"));
    assertThat(step.sigmas()).hasSize(2).allMatch(sigma -> sigma > 0 && sigma <= 1);
    assertThat(step.loss()).isBetween(0.05, 5.0);
    assertThat(step.gradientNorm()).isPositive();
    assertThat(step.stepSize().orElseThrow()).isCloseTo(1e-6, within(1e-6));
    assertThat(step.memoryBytes()).isGreaterThan(1 << 20);
    assertThat(WHOLE_STEPS.get(7).remaining().orElseThrow()).isZero();
    // Each picture once in an epoch, of which there are five and a third.
    List<String> names = WHOLE_STEPS.stream().flatMap(each -> each.pictures().stream()).toList();
    for (int epoch = 0; epoch < 5; epoch++) {
      assertThat(names.subList(3 * epoch, 3 * epoch + 3))
          .containsExactlyInAnyOrder("image_0", "image_1", "image_2");
    }
  }

  @Test
  void continuesAsIfNeverInterrupted() throws IOException {
    CancellationToken cancellation = new CancellationToken();
    TrainingResult first =
        SmallTraining.builder(folder)
            .cancellation(cancellation)
            .trainingListener(
                new TrainingListener() {
                  @Override
                  public void onStep(TrainingStep step) {
                    if (step.step() == 4) {
                      cancellation.cancel();
                    }
                  }
                })
            .build()
            .run();
    assertThat(first.isComplete()).isFalse();
    assertThat(first.adapter()).isEmpty();
    assertThat(first.checkpoint()).contains(folder.resolve("checkpoint-4"));
    TrainingResult second = SmallTraining.builder(folder).resumeLatest().build().run();
    assertThat(second.isComplete()).isTrue();
    assertThat(second.adapter()).contains(folder.resolve("adapter.safetensors"));
    assertEndsAsWhole();
    Files.delete(folder.resolve("adapter.safetensors"));
    SmallTraining.builder(folder).resume(folder.resolve("checkpoint-6")).build().run();
    assertEndsAsWhole();
    assertThat(names(folder)).contains("checkpoint-6", "checkpoint-8");
  }

  /** Six pictures of three sizes: computed two at once, or one after the other. */
  @Test
  void picturesOfOneSizeAreComputedAtOnce() throws IOException {
    List<List<TrainingStep>> trainings = new ArrayList<>();
    List<Map<String, float[]>> adapters = new ArrayList<>();
    for (int batch : new int[] {1, 6}) {
      Path output = folder.resolve("batch-" + batch);
      List<TrainingStep> steps = new ArrayList<>();
      SmallTraining.builder(output)
          .optimizer(TrainingOptimizer.ADAMW)
          .learningRate(1e-3)
          .batch(batch)
          .accumulate(6 / batch)
          .steps(3)
          .trainingListener(
              new TrainingListener() {
                @Override
                public void onStep(TrainingStep step) {
                  steps.add(step);
                }
              })
          .build()
          .run();
      trainings.add(steps);
      adapters.add(values(output.resolve("adapter.safetensors")));
    }
    for (int i = 0; i < 3; i++) {
      TrainingStep alone = trainings.get(0).get(i);
      TrainingStep together = trainings.get(1).get(i);
      assertThat(together.pictures()).containsExactlyInAnyOrderElementsOf(alone.pictures());
      assertThat(together.sigmas()).containsExactlyInAnyOrderElementsOf(alone.sigmas());
      assertThat(together.loss()).isCloseTo(alone.loss(), within(1e-5));
      assertThat(together.gradientNorm()).isCloseTo(alone.gradientNorm(), within(1e-4));
    }
    // B began as zeros: its values are its way.
    double way = 0;
    double error = 0;
    for (Map.Entry<String, float[]> alone : adapters.get(0).entrySet()) {
      float[] together = adapters.get(1).get(alone.getKey());
      for (int i = 0; i < together.length && alone.getKey().contains("lora_B"); i++) {
        way += Math.pow(alone.getValue()[i], 2);
        error += Math.pow(alone.getValue()[i] - together[i], 2);
      }
    }
    assertThat(Math.sqrt(error / way)).isLessThan(1e-3);
  }

  /** Batches and a schedule go on where they were, too. */
  @Test
  void aScheduleIsContinued() throws IOException {
    List<Double> rates = new ArrayList<>();
    TrainingListener listener =
        new TrainingListener() {
          @Override
          public void onStep(TrainingStep step) {
            rates.add(step.learningRate());
          }
        };
    for (String output : List.of("whole", "parts")) {
      CancellationToken cancellation = new CancellationToken();
      UnaryOperator<FluxTraining.Builder> settings =
          builder ->
              builder
                  .batch(4)
                  .accumulate(1)
                  .optimizer(TrainingOptimizer.ADAMW)
                  .learningRate(0.01)
                  .schedule(LearningRateSchedule.LINEAR, 2);
      FluxTraining.Builder first = settings.apply(SmallTraining.builder(folder.resolve(output)));
      if (output.equals("whole")) {
        first.trainingListener(listener).build().run();
      } else {
        first
            .cancellation(cancellation)
            .trainingListener(
                new TrainingListener() {
                  @Override
                  public void onStep(TrainingStep step) {
                    if (step.step() == 3) {
                      cancellation.cancel();
                    }
                  }
                })
            .build()
            .run();
        FluxTraining more =
            settings
                .apply(SmallTraining.builder(folder.resolve(output)))
                .steps(9)
                .resumeLatest()
                .build();
        assertThatThrownBy(more::run)
            .isInstanceOf(TrainingException.class)
            .hasMessageContaining("steps, which the schedule ends with, 8, not 9");
        settings.apply(SmallTraining.builder(folder.resolve(output))).resumeLatest().build().run();
      }
    }
    assertThat(rates.get(0)).isCloseTo(0.005, within(1e-12));
    assertThat(rates.get(1)).isCloseTo(0.01, within(1e-12));
    assertThat(rates.get(2)).isCloseTo(0.01, within(1e-12));
    assertThat(rates.get(7)).isCloseTo(0.01 / 6, within(1e-12));
    assertThat(
            Files.mismatch(
                folder.resolve("whole/adapter.safetensors"),
                folder.resolve("parts/adapter.safetensors")))
        .isEqualTo(-1);
  }

  /** Those of later steps are there, too, when a training goes on from an earlier one. */
  @Test
  void theCheckpointThatWasJustSavedStays() throws IOException {
    SmallTraining.builder(folder).steps(3).checkpoints(1, 3).build().run();
    TrainingResult again =
        SmallTraining.builder(folder)
            .steps(2)
            .checkpoints(1, 1)
            .resume(folder.resolve("checkpoint-1"))
            .build()
            .run();
    assertThat(again.checkpoint()).contains(folder.resolve("checkpoint-2"));
    assertThat(names(folder))
        .contains("checkpoint-2", "checkpoint-3")
        .doesNotContain("checkpoint-1");
  }

  private void copyCheckpoint(String from, String to) throws IOException {
    Path copy = Files.createDirectories(folder.resolve(to));
    for (String name : names(whole.resolve(from))) {
      Files.copy(whole.resolve(from).resolve(name), copy.resolve(name));
    }
  }

  /**
   * What a kill leaves while checkpoint 6 is saved again: the one that was there, what is half
   * written, what is whole beside it, and what was replaced and is not deleted yet.
   */
  @ParameterizedTest
  @CsvSource({
    "checkpoint-6, half",
    "checkpoint-6, checkpoint-6.next",
    "checkpoint-6.next, old",
    "checkpoint-6, old"
  })
  void aKillWhileACheckpointIsReplacedLosesNothing(String one, String other) throws IOException {
    String partial = "checkpoint-6.0b2f3c44-95d5-4d0e-9e6a-3a4c51f0d9a7.partial";
    for (String name : List.of(one, other)) {
      switch (name) {
        case "half" -> {
          copyCheckpoint("checkpoint-6", partial.replace("6.", "6.next."));
          Files.delete(folder.resolve(partial.replace("6.", "6.next.")).resolve("training.json"));
        }
        case "old" -> copyCheckpoint("checkpoint-8", partial);
        default -> copyCheckpoint("checkpoint-6", name);
      }
    }
    Files.copy(whole.resolve(MetricsLog.TABLE), folder.resolve(MetricsLog.TABLE));
    TrainingResult result =
        SmallTraining.builder(folder).checkpoints(3, 1).resumeLatest().build().run();
    assertThat(result.isComplete()).isTrue();
    assertEndsAsWhole();
    assertThat(names(folder))
        .filteredOn(name -> name.matches("checkpoint-\\d+(\\.next)?"))
        .containsExactly("checkpoint-8");
  }

  /** A folder with what a kill left is saved into again. */
  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void aReplacementThatWasKilledIsDoneAgain(boolean oldIsThere) throws IOException {
    copyCheckpoint("checkpoint-6", "checkpoint-3");
    copyCheckpoint("checkpoint-6", "checkpoint-6.next");
    if (oldIsThere) {
      copyCheckpoint("checkpoint-8", "checkpoint-6");
    }
    TrainingFolder checkpoints = new TrainingFolder(folder, AdapterLayout.LORA);
    assertThat(checkpoints.latest())
        .contains(folder.resolve(oldIsThere ? "checkpoint-6" : "checkpoint-6.next"));
    TrainingRecord record = TrainingFolder.record(folder.resolve("checkpoint-6.next"));
    Tensor tensor = Tensor.ofFloats(new float[] {1, 2}, 2);
    Path saved =
        checkpoints.save(
            new TrainingFolder.Content(record, Map.of("a", tensor), Map.of("s", tensor)));
    assertThat(saved).isEqualTo(folder.resolve("checkpoint-6"));
    assertThat(names(folder)).containsExactly("checkpoint-3", "checkpoint-6");
    checkpoints.read(
        saved, (adapter, state) -> assertThat(adapter.get("a").toFloats()).containsExactly(1, 2));
  }

  @Test
  void anInterruptedThreadSavesAndStaysInterrupted() throws IOException {
    TrainingResult result =
        SmallTraining.builder(folder)
            .trainingListener(
                new TrainingListener() {
                  @Override
                  public void onStep(TrainingStep step) {
                    if (step.step() == 2) {
                      Thread.currentThread().interrupt();
                    }
                  }
                })
            .build()
            .run();
    assertThat(Thread.interrupted()).isTrue();
    assertThat(result.isComplete()).isFalse();
    assertThat(result.checkpoint()).contains(folder.resolve("checkpoint-2"));
    assertThat(folder.resolve("loss.png")).exists();
  }

  /** With SIGKILL, at any moment. */
  @Test
  void aKilledTrainingEndsWithTheSameWeights() throws Exception {
    long seed = System.nanoTime();
    System.out.println("seed " + seed);
    Random random = new Random(seed);
    for (int kill = 0; kill < 2; kill++) {
      Process process = start();
      int wanted = 1 + 2 * kill;
      while (process.isAlive() && !Files.exists(folder.resolve("checkpoint-" + wanted))) {
        Thread.sleep(5);
      }
      Thread.sleep(random.nextInt(150));
      process.destroyForcibly().waitFor();
    }
    Process last = start();
    assertThat(last.waitFor(15, TimeUnit.MINUTES)).isTrue();
    assertThat(last.exitValue()).isZero();
    assertEndsAsWhole();
  }

  private Process start() throws IOException {
    return new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-XX:TieredStopAtLevel=1",
            "-cp",
            System.getProperty("java.class.path"),
            SmallTraining.class.getName(),
            folder.toString())
        .inheritIO()
        .start();
  }

  /** A base adapter, samples, a held-out picture, and minor components. */
  @Test
  void trainsMinorComponentsAndShowsHowItGoes() throws IOException {
    TrainingData.Split data = TrainingData.open(TestData.path("training/data")).split(1, 0);
    List<Path> pictures = new ArrayList<>();
    List<Double> heldOut = new ArrayList<>();
    TrainingResult result =
        SmallTraining.builder(folder)
            .stage(TrainingStage.MINOR)
            .adapter(TestData.adapter2k())
            .optimizer(TrainingOptimizer.ADAMW)
            .learningRate(1e-3)
            .steps(4)
            .data(data.training())
            .heldOut(data.heldOut(), 2)
            .samples(
                List.of(
                    GenerationRequest.builder("a red circle")
                        .seed(1)
                        .size(64, 64)
                        .steps(1)
                        .build()),
                4)
            .trainingListener(
                new TrainingListener() {
                  @Override
                  public void onSample(long step, Path picture) {
                    pictures.add(picture);
                  }

                  @Override
                  public void onHeldOutLoss(long step, double loss) {
                    heldOut.add(loss);
                  }
                })
            .build()
            .run();
    Adapter adapter = Adapter.open(result.adapter().orElseThrow());
    assertThat(adapter.format()).isEqualTo(AdapterFormat.MINOR_COMPONENTS);
    assertThat(names(folder.resolve("checkpoint-4"))).contains("adapter_weights.safetensors");
    assertThat(heldOut).hasSize(3);
    assertThat(heldOut.get(2)).isNotEqualTo(heldOut.get(0)).isCloseTo(heldOut.get(0), within(0.2));
    assertThat(result.heldOutLoss()).hasValue(heldOut.get(2));
    assertThat(pictures)
        .containsExactly(
            folder.resolve("samples/step-000000-0.png"),
            folder.resolve("samples/step-000004-0.png"));
    assertThat(RgbImage.read(pictures.get(1))).isNotEqualTo(RgbImage.read(pictures.get(0)));
    assertThat(names(folder.resolve("samples"))).hasSize(2);
  }

  @Test
  void plansWithoutTraining() throws IOException {
    TrainingPlan plan = SmallTraining.builder(folder.resolve("output")).build().plan();
    assertThat(plan.pictures()).isEqualTo(3);
    assertThat(plan.width()).isEqualTo(192);
    assertThat(plan.height()).isEqualTo(192);
    assertThat(plan.imageTokens()).isEqualTo(144);
    assertThat(plan.textTokens()).isEqualTo(32);
    assertThat(plan.parameters()).isEqualTo(20_480);
    assertThat(plan.steps()).isEqualTo(SmallTraining.STEPS);
    assertThat(plan.flopsPerSecond()).isPositive();
    assertThat(plan.bytes()).isLessThan(1 << 30);
    assertThat(plan.fileBytes()).isPositive();
    assertThat(plan.refusal()).isEmpty();
    assertThat(folder).isEmptyDirectory();
  }
}
