package io.github.urae.flux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.github.urae.InvalidRequestException;
import io.github.urae.ModelException;
import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.flux.arithmetic.LatentLayout;
import io.github.urae.flux.arithmetic.RotaryTables;
import io.github.urae.flux.arithmetic.Schedule;
import io.github.urae.flux.arithmetic.TimestepShift;
import io.github.urae.flux.arithmetic.TokenPositions;
import io.github.urae.flux.arithmetic.TorchGenerator;
import io.github.urae.flux.model.internal.Flux1;
import io.github.urae.flux.model.internal.SchedulerConfig;
import io.github.urae.internal.JsonConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class FluxArithmeticTest {

  @Test
  void positionsOfATextAndTwoPictures() {
    LatentGrid picture = new LatentGrid(Flux1.LATENTS, 48, 32);
    LatentGrid reference = new LatentGrid(Flux1.LATENTS, 16, 32);
    TokenPositions positions = TokenPositions.of(2, picture).andPicture(1, reference);
    assertThat(positions.tokens()).isEqualTo(2 + 6 + 2);
    assertThat(positions.textTokens()).isEqualTo(2);
    assertThat(positions.toFloats(0, 10))
        .containsExactly(
            0, 0, 0, 0, 0, 0, // text
            0, 0, 0, 0, 0, 1, 0, 0, 2, 0, 1, 0, 0, 1, 1, 0, 1, 2, // the picture
            1, 0, 0, 1, 1, 0); // the reference
    RotaryTables tables = RotaryTables.of(new int[] {4, 14, 14}, positions, 1, 1);
    RotaryTables alone =
        RotaryTables.of(new int[] {4, 14, 14}, TokenPositions.of(2, picture), 1, 1);
    assertThat(Arrays.copyOf(tables.cos(), alone.cos().length)).isEqualTo(alone.cos());
    // The first pair turns with the picture's number, by one radian.
    assertThat(tables.sin()[8 * 16]).isEqualTo((float) Math.sin(1));
    assertThatThrownBy(() -> RotaryTables.of(new int[] {16, 16}, positions, 1, 1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("3 axes");
  }

  @Test
  void otherLayoutsArePackedAlike() {
    LatentLayout layout = new LatentLayout(2, 4, 3);
    assertThat(layout.packedChannels()).isEqualTo(18);
    assertThat(layout.pixelsPerToken()).isEqualTo(12);
    LatentGrid grid = new LatentGrid(layout, 24, 12);
    float[] latents = new float[2 * 3 * 6];
    for (int i = 0; i < latents.length; i++) {
      latents[i] = i;
    }
    float[] tokens = grid.pack(latents);
    // The second token's first channel: three columns to the right, then row by row.
    assertThat(Arrays.copyOfRange(tokens, 18, 27)).containsExactly(3, 4, 5, 9, 10, 11, 15, 16, 17);
    assertThat(grid.unpack(tokens)).isEqualTo(latents);
    assertThatThrownBy(() -> new LatentGrid(layout, 16, 12))
        .isInstanceOf(InvalidRequestException.class)
        .hasMessageContainingAll("multiple of 12", "nearest are 12 and 24");
  }

  @Test
  void packingFollowsTheFormula() {
    LatentGrid grid = new LatentGrid(Flux1.LATENTS, 48, 32);
    float[] latents = new float[2 * grid.latentElements()];
    Random random = new Random(3);
    for (int i = 0; i < latents.length; i++) {
      latents[i] = random.nextFloat();
    }
    float[] packed = grid.pack(latents);
    for (int b = 0; b < 2; b++) {
      for (int c = 0; c < 16; c++) {
        for (int y = 0; y < 4; y++) {
          for (int x = 0; x < 6; x++) {
            int token = (y / 2) * 3 + x / 2;
            int channel = c * 4 + (y % 2) * 2 + x % 2;
            assertThat(packed[(b * 6 + token) * 64 + channel])
                .isEqualTo(latents[((b * 16 + c) * 4 + y) * 6 + x]);
          }
        }
      }
    }
    assertThat(grid.unpack(packed)).isEqualTo(latents);
    assertThatThrownBy(() -> grid.pack(new float[7])).isInstanceOf(IllegalArgumentException.class);
  }

  @ParameterizedTest
  @CsvSource({
    "1000, 'nearest are 992 and 1008'",
    "8, 'nearest are 16 and 32'",
    "0, found 0",
    "-16, found -16"
  })
  void sizesThatAreNoMultipleOf16AreRefused(int size, String message) {
    assertThatThrownBy(() -> new LatentGrid(Flux1.LATENTS, size, 64))
        .isInstanceOf(InvalidRequestException.class)
        .hasMessageContainingAll("width", message);
    assertThatThrownBy(() -> new LatentGrid(Flux1.LATENTS, 64, size))
        .isInstanceOf(InvalidRequestException.class)
        .hasMessageContainingAll("height", message);
  }

  @Test
  void sizesBeyondAnArrayAreRefused() {
    assertThat(new LatentGrid(Flux1.LATENTS, 4096, 4096).latentElements()).isEqualTo(65536 * 64);
    assertThatThrownBy(() -> new LatentGrid(Flux1.LATENTS, 1 << 20, 1 << 20).latentElements())
        .isInstanceOf(InvalidRequestException.class)
        .hasMessageContaining("too large");
  }

  /** Published values, see the reference page on FLUX's arithmetic. */
  @ParameterizedTest
  @CsvSource({"16896, 1.07426", "66048, 1.14701", "4608, 1"})
  void proportionalAttention(long tokens, double expected) {
    Profile ultra = new Profile("ultra", new TimestepShift.Static(3), 10, true, 4608);
    assertThat(ultra.queryFactor(tokens)).isCloseTo(expected, within(5e-6));
    Profile standard = new Profile("standard", new TimestepShift.Static(3), 1, false, 4608);
    assertThat(standard.queryFactor(tokens)).isEqualTo(1);
  }

  @Test
  void theQueryFactorScalesTextRowsToo() {
    RotaryTables tables =
        RotaryTables.of(
            new int[] {4, 14, 14},
            TokenPositions.of(3, new LatentGrid(Flux1.LATENTS, 32, 32)),
            10,
            1.25);
    RotaryTables plain =
        RotaryTables.of(
            new int[] {4, 14, 14},
            TokenPositions.of(3, new LatentGrid(Flux1.LATENTS, 32, 32)),
            10,
            1);
    float[] cos = tables.cos();
    assertThat(cos).hasSize(7 * 16);
    for (int i = 0; i < cos.length; i++) {
      assertThat(cos[i]).isEqualTo((float) (plain.cos()[i] * 1.25));
      assertThat(tables.sin()[i]).isEqualTo((float) (plain.sin()[i] * 1.25));
    }
    assertThat(cos[0]).isEqualTo(1.25f);
  }

  @Test
  void eulerStepsLeaveTheirArgumentsAlone() {
    Schedule schedule = Schedule.of(4, new TimestepShift.Static(1), 0);
    assertThat(schedule.sigmas()).containsExactly(1, 0.75f, 0.5f, 0.25f, 0);
    float[] x = {1, 2};
    float[] v = {4, -4};
    assertThat(schedule.step(0, x, v)).containsExactly(0, 3);
    assertThat(x).containsExactly(1, 2);
    assertThat(v).containsExactly(4, -4);
    assertThatThrownBy(() -> schedule.step(0, x, new float[3]))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void nonsenseIsRefused() {
    TimestepShift shift = new TimestepShift.Static(3);
    assertThatThrownBy(() -> Schedule.of(0, shift, 1)).isInstanceOf(InvalidRequestException.class);
    for (double bad : new double[] {0, -1, Double.NaN, Double.POSITIVE_INFINITY}) {
      assertThatThrownBy(() -> new TimestepShift.Static(bad))
          .isInstanceOf(InvalidRequestException.class);
      assertThatThrownBy(() -> new Profile("x", shift, bad, true, 4608))
          .isInstanceOf(InvalidRequestException.class);
    }
    assertThatThrownBy(() -> new Profile("x", shift, 1, true, 1))
        .isInstanceOf(InvalidRequestException.class);
    assertThatThrownBy(() -> new TorchGenerator(0).randn(15))
        .isInstanceOf(IllegalArgumentException.class);
  }

  /** Numbers of {@code torch.rand}, alone and after {@code torch.randn(32)}. */
  @Test
  void uniformNumbersAreThoseOfTorch() {
    assertThat(new TorchGenerator(0).rand(3)).containsExactly(0.4962566f, 0.7682218f, 0.08847743f);
    TorchGenerator generator = new TorchGenerator(7);
    generator.randn(32);
    assertThat(generator.rand(3)).containsExactly(0.6266506f, 0.56907266f, 0.74373275f);
  }

  @Test
  void onlyTheLower32BitsOfASeedCount() {
    assertThat(new TorchGenerator(5).randn(32))
        .isEqualTo(new TorchGenerator((1L << 32) + 5).randn(32))
        .isNotEqualTo(new TorchGenerator(6).randn(32));
  }

  @Test
  void schedulerConfigurations(@TempDir Path folder) throws IOException {
    String dev =
        "{\"_class_name\": \"FlowMatchEulerDiscreteScheduler\", \"base_image_seq_len\": 256,"
            + "\"base_shift\": 0.5, \"max_image_seq_len\": 4096, \"max_shift\": 1.15,"
            + "\"num_train_timesteps\": 1000, \"shift\": 3.0, \"use_dynamic_shifting\": true}";
    Path file = folder.resolve("scheduler_config.json");
    SchedulerConfig config = parse(file, dev);
    assertThat(config.ownShift()).isEqualTo(new TimestepShift.Dynamic(0.5, 1.15, 256, 4096));
    assertThat(config.standard(4608))
        .isEqualTo(new Profile("standard", config.dynamic(), 1, false, 4608));
    assertThat(config.ultra(4608))
        .isEqualTo(new Profile("ultra", new TimestepShift.Static(3), 10, true, 4608));
    SchedulerConfig schnell = parse(file, dev.replace("true", "false").replace("3.0", "1.0"));
    assertThat(schnell.ownShift()).isEqualTo(new TimestepShift.Static(1));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"_class_name\": \"DDIMScheduler\"}",
        "{\"_class_name\": \"UniPCMultistepScheduler\", \"use_flow_sigmas\": true}",
        "{\"stochastic_sampling\": true}",
        "{\"use_karras_sigmas\": true, \"use_beta_sigmas\": true}",
        "{\"use_karras_sigmas\": \"yes\"}",
        "{\"shift_terminal\": 1}",
        "{\"shift_terminal\": -0.1}",
        "{\"time_shift_type\": \"quadratic\"}",
        "{\"sigma_min\": 0}",
        "{\"sigma_max\": 80}",
        "{\"shift\": 0}",
        "{\"shift\": \"3\"}",
        "{\"use_dynamic_shifting\": 1}",
        "{\"num_train_timesteps\": 0}",
        "{\"base_image_seq_len\": 4096}",
        "{\"max_image_seq_len\": -1}"
      })
  void unknownSchedulerSettingsAreRefused(String json, @TempDir Path folder) throws IOException {
    Path file = folder.resolve("scheduler_config.json");
    String key = json.substring(2, json.indexOf("\":"));
    assertThatThrownBy(() -> parse(file, json))
        .isInstanceOf(ModelException.class)
        .hasMessageContaining(file.toString())
        .hasMessageContaining(key.startsWith("base_image") ? "max_image_seq_len" : key);
  }

  private static SchedulerConfig parse(Path file, String json) throws IOException {
    return SchedulerConfig.from(JsonConfig.read(Files.writeString(file, json)));
  }
}
