package io.github.urae.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import io.github.urae.AdapterException;
import io.github.urae.FileFormatException;
import io.github.urae.InferenceException;
import io.github.urae.TrainingException;
import io.github.urae.UraeException;
import io.github.urae.tensor.Tensor;
import io.github.urae.testkit.TestData;
import io.github.urae.training.internal.checkpoint.TrainingFolder;
import io.github.urae.weights.SafetensorsWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What cannot be trained, or not go on: each is told, and nothing is lost. */
class TrainingFailuresTest {

  @TempDir Path folder;

  /** One step, saved. */
  @TempDir static Path begun;

  @BeforeAll
  static void begin() throws IOException {
    SmallTraining.builder(begun).steps(1).build().run();
  }

  /** Fails before anything is computed or written. */
  private static void assertNotContinued(
      UnaryOperator<FluxTraining.Builder> change, String... words) throws IOException {
    FluxTraining training = change.apply(SmallTraining.builder(begun).resumeLatest()).build();
    assertThatThrownBy(training::run)
        .isInstanceOf(TrainingException.class)
        .hasMessageContainingAll(words);
    assertThat(begun.resolve("checkpoint-1/training.json")).exists();
  }

  @Test
  void anotherTrainingIsNotContinued() throws IOException {
    assertNotContinued(training -> training.rank(8), "checkpoint-1", "rank 4, not 8");
    assertNotContinued(training -> training.seed(8), "seed 7, not 8");
    assertNotContinued(training -> training.accumulate(1), "accumulation 2, not 1");
    assertNotContinued(
        training -> training.optimizer(TrainingOptimizer.ADAMW), "optimizer PRODIGY, not ADAMW");
    assertNotContinued(training -> training.guidance(3.5), "guidance 1.0, not 3.5");
    assertNotContinued(training -> training.shift(3), "shift 1.0, not 3.0");
    assertNotContinued(training -> training.stage(TrainingStage.MINOR), "stage LORA, not MINOR");
    assertNotContinued(
        training -> training.adapter(TestData.adapter2k()),
        "another base",
        "no base adapter",
        "base adapters with digests");
  }

  @Test
  void otherPicturesAreNotContinuedWith() throws IOException {
    try (Stream<Path> files = Files.list(TestData.path("training/data"))) {
      for (Path file : files.filter(each -> !each.toString().contains("image_1")).toList()) {
        Files.copy(file, folder.resolve(file.getFileName()));
      }
    }
    TrainingData fewer = TrainingData.open(folder);
    assertNotContinued(training -> training.data(fewer), "other pictures");
  }

