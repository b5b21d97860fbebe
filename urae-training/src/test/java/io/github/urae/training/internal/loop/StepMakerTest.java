package io.github.urae.training.internal.loop;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.github.urae.flux.arithmetic.TorchGenerator;
import io.github.urae.flux.model.internal.Flux1;
import io.github.urae.testkit.TestData;
import io.github.urae.training.WeightingScheme;
import io.github.urae.training.internal.data.CachedExample;
import io.github.urae.training.internal.data.CaptionKind;
import io.github.urae.training.internal.data.DataSet;
import io.github.urae.training.internal.data.LoadedExample;
import io.github.urae.training.internal.engine.StepInputs;
import io.github.urae.weights.SafetensorsFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class StepMakerTest {

  private static final NoiseLevels URAE = new NoiseLevels(WeightingScheme.NONE, 0, 1, 1.29, 1);

  /** Of the small checkpoint's autoencoder. */
  private static final StepMaker MAKER = new StepMaker(Flux1.LATENTS, 0.0409, 0.7232, URAE, 1);

  private static LoadedExample picture(String name, CaptionKind caption) throws IOException {
    Path data = TestData.path("training/data");
    CachedExample example =
        DataSet.open(data, data).examples().stream()
            .filter(each -> each.name().equals(name))
            .findFirst()
            .orElseThrow();
    return example.load(caption);
  }

  /** What the unmodified scripts of URAE gave their transformer, to the last bit. */
  @ParameterizedTest
  @CsvSource({"2k, 0.2701040506362915, 0.730", "4k, 0.20602506399154663, 0.794"})
  void inputsAreThoseOfUraesScripts(String stage, float u, float sigma) throws IOException {
    try (SafetensorsFile recorded =
        SafetensorsFile.open(TestData.path("training/" + stage + ".safetensors"))) {
      float[] posteriorNoise = recorded.tensor("step.2/posterior_noise").toFloats();
      float[] noise = recorded.tensor("step.2/noise").toFloats();
      LoadedExample picture = picture("image_1", CaptionKind.PROMPT);
      StepInputs made = MAKER.make(picture, new PictureDraws(posteriorNoise, noise, u));
      assertThat(made.latents().toFloats())
          .isEqualTo(recorded.tensor("step.2/hidden_states").toFloats());
      assertThat((float) made.sigma()).isEqualTo(sigma);
      assertThat(made.guidance()).isEqualTo(1);
      assertThat(made.lossWeight()).isEqualTo(1);
      assertThat(made.rows()).isEqualTo(9);
      assertThat(made.columns()).isEqualTo(12);
      assertThat(made.text()).isSameAs(picture.sequence());
      float[] clean = picture.sample(posteriorNoise, 0.0409, 0.7232);
      float[] target = made.target().toFloats();
      // Packed: token 0 begins with the four elements of channel 0 in its corner.
      assertThat(target[0]).isEqualTo(noise[0] - clean[0]);
      assertThat(target[1]).isEqualTo(noise[1] - clean[1]);
      assertThat(target[2]).isEqualTo(noise[24] - clean[24]);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "0.4543537497520447, 0.546",
    "0.2701040506362915, 0.730",
    "0.4764050841331482, 0.524",
    "0.9188057780265808, 0.082",
    "0.5733733177185059, 0.427",
    "0, 1",
    "0.9999999403953552, 0.001",
    "1, 0.001"
  })
  void noiseLevelsAreThoseOfTheScheduler(float u, float sigma) {
    assertThat(URAE.sigma(u)).isEqualTo(sigma);
  }

  @Test
  void shiftMovesNoiseLevelsUp() {
    NoiseLevels shifted = new NoiseLevels(WeightingScheme.NONE, 0, 1, 1.29, 3);
    assertThat(shifted.sigma(0.5f)).isCloseTo(0.75f, within(1e-6f));
    assertThat(shifted.sigma(0)).isEqualTo(1);
  }

  /** Values of diffusers' compute_density_for_timestep_sampling and its weighting of losses. */
  @Test
  void schemesAreThoseOfDiffusers() {
    NoiseLevels logit = new NoiseLevels(WeightingScheme.LOGIT_NORMAL, 0.5, 2, 1.29, 1);
    assertThat(logit.distributed(0.1f, -1)).isCloseTo(0.18242551f, within(1e-6f));
    NoiseLevels mode = new NoiseLevels(WeightingScheme.MODE, 0, 1, 1.29, 1);
    assertThat(mode.distributed(0.25f, 0)).isCloseTo(0.616415f, within(1e-5f));
    assertThat(mode.lossWeight(0.5f)).isEqualTo(1);
    NoiseLevels root = new NoiseLevels(WeightingScheme.SIGMA_SQRT, 0, 1, 1.29, 1);
    assertThat(root.distributed(0.3f, 5)).isEqualTo(0.3f);
    assertThat(root.lossWeight(0.5f)).isEqualTo(4);
    NoiseLevels cosmap = new NoiseLevels(WeightingScheme.COSMAP, 0, 1, 1.29, 1);
    assertThat(cosmap.lossWeight(0.5f)).isCloseTo(4 / Math.PI, within(1e-12));
    assertThatThrownBy(() -> new NoiseLevels(WeightingScheme.NONE, 0, 0, 1.29, 1))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new NoiseLevels(WeightingScheme.NONE, 0, 1, 1.29, 0))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void drawsOfATurnDependOnSeedAndTurnAlone() {
    PictureDraws draws = PictureDraws.of(3, 1000, 64, URAE);
    assertThat(PictureDraws.of(3, 1000, 64, URAE).noise()).isEqualTo(draws.noise());
    assertThat(PictureDraws.of(3, 1001, 64, URAE).noise()).isNotEqualTo(draws.noise());
    assertThat(PictureDraws.of(4, 1000, 64, URAE).u()).isNotEqualTo(draws.u());
    TorchGenerator generator = new TorchGenerator(Mixing.of(3, Mixing.NOISE, 1000));
    assertThat(draws.posteriorNoise()).isEqualTo(generator.randn(64));
    assertThat(draws.noise()).isEqualTo(generator.randn(64));
    assertThat(draws.u()).isEqualTo(generator.rand(1)[0]);
  }

  @Test
  void noiseLevelsAreDrawnEvenly() {
    int[] counts = new int[10];
    for (int turn = 0; turn < 5000; turn++) {
      counts[Math.min(9, (int) (PictureDraws.of(0, turn, 16, URAE).u() * 10))]++;
    }
    assertThat(Arrays.stream(counts).min().orElseThrow()).isGreaterThan(420);
    assertThat(Arrays.stream(counts).max().orElseThrow()).isLessThan(580);
  }
}
