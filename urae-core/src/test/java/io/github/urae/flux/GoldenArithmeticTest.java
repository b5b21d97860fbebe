package io.github.urae.flux;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.flux.arithmetic.RotaryTables;
import io.github.urae.flux.arithmetic.Schedule;
import io.github.urae.flux.arithmetic.TimestepShift;
import io.github.urae.flux.arithmetic.TokenPositions;
import io.github.urae.flux.arithmetic.TorchGenerator;
import io.github.urae.flux.model.internal.Flux1;
import io.github.urae.flux.model.internal.SchedulerConfig;
import io.github.urae.internal.JsonConfig;
import io.github.urae.testkit.TestData;
import io.github.urae.weights.SafetensorsFile;
import io.github.urae.weights.TensorInfo;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The arithmetic against what PyTorch and diffusers computed. */
class GoldenArithmeticTest {

  @Test
  void noise() throws IOException {
    try (SafetensorsFile golden = SafetensorsFile.open(TestData.path("golden/randn.safetensors"))) {
      assertThat(golden.tensors()).hasSize(25);
      for (TensorInfo info : golden.tensors().values()) {
        long seed = Long.parseLong(info.name().substring(4, info.name().indexOf('_')));
        float[] expected = golden.tensor(info.name()).toFloats();
        float[] actual = new TorchGenerator(seed).randn(expected.length);
        assertThat(TestData.largestDifference(expected, actual)).as(info.name()).isLessThan(6e-7);
      }
    }
  }

  @Test
  void schedules() throws IOException {
    JsonNode rows = new ObjectMapper().readTree(TestData.path("golden/schedule.json").toFile());
    assertThat(rows).hasSize(63);
    for (JsonNode row : rows) {
      TimestepShift shift =
          row.has("shift")
              ? new TimestepShift.Static(row.get("shift").asDouble())
              : new TimestepShift.Dynamic(0.5, 1.15, 256, 4096);
      long imageTokens = row.path("image_tokens").asLong();
      if (shift instanceof TimestepShift.Dynamic dynamic) {
        assertThat(dynamic.mu(imageTokens)).isCloseTo(row.get("mu").asDouble(), within(1e-12));
      }
      Schedule schedule = Schedule.of(row.get("steps").asInt(), shift, imageTokens);
      JsonNode sigmas = row.get("sigmas");
      assertThat(schedule.sigmas()).hasSize(sigmas.size());
      for (int i = 0; i < sigmas.size(); i++) {
        assertThat(schedule.sigma(i))
            .as("%s, level %d", row, i)
            .isEqualTo(sigmas.get(i).floatValue());
      }
      for (int i = 0; i < schedule.steps(); i++) {
        float timestep = row.get("timesteps").get(i).floatValue();
        assertThat(schedule.modelTime(i)).isEqualTo(timestep / 1000f);
      }
    }
  }

  /** diffusers rounds on the way what is here rounded once: seven digits are the same. */
  @Test
  void levelsOfOtherSchedulers(@TempDir Path folder) throws IOException {
    JsonNode recorded =
        new ObjectMapper().readTree(TestData.path("golden/schedulers.json").toFile());
    assertThat(recorded.get("levels")).hasSizeGreaterThan(200);
    for (JsonNode row : recorded.get("levels")) {
      Path file = folder.resolve("scheduler_config.json");
      Files.writeString(file, recorded.get("configs").get(row.get("name").asText()).toString());
      SchedulerConfig config = SchedulerConfig.from(JsonConfig.read(file));
      int steps = row.get("steps").asInt();
      Schedule schedule =
          config.schedule(
              Sampling.AUTO, config.ownShift(), steps, row.get("image_tokens").asLong());
      // One number for each velocity, and the last level.
      List<Integer> indices = new ArrayList<>();
      for (int step = 0; step < steps; step++) {
        indices.add(step);
        if (schedule.corrects(step)) {
          indices.add(step + 1);
        }
      }
      JsonNode sigmas = row.get("sigmas");
      assertThat(sigmas).hasSize(schedule.evaluations(steps) + 1);
      for (int i = 0; i < indices.size(); i++) {
        assertThat(schedule.sigma(indices.get(i)))
            .as("%s, level %d", row, i)
            .isCloseTo(sigmas.get(i).floatValue(), Offset.offset(1e-6f));
        assertThat(schedule.modelTime(indices.get(i)))
            .as("%s, time %d", row, i)
            .isCloseTo(row.get("timesteps").get(i).floatValue() / 1000, Offset.offset(1e-6f));
      }
      assertThat(schedule.sigma(steps)).isEqualTo(sigmas.get(indices.size()).floatValue());
    }
  }

  private static org.assertj.core.data.Offset<Double> within(double value) {
    return org.assertj.core.data.Offset.offset(value);
  }

  @Test
  void noiseOfSeedsAtTheEndsOfTheirRange() throws IOException {
    try (SafetensorsFile golden = SafetensorsFile.open(TestData.path("golden/seeds.safetensors"))) {
      assertThat(golden.tensors()).hasSize(10);
      for (String seed : golden.tensors().keySet()) {
        TestData.assertClose(
            "seed " + seed,
            golden.tensor(seed).toFloats(),
            new TorchGenerator(Seeds.parse(seed)).randn(48),
            3e-7);
      }
    }
  }

  @Test
  void rotaryTables() throws IOException {
    try (SafetensorsFile golden = SafetensorsFile.open(TestData.path("golden/rope.safetensors"))) {
      compareRotary(
          golden, "tiny_9x5", new int[] {4, 14, 14}, new LatentGrid(Flux1.LATENTS, 5 * 16, 9 * 16));
      compareRotary(
          golden,
          "full_6x7",
          new int[] {16, 56, 56},
          new LatentGrid(Flux1.LATENTS, 7 * 16, 6 * 16));
    }
  }

  private static void compareRotary(
      SafetensorsFile golden, String name, int[] axes, LatentGrid grid) throws IOException {
    for (int ntkFactor : new int[] {1, 10}) {
      RotaryTables tables = RotaryTables.of(axes, TokenPositions.of(4, grid), ntkFactor, 1);
      String prefix = name + "_ntk" + ntkFactor;
      assertThat(everySecond(golden.tensor(prefix + "_cos").toFloats()))
          .as(prefix)
          .isEqualTo(tables.cos());
      assertThat(everySecond(golden.tensor(prefix + "_sin").toFloats()))
          .as(prefix)
          .isEqualTo(tables.sin());
    }
  }

  /** diffusers keeps each value twice, once for either half of a pair. */
  private static float[] everySecond(float[] values) {
    float[] half = new float[values.length / 2];
    for (int i = 0; i < half.length; i++) {
      assertThat(values[2 * i]).isEqualTo(values[2 * i + 1]);
      half[i] = values[2 * i];
    }
    return half;
  }
}