  private Path copyOfData() throws IOException {
    Path copy = Files.createDirectories(folder.resolve("data"));
    try (Stream<Path> files = Files.list(TestData.path("training/data"))) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        Files.copy(file, copy.resolve(file.getFileName()));
      }
    }
    return copy;
  }

  /** Names and sizes of files stay: one value of a tensor is another. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "image_0_latent_code.safetensors",
        "image_1_prompt_embed.safetensors",
        "image_2_generated_prompt_embed.safetensors"
      })
  void anotherValueOfACacheIsNotContinuedWith(String cache) throws IOException {
    Path data = copyOfData();
    TrainingData same = TrainingData.open(data);
    assertThat(same.dataSet().digest())
        .isEqualTo(TrainingData.open(TestData.path("training/data")).dataSet().digest());
    Path file = data.resolve(cache);
    byte[] bytes = Files.readAllBytes(file);
    bytes[bytes.length - 4] ^= 1;
    Files.write(file, bytes);
    TrainingData changed = TrainingData.open(data);
    assertNotContinued(training -> training.data(changed), "other pictures");
  }

  @Test
  void anotherModelIsNotContinuedWith() throws IOException {
    Path model = folder.resolve("model");
    try (Stream<Path> files = Files.walk(TestData.checkpoint())) {
      for (Path file : files.toList()) {
        Path copy = model.resolve(TestData.checkpoint().relativize(file).toString());
        if (Files.isDirectory(file)) {
          Files.createDirectories(copy);
        } else {
          Files.copy(file, copy);
        }
      }
    }
    Path weights;
    try (Stream<Path> files = Files.list(model.resolve("transformer"))) {
      weights =
          files.filter(file -> file.toString().endsWith(".safetensors")).findFirst().orElseThrow();
    }
    byte[] bytes = Files.readAllBytes(weights);
    for (int i = bytes.length / 2; i < bytes.length; i++) {
      bytes[i] = (byte) (bytes[i] ^ 1);
    }
    Files.write(weights, bytes);
    assertNotContinued(training -> training.model(model), "another base", "fingerprint");
  }

  @Test
  void aFolderWithATrainingIsNotTakenForANewOne() throws IOException {
    FluxTraining training = SmallTraining.builder(begun).build();
    assertThatThrownBy(training::run)
        .isInstanceOf(TrainingException.class)
        .hasMessageContainingAll(begun.toString(), "checkpoint-1", "--resume latest");
  }

  @Test
  void twoTrainingsDoNotWriteIntoOneFolder() throws IOException {
    List<Throwable> second = new ArrayList<>();
    SmallTraining.builder(folder)
        .steps(1)
        .trainingListener(
            new TrainingListener() {
              @Override
              public void onStep(TrainingStep step) {
                try {
                  SmallTraining.builder(folder).build().run();
                } catch (IOException | UraeException e) {
                  second.add(e);
                }
              }
            })
        .build()
        .run();
    assertThat(second).hasSize(1);
    assertThat(second.get(0))
        .isInstanceOf(TrainingException.class)
        .hasMessageContainingAll(folder.toString(), "another training");
    assertThat(folder.resolve("adapter.safetensors")).exists();
  }

  private Path copyOfCheckpoint() throws IOException {
    Path copy = Files.createDirectories(folder.resolve("checkpoint-1"));
    try (Stream<Path> files = Files.list(begun.resolve("checkpoint-1"))) {
      for (Path file : files.toList()) {
        Files.copy(file, copy.resolve(file.getFileName()));
      }
    }
    return copy;
  }

  private void assertDamaged(Class<? extends Exception> type, String... words) throws IOException {
    FluxTraining training = SmallTraining.builder(folder).resumeLatest().build();
    assertThatThrownBy(training::run).isInstanceOf(type).hasMessageContainingAll(words);
  }

  @Test
  void damagedCheckpointsAreNamed() throws IOException {
    Path checkpoint = copyOfCheckpoint();
    Path record = checkpoint.resolve("training.json");
    String text = Files.readString(record);
    Files.writeString(record, text.substring(0, text.length() / 2));
    assertDamaged(FileFormatException.class, record.toString(), "JSON");
    Files.writeString(record, "{\"format\": \"other\"}");
    assertDamaged(FileFormatException.class, "'format'", "urae-training");
    Files.writeString(record, text.replace("\"version\" : 1", "\"version\" : 9"));
    assertDamaged(FileFormatException.class, "'version'", "expected 1, found 9");
    for (String key : List.of("step", "pictures_done", "data", "base", "smoothed_loss_sums")) {
      Files.writeString(record, text.replace("\"" + key + "\"", "\"other\""));
      assertDamaged(FileFormatException.class, "'" + key + "'");
    }
    Files.writeString(record, text);
    Path state = checkpoint.resolve("state.safetensors");
    byte[] bytes = Files.readAllBytes(state);
    Files.write(state, new byte[] {1, 2, 3});
    assertDamaged(FileFormatException.class, state.toString());
    Files.copy(
        checkpoint.resolve("pytorch_lora_weights.safetensors"),
        state,
        StandardCopyOption.REPLACE_EXISTING);
    assertDamaged(AdapterException.class, "optimizer");
    Files.write(state, bytes);
    Files.delete(checkpoint.resolve("pytorch_lora_weights.safetensors"));
    assertDamaged(TrainingException.class, "pytorch_lora_weights.safetensors", "stage");
  }

  /** Every byte of a record: an error of the library's, or a training that goes on. */
  @Test
  void anyDamageToARecordIsToldOrHarmless() throws IOException {
    Path checkpoint = copyOfCheckpoint();
    Path record = checkpoint.resolve("training.json");
    byte[] whole = Files.readAllBytes(record);
    for (int i = 0; i < whole.length; i++) {
      byte[] damaged = whole.clone();
      damaged[i] ^= 0x15;
      Files.write(record, damaged);
      try {
        TrainingFolder.record(checkpoint);
      } catch (UraeException e) {
        assertThat(e).hasMessageContaining(record.toString());
      }
    }
  }

  @Test
  void whatIsNoNumberStopsTheTrainingAndLosesNothing() throws IOException {
    FluxTraining training =
        SmallTraining.builder(folder).optimizer(TrainingOptimizer.ADAMW).learningRate(1e20).build();
    assertThatThrownBy(training::run)
        .isInstanceOf(TrainingException.class)
        .hasMessageContainingAll(
            "step 2, picture 'image_", "sigma 0.", "not finite", "checkpoint-1", "learning rate");
    assertThat(folder.resolve("checkpoint-1/state.safetensors")).exists();
    assertThat(folder.resolve("adapter.safetensors")).doesNotExist();
    assertThat(Files.readAllLines(folder.resolve("metrics.csv"))).hasSize(2);
    assertThat(folder.resolve("loss.png")).exists();
  }

  /** The last update is what went wrong; nobody can tell, so it is saved beside what was before. */
  @Test
  void heldOutPicturesThatFailAreNamedAndLoseNothing() throws IOException {
    TrainingData.Split data = TrainingData.open(TestData.path("training/data")).split(1, 0);
    FluxTraining training =
        SmallTraining.builder(folder)
            .data(data.training())
            .heldOut(data.heldOut(), 1)
            .optimizer(TrainingOptimizer.ADAMW)
            .learningRate(1e20)
            .build();
    assertThatThrownBy(training::run)
        .isInstanceOf(InferenceException.class)
        .hasMessageContainingAll("held-out picture 'image_", "sigma 0.1", "not finite");
    assertThat(folder.resolve("checkpoint-1/state.safetensors")).exists();
  }

  /** No checkpoint is due: the step before is saved all the same. */
  @Test
  void aCacheThatCannotBeReadLosesNothing() throws IOException {
    Path data = copyOfData();
    Path output = folder.resolve("output");
    FluxTraining training =
        SmallTraining.builder(output)
            .data(data)
            .accumulate(8)
            .checkpoints(100, 1)
            .trainingListener(
                new TrainingListener() {
                  @Override
                  public void onStep(TrainingStep step) {
                    try (Stream<Path> files = Files.list(data)) {
                      for (Path file : files.filter(each -> isLatents(each)).toList()) {
                        Files.write(file, new byte[] {1, 2, 3});
                      }
                    } catch (IOException e) {
                      throw new UncheckedIOException(e);
                    }
                  }
                })
            .build();
    assertThatThrownBy(training::run)
        .isInstanceOf(FileFormatException.class)
        .hasMessageContaining("_latent_code.safetensors");
    assertThat(output.resolve("checkpoint-1/state.safetensors")).exists();
    assertThat(output.resolve("loss.png")).exists();
  }

  private static boolean isLatents(Path file) {
    return file.toString().endsWith("_latent_code.safetensors");
  }

  @Test
  void whatDoesNotFitIntoMemoryIsRefusedWithWhatWould() throws IOException {
    FluxTraining training =
        SmallTraining.builder(folder.resolve("output")).memoryLimit(526_000_000).build();
    assertThatThrownBy(training::run)
        .isInstanceOf(TrainingException.class)
        .hasMessageContainingAll("192x192", "allowed", "what would fit", "pictures of at most");
    assertThat(training.plan().refusal()).isPresent();
    assertThat(folder).isEmptyDirectory();
  }

  /** What is trained on would do; only what is measured now and then is too large. */
  @Test
  void heldOutPicturesThatDoNotFitIntoMemoryAreRefusedByName() throws IOException {
    Path data = copyOfData();
    Tensor latents = Tensor.ofFloats(new float[16 * 128 * 96], 16, 128, 96);
    SafetensorsWriter.write(
        data.resolve("image_1_latent_code.safetensors"),
        Map.of(),
        Map.of("mean", latents, "std", latents));
    Path output = folder.resolve("output");
    FluxTraining.Builder builder =
        SmallTraining.builder(output)
            .memoryLimit(SmallTraining.builder(output).build().plan().bytes());
    assertThat(builder.build().plan().refusal()).isEmpty();
    FluxTraining training = builder.heldOut(TrainingData.open(data), 1).build();
    assertThatThrownBy(training::run)
        .isInstanceOf(TrainingException.class)
        .hasMessageContainingAll(
            "held-out picture 'image_1' of 768x1024 pixels", "allowed", "at most 192x192 pixels");
    assertThat(training.plan().refusal()).isPresent();
    assertThat(output).doesNotExist();
  }

  @Test
  void anAlphaOfMinorComponentsIsRefusedByName() throws IOException {
    FluxTraining.Builder builder =
        SmallTraining.builder(folder).stage(TrainingStage.MINOR).alpha(8);
    assertThatThrownBy(builder::build)
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("alpha", "minor components", "found 8");
  }

  @Test
  void aFileInPlaceOfTheOutputIsNamed() throws IOException {
    Path file = Files.writeString(folder.resolve("output"), "text");
    FluxTraining training = SmallTraining.builder(file).build();
    assertThatThrownBy(training::run)
        .isInstanceOf(IOException.class)
        .hasMessageContainingAll(file.toString(), "folder");
    assertThat(file).hasContent("text");
  }

  @Test
  void whatMakesNoSenseIsRefusedAtOnce() throws IOException {
    FluxTraining.Builder builder = SmallTraining.builder(folder);
    assertThatThrownBy(() -> builder.rank(0)).hasMessageContainingAll("rank", "found 0");
    assertThatThrownBy(() -> builder.steps(0)).hasMessageContainingAll("steps", "found 0");
    assertThatThrownBy(() -> builder.learningRate(Double.NaN)).hasMessageContaining("NaN");
    assertThatThrownBy(() -> builder.shift(-1)).hasMessageContaining("shift");
    assertThatThrownBy(() -> builder.modeScale(2)).hasMessageContaining("mode scale");
    assertThatThrownBy(() -> builder.originalPromptRatio(1.5)).hasMessageContaining("1.5");
    assertThatThrownBy(() -> builder.device("tpu")).hasMessageContaining("tpu");
    assertThatThrownBy(() -> builder.checkpoints(0, 1)).hasMessageContaining("found 0");
    assertThatThrownBy(() -> FluxTraining.builder().build())
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("stage");
  }

  private static void run(String... command) throws Exception {
    int status;
    try {
      status = new ProcessBuilder(command).redirectErrorStream(true).start().waitFor();
    } catch (IOException e) {
      status = 127;
    }
    assumeThat(status).as("mounting takes rights that this process lacks").isZero();
  }

  /** Three checkpoints do not fit on it, so that the third fails while two are there. */
  @Test
  @EnabledOnOs(OS.LINUX)
  void aFullDiskLosesNothing() throws Exception {
    run("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder.toString());
    try {
      FluxTraining training = SmallTraining.builder(folder).checkpoints(1, 2).build();
      assertThatThrownBy(training::run)
          .isInstanceOf(IOException.class)
          .hasMessageContainingAll(folder.toString(), "checkpoint-3", "free");
      try (Stream<Path> files = Files.walk(folder)) {
        assertThat(files.map(Path::toString)).noneMatch(name -> name.contains(".partial"));
      }
      Path elsewhere = Files.createDirectories(begun.resolveSibling("elsewhere"));
      TrainingResult result =
          SmallTraining.builder(elsewhere)
              .steps(3)
              .resume(folder.resolve("checkpoint-2"))
              .build()
              .run();
      assertThat(result.isComplete()).isTrue();
    } finally {
      new ProcessBuilder("umount", folder.toString()).start().waitFor();
    }
  }
}
