package io.github.urae.openblas;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.github.urae.AdapterException;
import io.github.urae.adapter.MinorComponents;
import io.github.urae.adapter.internal.algebra.DenseAlgebra;
import io.github.urae.adapter.internal.algebra.MinorFactors;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Minor components of matrices with known singular values: random orthonormal vectors, made here,
 * times these. Small matrices are decomposed in full, those of order 320 and more by Lanczos
 * iteration; both are held to the same rules.
 */
class MinorComponentsTest {

  private static final int RANK = 16;

  private static MinorFactors compute(float[] weight, int rows, int columns, int rank) {
    return DenseAlgebra.load().minorFactors(weight, rows, columns, rank);
  }

  private static float[] noise(long count, long seed) {
    Random random = new Random(seed);
    float[] values = new float[Math.toIntExact(count)];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (0.05 * random.nextGaussian());
    }
    return values;
  }

  enum Spectrum {
    /** Evenly spaced down to near zero: as of a random matrix. */
    EVEN,
    /** Twenty values within 1e-9 of each other, across the cut. */
    CLUSTERED,
    /** Sixteen close together, and a clear gap at the cut. */
    CLUSTERED_BEFORE_THE_GAP,
    /** Each value three times. */
    REPEATED,
    /** All the same: every vector is a singular one. */
    EQUAL,
    /** Singular: five values are zero. */
    SINGULAR,
    /** Of low rank: more zeros than components. */
    LOW_RANK,
    /** Over twelve orders of magnitude. */
    GRADED;

    /** Returns a singular value by its number from the smallest on. */
    double value(int i) {
      return switch (this) {
        case EVEN -> 0.003 + 0.003 * i;
        case CLUSTERED -> i < 20 ? 0.1 + 5e-11 * i : 1 + 0.01 * i;
        case CLUSTERED_BEFORE_THE_GAP -> i < RANK ? 0.1 + 1e-6 * i : 0.5 + 0.01 * i;
        case REPEATED -> 0.1 + 0.1 * (i - i % 3);
        case EQUAL -> 1;
        case SINGULAR -> i < 5 ? 0 : 0.01 * i;
        case LOW_RANK -> i < 40 ? 0 : 1;
        case GRADED -> Math.pow(10, -12 + Math.min(12, 0.3 * i));
      };
    }
  }

  /** Sixteen blocks of RANK + 4 vectors. */
  private static final int ITERATED_FROM = 320;

  static Object[][] matrices() {
    // Small ones are decomposed as a whole; triangles of an order above 400 are halved.
    int[][] shapes = {
      {48, 48}, {40, 57}, {57, 40}, {350, 350}, {340, 410}, {410, 340}, {870, 870}, {450, 860}
    };
    Object[][] matrices = new Object[shapes.length * Spectrum.values().length][];
    for (int i = 0; i < matrices.length; i++) {
      int[] shape = shapes[i / Spectrum.values().length];
      matrices[i] =
          new Object[] {Spectrum.values()[i % Spectrum.values().length], shape[0], shape[1]};
    }
    return matrices;
  }

  @ParameterizedTest
  @MethodSource("matrices")
  void residualsOrthogonalityAndValues(Spectrum spectrum, int rows, int columns) {
    long seed = 31L * rows + columns;
    int order = Math.min(rows, columns);
    double[] values = new double[order];
    Arrays.setAll(values, i -> spectrum.value(order - 1 - i));
    float[] weight = matrix(values, rows, columns, seed);
    MinorFactors minor = compute(weight, rows, columns, RANK);
    double norm = values[0];
    // Rounding the matrix to float32 moves its singular values by up to this.
    double rounding = 0x1p-23 * norm * Math.sqrt(order);
    double[] found = minor.singularValues;
    for (int i = 0; i < RANK; i++) {
      assertThat(found[i])
          .as("value %d, seed %d", i, seed)
          .isBetween(values[order - RANK + i] - rounding, values[order - RANK + i] + rounding);
    }
    float[] a = minor.a;
    float[] b = minor.b;
    double[][] v = new double[RANK][columns];
    double[][] u = new double[RANK][rows];
    int defined = 0;
    for (int i = 0; i < RANK; i++) {
      if (found[i] > 1e-13 * norm) {
        defined++;
        double root = Math.sqrt(found[i]);
        for (int j = 0; j < columns; j++) {
          v[i][j] = a[i * columns + j] / root;
        }
        for (int j = 0; j < rows; j++) {
          u[i][j] = b[j * RANK + i] / root;
        }
      }
    }
    double residual = 0;
    double overlap = 0;
    for (int i = 0; i < defined; i++) {
      residual = Math.max(residual, residual(weight, columns, v[i], u[i], found[i]));
      for (int j = 0; j <= i; j++) {
        double expected = i == j ? 1 : 0;
        overlap = Math.max(overlap, Math.abs(dot(u[i], u[j]) - expected));
        overlap = Math.max(overlap, Math.abs(dot(v[i], v[j]) - expected));
      }
    }
    System.out.printf(
        "%-24s [%d, %d]  residual %.1e of %.1e, overlap %.1e, gap %.1e, %d steps%n",
        spectrum, rows, columns, residual, norm, overlap, minor.gap, minor.steps);
    if (order >= ITERATED_FROM) {
      assertThat(minor.steps).as("converged, seed %d", seed).isPositive();
    }
    // A and B are float32.
    assertThat(residual).as("seed %d", seed).isLessThanOrEqualTo(1e-6 * norm);
    assertThat(overlap).as("seed %d", seed).isLessThan(1e-5);
    assertThat(minor.residual).isLessThanOrEqualTo(1e-6 * norm);
    // The product is that of the smallest components where the cut defines it.
    double gap = values[order - RANK - 1] - values[order - RANK];
    assertThat(minor.gap).isBetween(0.0, gap + 2 * rounding);
    if (gap > 1e-4 * values[order - RANK] && gap > 100 * rounding) {
      assertThat(productError(minor, values, rows, columns, seed))
          .as("product, seed %d", seed)
          .isLessThan(1e-4 + 10 * rounding / gap);
    }
  }

  /** |W v - s u|. */
  private static double residual(float[] weight, int columns, double[] v, double[] u, double s) {
    double sum = 0;
    for (int row = 0; row < u.length; row++) {
      double difference = -s * u[row];
      for (int column = 0; column < columns; column++) {
        difference += weight[row * columns + column] * v[column];
      }
      sum += difference * difference;
    }
    return Math.sqrt(sum);
  }

  private static double dot(double[] x, double[] y) {
    double sum = 0;
    for (int i = 0; i < x.length; i++) {
      sum += x[i] * y[i];
    }
    return sum;
  }

  /** Error of B A, relative to the norm of the true product. */
  private static double productError(
      MinorFactors minor, double[] values, int rows, int columns, long seed) {
    double[] smallest = values.clone();
    Arrays.fill(smallest, 0, values.length - RANK, 0);
    double[] expected = product(smallest, rows, columns, seed);
    float[] a = minor.a;
    float[] b = minor.b;
    double error = 0;
    double norm = 0;
    for (int i = 0; i < expected.length; i++) {
      double actual = 0;
      for (int k = 0; k < RANK; k++) {
        actual += (double) b[i / columns * RANK + k] * a[k * columns + i % columns];
      }
      error += (actual - expected[i]) * (actual - expected[i]);
      norm += expected[i] * expected[i];
    }
    return Math.sqrt(error / norm);
  }

  private static float[] matrix(double[] values, int rows, int columns, long seed) {
    double[] exact = product(values, rows, columns, seed);
    float[] rounded = new float[exact.length];
    for (int i = 0; i < exact.length; i++) {
      rounded[i] = (float) exact[i];
    }
    return rounded;
  }

  /** U diag(values) V', where U and V are products of random reflections. */
  private static double[] product(double[] values, int rows, int columns, long seed) {
    Random random = new Random(seed);
    double[] matrix = new double[rows * columns];
    for (int i = 0; i < values.length; i++) {
      matrix[i * columns + i] = values[i];
    }
    for (int reflection = 0; reflection < 4; reflection++) {
      double[] left = unit(rows, random);
      for (int column = 0; column < columns; column++) {
        double along = 0;
        for (int row = 0; row < rows; row++) {
          along += left[row] * matrix[row * columns + column];
        }
        for (int row = 0; row < rows; row++) {
          matrix[row * columns + column] -= 2 * along * left[row];
        }
      }
      double[] right = unit(columns, random);
      for (int row = 0; row < rows; row++) {
        double along = 0;
        for (int column = 0; column < columns; column++) {
          along += right[column] * matrix[row * columns + column];
        }
        for (int column = 0; column < columns; column++) {
          matrix[row * columns + column] -= 2 * along * right[column];
        }
      }
    }
    return matrix;
  }

  private static double[] unit(int length, Random random) {
    double[] vector = random.doubles(length, -1, 1).toArray();
    double norm = Math.sqrt(dot(vector, vector));
    Arrays.setAll(vector, i -> vector[i] / norm);
    return vector;
  }

  @Test
  void zeroMatrix() {
    MinorFactors minor = compute(new float[400 * 400], 400, 400, RANK);
    assertThat(minor.singularValues).containsOnly(0);
    assertThat(minor.a).containsOnly(0);
    assertThat(minor.b).containsOnly(0);
    assertThat(minor.residual).isZero();
  }

  @ParameterizedTest
  @CsvSource({"1, 1, 1", "1, 9, 1", "9, 1, 1", "16, 16, 16", "5, 7, 5"})
  void allComponentsAreTheMatrixItself(int rows, int columns, int rank) {
    float[] weight = noise((long) rows * columns, 3);
    MinorFactors minor = compute(weight, rows, columns, rank);
    assertThat(minor.gap).isInfinite();
    for (int i = 0; i < weight.length; i++) {
      double product = 0;
      for (int k = 0; k < rank; k++) {
        product += (double) minor.b[i / columns * rank + k] * minor.a[k * columns + i % columns];
      }
      assertThat(product).isCloseTo(weight[i], within(1e-6));
    }
  }

  /** No tolerance depends on the size of the values. */
  @ParameterizedTest
  @CsvSource({"1e-30", "1e30"})
  void scaleDoesNotMatter(float scale) {
    double[] values = new double[340];
    Arrays.setAll(values, i -> 1 + 0.01 * (340 - i));
    float[] weight = matrix(values, 340, 340, 11);
    MinorFactors plain = compute(weight, 340, 340, RANK);
    for (int i = 0; i < weight.length; i++) {
      weight[i] *= scale;
    }
    MinorFactors scaled = compute(weight, 340, 340, RANK);
    for (int i = 0; i < RANK; i++) {
      assertThat(scaled.singularValues[i] / scale).isCloseTo(plain.singularValues[i], within(1e-6));
    }
  }

  @Test
  void resultsRepeat() {
    float[] weight = noise(350L * 350, 4);
    MinorFactors first = compute(weight, 350, 350, RANK);
    MinorFactors second = compute(weight, 350, 350, RANK);
    assertThat(first.steps).isPositive();
    assertThat(second.a).isEqualTo(first.a);
    assertThat(second.b).isEqualTo(first.b);
  }

  @ParameterizedTest
  @CsvSource({"NaN", "Infinity", "-Infinity"})
  void valuesThatAreNotFinite(float value) {
    float[] weight = noise(12, 1);
    weight[7] = value;
    assertThatThrownBy(() -> compute(weight, 3, 4, 2))
        .isInstanceOf(AdapterException.class)
        .hasMessageContainingAll("[3, 4]", "finite", "" + value, "[1, 3]");
  }

  @Test
  void thePublicValueHoldsTheSame() {
    float[] weight = noise(9L * 7, 5);
    MinorFactors factors = compute(weight, 9, 7, 3);
    MinorComponents components = MinorComponents.of(weight, 9, 7, 3);
    assertThat(components.a()).isEqualTo(factors.a).isNotSameAs(components.a());
    assertThat(components.b()).isEqualTo(factors.b);
    assertThat(components.singularValues()).isEqualTo(factors.singularValues);
    assertThat(components.gap()).isEqualTo(factors.gap);
    assertThat(components.residual()).isEqualTo(factors.residual);
    assertThat(components.rank()).isEqualTo(3);
    assertThat(components.toString()).contains("[9, 7]", "rank 3");
  }
}
