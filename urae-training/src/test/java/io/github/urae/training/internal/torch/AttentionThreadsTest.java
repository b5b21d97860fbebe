package io.github.urae.training.internal.torch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.urae.InferenceException;
import io.github.urae.tensor.Tensor;
import io.github.urae.training.internal.engine.StepInputs;
import io.github.urae.training.internal.engine.TrainingEngine;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.openblas.global.openblas_nolapack;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** OpenBLAS has as many threads after a step as before, however that ended. */
class AttentionThreadsTest {

  private static final int THREADS = 3;

  private int before;

  @BeforeEach
  void set() {
    before = openblas_nolapack.blas_get_num_threads();
    openblas_nolapack.blas_set_num_threads(THREADS);
  }

  @AfterEach
  void restore() {
    openblas_nolapack.blas_set_num_threads(before);
  }

  private static void assertRestored() {
    assertThat(openblas_nolapack.blas_get_num_threads()).isEqualTo(THREADS);
  }

  @ParameterizedTest
  @CsvSource({"2k, true", "2k, false", "4k, true", "4k, false"})
  void aStepRestoresThem(String stage, boolean recomputation) throws IOException {
    RecordedRun run = new RecordedRun(stage, "adamw");
    try (TrainingEngine engine = run.open(run.settings().withRecomputation(recomputation, false))) {
      // An engine of one thread has told OpenBLAS so, too.
      openblas_nolapack.blas_set_num_threads(THREADS);
      engine.accumulate(run.step(1), 1);
      assertRestored();
      engine.evaluate(run.step(2));
      assertRestored();
      StepInputs good = run.step(1);
      float[] target = good.target().toFloats();
      target[0] = Float.NaN;
      StepInputs bad =
          new StepInputs(
              good.latents(),
              good.rows(),
              good.columns(),
              good.sigma(),
              1,
              good.text(),
              good.pooled(),
              Tensor.ofFloats(target, good.target().shape().toArray()),
              1);
      assertThatThrownBy(() -> engine.accumulate(bad, 1)).isInstanceOf(InferenceException.class);
      assertRestored();
    }
  }

  @Test
  void attentionHasOneThreadAndRestoresThemWhenItFails() {
    PointerScope scope = new PointerScope();
    try {
      org.bytedeco.pytorch.Tensor any = torch.zeros(new long[] {2, 2});
      List<Integer> meanwhile = new ArrayList<>();
      assertThatThrownBy(
              () ->
                  AttentionThreads.during(
                      any,
                      any,
                      any,
                      () -> {
                        meanwhile.add(openblas_nolapack.blas_get_num_threads());
                        return torch.matmul(any, torch.zeros(new long[] {3, 3}));
                      }))
          .isInstanceOf(RuntimeException.class)
          .hasMessageContaining("cannot be multiplied");
      assertThat(meanwhile).containsExactly(1);
      assertRestored();
    } finally {
      scope.close();
    }
  }

  /** What a product was made of is overwritten, so that libtorch refuses its gradient. */
  @Test
  void aGradientThatFailsRestoresThem() {
    PointerScope scope = new PointerScope();
    try {
      org.bytedeco.pytorch.Tensor query = torch.ones(new long[] {2, 2}).set_requires_grad(true);
      org.bytedeco.pytorch.Tensor key = torch.ones(new long[] {2, 2});
      org.bytedeco.pytorch.Tensor product =
          AttentionThreads.during(query, key, key, () -> torch.matmul(query, key));
      assertRestored();
      key.zero_();
      org.bytedeco.pytorch.Tensor sum = product.sum();
      assertThatThrownBy(sum::backward)
          .isInstanceOf(RuntimeException.class)
          .hasMessageContaining("modified by an inplace operation");
      assertThat(openblas_nolapack.blas_get_num_threads()).isEqualTo(1);
      AttentionThreads.giveBack();
      assertRestored();
    } finally {
      scope.close();
    }
  }
}
