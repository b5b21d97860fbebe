package io.github.urae.training.internal.torch;

import static io.github.urae.testkit.TestData.assertClose;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.github.urae.tensor.Tensor;
import io.github.urae.testkit.TestData;
import io.github.urae.training.internal.engine.EngineSettings;
import io.github.urae.training.internal.engine.StepInputs;
import io.github.urae.training.internal.engine.TrainingEngine;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Five steps against those of URAE's own scripts. */
class RecordedStepsTest {

  @ParameterizedTest
  @CsvSource({
    "2k, adamw, true",
    "2k, adamw, false",
    "2k, prodigy, true",
    "4k, adamw, true",
    "4k, adamw, false",
    "4k, prodigy, true"
  })
  void fiveStepsAreThoseOfUrae(String stage, String optimizer, boolean recomputation)
      throws IOException {
    RecordedRun run = new RecordedRun(stage, optimizer);
    EngineSettings settings = run.settings().withRecomputation(recomputation, false);
    try (TrainingEngine engine = run.openAtStart(settings)) {
      Map<String, Tensor> start = engine.adapter();
      for (int step = 1; step <= 5; step++) {
        StepInputs inputs = run.step(step);
        float[] recordedInput = run.values.get("step." + step + "/hidden_states");
        if (recordedInput != null) {
          assertClose("latents", recordedInput, inputs.latents().toFloats(), 1e-6);
        }
        float[] prediction = run.values.get("step." + step + "/prediction");
        if (prediction != null && !run.prodigy) {
          assertClose("prediction " + step, prediction, engine.prediction(inputs), 1e-5);
        }
        double loss = engine.accumulate(inputs, 1);
        double recorded = run.log.get("losses").get(step - 1).asDouble();
        assertThat(loss).as("loss %s", step).isCloseTo(recorded, within(1e-5 * recorded));
        if (!run.prodigy || step == 1) {
          checkGradients(run, engine, step);
        }
        double norm = engine.clipGradients(run.maxNorm());
        double recordedNorm = run.log.get("norms").get(step - 1).asDouble();
        assertThat(norm).isCloseTo(recordedNorm, within(1e-4 * recordedNorm));
        engine.update(run.learningRate());
        if (run.prodigy) {
          double d = run.log.get("d").get(step - 1).asDouble();
          assertThat(engine.stepSize().getAsDouble()).isCloseTo(d, within(1e-5 * d));
        }
      }
      double ratio = errorToMovement(run, start, engine.adapter(), "adapter." + optimizer);
      System.out.printf("%s %s: error / movement after five steps %.1e%n", stage, optimizer, ratio);
      assertThat(ratio).isLessThan(1e-3);
      assertThat(engine.updates()).isEqualTo(5);
    }
  }

  private static void checkGradients(RecordedRun run, TrainingEngine engine, int step) {
    String prefix = "gradient." + step + "/";
    if (run.values.keySet().stream().noneMatch(name -> name.startsWith(prefix))) {
      return;
    }
    double worst = 0;
    for (Map.Entry<String, Tensor> gradient : engine.gradients().entrySet()) {
      float[] own = gradient.getValue().toFloats();
      float[] recorded = run.values.get(prefix + RecordedRun.recordedName(gradient.getKey()));
      if (recorded == null) {
        assertThat(own).as("%s is zero", gradient.getKey()).containsOnly(0);
      } else {
        worst = Math.max(worst, TestData.relativeDifference(recorded, own));
      }
    }
    System.out.printf("gradients of step %s: %.1e of the largest%n", step, worst);
    assertThat(worst).isLessThan(1e-4);
  }

  private static double errorToMovement(
      RecordedRun run, Map<String, Tensor> start, Map<String, Tensor> end, String recorded) {
    double error = 0;
    double movement = 0;
    for (String key : start.keySet()) {
      float[] from = start.get(key).toFloats();
      float[] own = end.get(key).toFloats();
      float[] to = run.values.get(recorded + "/" + RecordedRun.recordedName(key));
      for (int i = 0; i < from.length; i++) {
        error += Math.pow(own[i] - to[i], 2);
        movement += Math.pow(to[i] - from[i], 2);
      }
    }
    return Math.sqrt(error / movement);
  }

  @Test
  void ownMinorComponentsHaveTheRecordedProducts() throws IOException {
    RecordedRun run = new RecordedRun("4k", "adamw");
    try (TrainingEngine engine = run.open(run.settings())) {
      Map<String, Tensor> own = engine.adapter();
      Map<String, Tensor> recorded = run.adapter(engine, "adapter.0");
      for (String down : own.keySet()) {
        if (down.endsWith("_a.weight")) {
          String up = down.replace("_a.weight", "_b.weight");
          assertClose(
              down,
              product(recorded.get(up), recorded.get(down)),
              product(own.get(up), own.get(down)),
              1e-4);
        }
      }
      StepInputs inputs = run.step(2);
      // Whatever the start's signs, the first prediction is that of the base.
      float[] ofOwn = engine.prediction(inputs);
      engine.restore(recorded, Map.of());
      assertClose("prediction", ofOwn, engine.prediction(inputs), 1e-5);
    }
  }

  private static float[] product(Tensor up, Tensor down) {
    int rows = (int) up.shape().dimension(0);
    int rank = (int) up.shape().dimension(1);
    int columns = (int) down.shape().dimension(1);
    float[] b = up.toFloats();
    float[] a = down.toFloats();
    float[] product = new float[rows * columns];
    for (int i = 0; i < rows; i++) {
      for (int j = 0; j < columns; j++) {
        double sum = 0;
        for (int k = 0; k < rank; k++) {
          sum += (double) b[i * rank + k] * a[k * columns + j];
        }
        product[i * columns + j] = (float) sum;
      }
    }
    return product;
  }

  @Test
  void recomputationGivesTheGradientsOfTheWholeGraph() throws IOException {
    RecordedRun run = new RecordedRun("4k", "adamw");
    Map<Boolean, Map<String, Tensor>> gradients = new LinkedHashMap<>();
    for (boolean recomputation : new boolean[] {true, false}) {
      try (TrainingEngine engine =
          run.openAtStart(run.settings().withRecomputation(recomputation, recomputation))) {
        engine.accumulate(run.step(1), 0.5);
        engine.accumulate(run.step(2), 0.5);
        gradients.put(recomputation, engine.gradients());
      }
    }
    gradients
        .get(true)
        .forEach(
            (key, gradient) ->
                assertThat(
                        TestData.relativeDifference(
                            gradients.get(false).get(key).toFloats(), gradient.toFloats()))
                    .as(key)
                    .isLessThan(1e-6));
  }
}
