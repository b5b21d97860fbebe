package io.github.urae.openblas.internal;

import io.github.urae.adapter.internal.algebra.MinorFactors;
import java.util.Arrays;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The smallest singular values s of a scaled weight W [rows, columns] and their vectors, {@code W v
 * = s u} and {@code W' u = s v}, by falling value.
 */
final class MinorTriplets {

  private static final Logger LOG = LoggerFactory.getLogger(MinorTriplets.class);

  /** The singular values. */
  final double[] values;

  /** The vectors u, one after the other. */
  private final double[] left;

  /** The vectors v, one after the other. */
  private final double[] right;

  /** The smallest value that was left out, less its own residual; infinity if none was. */
  final double next;

  /** The largest norm of {@code W v - s u} and {@code W' u - s v}. */
  final double residual;

  /** Lanczos steps taken, 0 for a full decomposition. */
  private final int steps;

  private MinorTriplets(
      double[] values, double[] left, double[] right, double next, double residual, int steps) {
    this.values = values;
    this.left = left;
    this.right = right;
    this.next = next;
    this.residual = residual;
    this.steps = steps;
  }

  /** Returns the triplets as a product of low rank, in the unit of the weight itself. */
  MinorFactors factors(ScaledWeight weight) {
    int rows = weight.rows();
    int columns = weight.columns();
    int rank = values.length;
    double[] singularValues = new double[rank];
    float[] a = new float[rank * columns];
    float[] b = new float[rows * rank];
    for (int i = 0; i < rank; i++) {
      singularValues[i] = weight.unscaled(values[i]);
      double root = Math.sqrt(singularValues[i]);
      for (int column = 0; column < columns; column++) {
        a[i * columns + column] = (float) (root * right[i * columns + column]);
      }
      for (int row = 0; row < rows; row++) {
        b[row * rank + i] = (float) (root * left[i * rows + row]);
      }
    }
    double gap = Math.max(0, weight.unscaled(next - values[0]));
    return new MinorFactors(a, b, singularValues, gap, weight.unscaled(residual), steps);
  }

  /**
   * Computes the triplets.
   *
   * @param rank how many, 1 to the weight's order
   */
  static MinorTriplets of(ScaledWeight weight, int rank) {
    if (weight.norm() > 0 && InverseLanczos.suits(weight, rank)) {
      MinorTriplets triplets = InverseLanczos.run(weight, rank);
      if (triplets != null) {
        return triplets;
      }
      LOG.warn(
          "The {} smallest singular values of a weight [{}, {}] did not converge; a full"
              + " decomposition, which takes far longer, follows",
          rank,
          weight.rows(),
          weight.columns());
    }
    return decompose(weight, rank);
  }

  /** Computes the triplets from the full decomposition. */
  static MinorTriplets decompose(ScaledWeight weight, int rank) {
    int order = weight.order();
    int count = Math.min(rank + 1, order);
    try (Workspace memory = new Workspace()) {
      Matrix tall = weight.tall(memory);
      Matrix u = memory.matrix(tall.rows(), order);
      Matrix vt = memory.matrix(order, order);
      Lapack.svd(tall, u, vt);
      Matrix v = memory.matrix(order, count);
      v.putTransposed(vt.part(order - count, 0, count, order));
      return measured(weight, u.columns(order - count, count), v, rank, 0);
    }
  }

  /**
   * Takes the triplets out of orthonormal bases of their vectors and measures them against the
   * weight itself.
   *
   * @param tallLeft basis of the left vectors of {@link ScaledWeight#tall}
   * @param tallRight basis of its right vectors
   * @param rank how many triplets are wanted; the bases hold one more where there is one
   */
  static MinorTriplets measured(
      ScaledWeight weight, Matrix tallLeft, Matrix tallRight, int rank, int steps) {
    Matrix left = weight.tallIsTransposed() ? tallRight : tallLeft;
    Matrix right = weight.tallIsTransposed() ? tallLeft : tallRight;
    int count = left.columns();
    try (Workspace memory = new Workspace()) {
      Matrix leftImage = memory.matrix(weight.rows(), count);
      Matrix rightImage = memory.matrix(weight.columns(), count);
      weight.multiply(right, left, leftImage, rightImage);
      Matrix core = memory.matrix(count, count);
      Blas.multiply(1, left, true, leftImage, false, 0, core);
      Matrix x = memory.matrix(count, count);
      Matrix yt = memory.matrix(count, count);
      double[] values = Lapack.svd(core, x, yt);
      Matrix u = memory.matrix(weight.rows(), count);
      Blas.multiply(1, left, false, x, false, 0, u);
      Matrix v = memory.matrix(weight.columns(), count);
      Blas.multiply(1, right, false, yt, true, 0, v);
      double[] residuals =
          maximum(
              residuals(leftImage, yt, true, values, u),
              residuals(rightImage, x, false, values, v));
      int first = count - rank;
      return new MinorTriplets(
          Arrays.copyOfRange(values, first, count),
          u.columns(first, rank).toArray(),
          v.columns(first, rank).toArray(),
          first == 0 ? Double.POSITIVE_INFINITY : values[0] - residuals[0],
          Arrays.stream(residuals, first, count).max().orElseThrow(),
          steps);
    }
  }

  /** Returns the norms of the columns of {@code image rotation - vectors diag(values)}. */
  private static double[] residuals(
      Matrix image, Matrix rotation, boolean transposed, double[] values, Matrix vectors) {
    double[] scaled = vectors.toArray();
    for (int i = 0; i < scaled.length; i++) {
      scaled[i] *= values[i / vectors.rows()];
    }
    try (Workspace memory = new Workspace()) {
      Matrix difference = memory.matrix(vectors.rows(), vectors.columns());
      difference.put(0, scaled);
      Blas.multiply(1, image, false, rotation, transposed, -1, difference);
      return difference.columnNorms();
    }
  }

  private static double[] maximum(double[] a, double[] b) {
    double[] larger = new double[a.length];
    Arrays.setAll(larger, i -> Math.max(a[i], b[i]));
    return larger;
  }
}
