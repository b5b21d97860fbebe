package io.github.urae.openblas.internal;

import java.util.Arrays;
import java.util.SplittableRandom;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The smallest singular triplets of a weight by block Lanczos bidiagonalisation of its inverse
 * (Golub, Luk and Overton, https://doi.org/10.1145/355945.355946).
 *
 * <p>The weight, as a tall matrix T, is factorised as {@code T = Q N} with orthonormal Q and square
 * N: {@code P L U} (rows exchanged) where it is square, {@code Q R} where it is not. N has T's
 * singular values and right vectors, and triangular solves apply its inverse. From orthonormal
 * blocks, step k makes two more:
 *
 * <pre>
 *   N^-T [V_1 .. V_k] = [U_1 .. U_k] H        H upper triangular
 *   N^-1 [U_1 .. U_k] = [V_1 .. V_k] H' + V_(k+1) S [0 .. 0 I]
 * </pre>
 *
 * <p>With the decomposition {@code inverse(H) = X diag(s) Y'}, s are Ritz values of N, u = U Y its
 * left vectors, and v = N^-1 u s, which is V X and a correction in V_(k+1), its right vectors. Then
 * N v = s u, and N' u = s v up to s times the norm of the correction: that is how far from
 * converged they are. Blocks hold more vectors than are wanted, so that repeated values are found
 * as often as they occur.
 *
 * <p>Where W is almost singular one vector grows so much in a solve that rounding drowns the
 * others. Three things bring them back: bases are orthonormalised after every half step; the
 * starting block has gone through both solves once, so that its other vectors are free of the large
 * one; and Ritz values come from the inverse of H, whose large entries are the harmless ones.
 */
final class InverseLanczos {

  private static final Logger LOG = LoggerFactory.getLogger(InverseLanczos.class);

  /** An order below this many blocks is not worth iterating: the subspace would be most of it. */
  private static final int LEAST_BLOCKS = 16;

  /**
   * Convergence is hardly ever faster: a Gaussian matrix of order 3072 takes 6 steps. Later,
   * nothing would be left of the space where all values are equal.
   */
  private static final int FIRST_CHECK = 3;

  /** Slowest convergence to be expected, in natural logarithms of the error a step. */
  private static final double SLOW = 0.1;

  /** A typical error before the first step, in the unit of what is good enough. */
  private static final double FIRST_ERROR = 1e12;

  /**
   * Where the next value is further off than this, relatively, the minor subspace is well defined.
   */
  private static final double CLEAR_GAP = 3e-5;

  /** Largest angle to the minor subspace where that is well defined. */
  private static final double ANGLE = 1e-5;

  /** How much the last pass through both solves makes of a residual, at least. */
  private static final double LAST_PASS = 0.2;

  /** Largest residual, relative to the singular value, where the subspace is not well defined. */
  private static final double UNCLEAR_RESIDUAL = 1e-6;

  /** Overlaps below this can be taken out of vectors and leave them orthonormal to float64. */
  private static final double SMALL_OVERLAP = 1e-8;

  /** More than two happen only where rounding has left nothing of a vector. */
  private static final int MAX_PASSES = 5;

  private static final double EPSILON = Math.ulp(1.0);

  /** Any will do; fixed, so that results repeat. */
  private static final long SEED = 20250320;

  private final ScaledWeight weight;
  private final int rank;
  private final int block;
  private final int maxSteps;

  private InverseLanczos(ScaledWeight weight, int rank) {
    this.weight = weight;
    this.rank = rank;
    this.block = block(rank);
    // A basis of most of the space costs as much as the full decomposition.
    this.maxSteps = weight.order() * 2 / 3 / block;
  }

  private static int block(int rank) {
    return rank + Math.max(4, rank / 4);
  }

  /** Tells whether the weight is large enough for this to pay. */
  static boolean suits(ScaledWeight weight, int rank) {
    return weight.order() >= LEAST_BLOCKS * block(rank);
  }

  /**
   * Computes the triplets.
   *
   * @param weight not all zero
   * @param rank how many
   * @return the triplets, verified against the weight; null if they did not converge
   */
  static MinorTriplets run(ScaledWeight weight, int rank) {
    try (Workspace memory = new Workspace()) {
      return new InverseLanczos(weight, rank).iterate(memory);
    } catch (ArithmeticException e) {
      LOG.debug("inverse Lanczos broke down", e);
      return null;
    }
  }

  private MinorTriplets iterate(Workspace memory) {
    Factors factors = Factors.of(weight, memory);
    int order = weight.order();
    int dimension = maxSteps * block;
    Matrix u = memory.matrix(order, dimension);
    Matrix v = memory.matrix(order, dimension + block);
    Matrix h = memory.matrix(dimension, dimension);
    Matrix coefficients = memory.matrix(dimension, block);
    Matrix s = memory.matrix(block, block);
    start(factors, v.columns(0, block));
    int nextCheck = FIRST_CHECK;
    int lastCheck = 0;
    double error = FIRST_ERROR;
    for (int step = 1; step <= maxSteps; step++) {
      int before = (step - 1) * block;
      int size = step * block;
      Matrix newU = u.columns(before, block).copy(v.columns(before, block));
      factors.solveTransposed(newU);
      Matrix diagonal = h.part(before, before, block, block);
      orthonormalise(newU, u.columns(0, before), h.part(0, before, before, block), diagonal);
      Matrix newV = v.columns(size, block).copy(newU);
      factors.solve(newV);
      orthonormalise(newV, v.columns(0, size), coefficients.part(0, 0, size, block), s);
      if (step == nextCheck || step == maxSteps) {
        Ritz ritz = ritz(h.part(0, 0, size, size), s);
        MinorTriplets triplets =
            ritz.error > 1 ? null : verified(factors, u.columns(0, size), ritz.left, step);
        if (triplets != null) {
          return triplets;
        }
        double perStep = Math.max(SLOW, Math.log(error / ritz.error) / (step - lastCheck));
        double missing = Math.log(ritz.error) / perStep;
        // Well before that, since convergence speeds up.
        nextCheck = step + Math.max(1, (int) Math.min(missing, step) / 3);
        lastCheck = step;
        error = ritz.error;
      }
    }
    return null;
  }

  private void start(Factors factors, Matrix v) {
    SplittableRandom random = new SplittableRandom(SEED);
    v.put(0, random.doubles((long) v.rows() * v.columns(), -1, 1).toArray());
    orthonormalise(v);
    factors.solveTransposed(v);
    orthonormalise(v);
    factors.solve(v);
    orthonormalise(v);
  }

  private static void orthonormalise(Matrix vectors) {
    try (Workspace memory = new Workspace()) {
      Lapack.formQ(vectors, Lapack.qr(vectors, memory));
    }
  }

  /** Factorises vectors = basis coefficients + new vectors triangle, all of these orthonormal. */
  private static void orthonormalise(
      Matrix vectors, Matrix basis, Matrix coefficients, Matrix triangle) {
    int block = vectors.columns();
    try (Workspace memory = new Workspace()) {
      project(vectors, basis, coefficients);
      qr(vectors, triangle);
      Matrix more = memory.matrix(basis.columns(), block);
      Matrix factor = memory.matrix(block, block);
      for (int pass = 0; pass < MAX_PASSES; pass++) {
        project(vectors, basis, more);
        Blas.multiply(1, more, false, triangle, false, 1, coefficients);
        if (Arrays.stream(more.toArray()).map(Math::abs).max().orElse(0) < SMALL_OVERLAP) {
          return;
        }
        // The basis held almost all of a vector; the rest was mostly rounding.
        qr(vectors, factor);
        Matrix product = memory.matrix(block, block);
        Blas.multiply(1, factor, false, triangle, false, 0, product);
        triangle.copy(product);
      }
    }
    throw new ArithmeticException("no direction is left that the basis does not hold");
  }

  private static void project(Matrix vectors, Matrix basis, Matrix coefficients) {
    Blas.multiply(1, basis, true, vectors, false, 0, coefficients);
    Blas.multiply(-1, basis, false, coefficients, false, 1, vectors);
  }

  private static void qr(Matrix vectors, Matrix triangle) {
    try (Workspace memory = new Workspace()) {
      Matrix reflectors = Lapack.qr(vectors, memory);
      triangle.copyUpper(vectors);
      Lapack.formQ(vectors, reflectors);
    }
  }

  /** Computes Ritz values and left vectors, the r + 1 smallest, by rising value. */
  private Ritz ritz(Matrix h, Matrix s) {
    int size = h.rows();
    int count = rank + 1;
    try (Workspace memory = new Workspace()) {
      Matrix inverse = memory.matrix(size, size).copyUpper(h);
      Lapack.invertUpper(inverse);
      Matrix yt = memory.matrix(size, size);
      double[] falling = Lapack.svd(inverse, memory.matrix(size, size), yt);
      double[] values = new double[count];
      Matrix y = memory.matrix(size, count);
      for (int i = 0; i < count; i++) {
        values[i] = falling[size - 1 - i];
        y.put(i, yt.part(size - 1 - i, 0, 1, size).toArray());
      }
      Matrix corrections = memory.matrix(block, count);
      Blas.multiply(1, s, false, y.part(size - block, 0, block, count), false, 0, corrections);
      double[] residuals = corrections.columnNorms();
      for (int i = 0; i < count; i++) {
        residuals[i] *= values[i] * values[i];
      }
      double tolerance = tolerance(values[rank - 1], values[rank] - residuals[rank]);
      double error = 0;
      for (int i = 0; i < rank; i++) {
        if (values[i] > negligible()) {
          error = Math.max(error, LAST_PASS * residuals[i] / tolerance);
        }
      }
      return new Ritz(y.toArray(), error);
    }
  }

  /** Returns the triplets if they stand up to the weight itself, otherwise null. */
  private MinorTriplets verified(Factors factors, Matrix basis, double[] ritzVectors, int step) {
    int order = weight.order();
    int count = rank + 1;
    try (Workspace memory = new Workspace()) {
      Matrix y = memory.matrix(basis.columns(), count);
      y.put(0, ritzVectors);
      // One more pass through both solves: what is left of large singular values in the vectors,
      // rounding included, would count many times over in the residuals. The smallest value comes
      // first, since what dominates the solves must also come first in orthonormalisation.
      Matrix right = memory.matrix(order, count);
      Blas.multiply(1, basis, false, y, false, 0, right);
      factors.solve(right);
      orthonormalise(right);
      Matrix left = memory.matrix(Math.max(weight.rows(), weight.columns()), count);
      Matrix small = left.part(0, 0, order, count).copy(right);
      factors.solveTransposed(small);
      orthonormalise(small);
      factors.multiplyByQ(left);
      MinorTriplets found = MinorTriplets.measured(weight, left, right, rank, step);
      boolean holds = found.residual <= negligible() + tolerance(found.values[0], found.next);
      return holds ? found : null;
    }
  }

  /**
   * Returns the residual that is good enough. Where the values beyond the cut are clearly larger, a
   * residual bounds the angle to the true subspace by its ratio to the gap (Wedin's theorem); where
   * they are not, any mixture of the vectors around the cut is as good as another.
   */
  private static double tolerance(double largest, double next) {
    double gap = next - largest;
    return gap > CLEAR_GAP * largest ? ANGLE * gap : UNCLEAR_RESIDUAL * largest;
  }

  /** Returns what rounding makes of a zero. */
  private double negligible() {
    return 8 * EPSILON * Math.sqrt(weight.order()) * weight.norm();
  }

  /** What a step has come to. */
  private static final class Ritz {

    /** Coefficients Y of the left vectors, one after the other. */
    private final double[] left;

    /** The largest residual to be expected after the last pass, over what is good enough. */
    private final double error;

    private Ritz(double[] left, double error) {
      this.left = left;
      this.error = error;
    }
  }

  /** T = Q N. */
  private static final class Factors {

    /** Both factors, as LAPACK keeps them. */
    private final Matrix matrix;

    /** Exchanges of rows, where N = L U; otherwise null. */
    private final int[] exchanges;

    /** What describes Q, where N = R; otherwise null. */
    private final Matrix reflectors;

    private Factors(Matrix matrix, int[] exchanges, Matrix reflectors) {
      this.matrix = matrix;
      this.exchanges = exchanges;
      this.reflectors = reflectors;
    }

    static Factors of(ScaledWeight weight, Workspace memory) {
      Matrix tall = weight.tall(memory);
      boolean square = weight.rows() == weight.columns();
      Factors factors =
          square
              ? new Factors(tall, Lapack.lu(tall), null)
              : new Factors(tall, null, Lapack.qr(tall, memory));
      // A change to the weight within rounding makes an exactly singular one invertible.
      double least = EPSILON * weight.norm();
      double[] diagonal = tall.diagonal();
      for (int i = 0; i < diagonal.length; i++) {
        if (Math.abs(diagonal[i]) < least) {
          tall.setDiagonal(i, Math.copySign(least, diagonal[i]));
        }
      }
      return factors;
    }

    /** Overwrites x with N^-1 x. */
    void solve(Matrix x) {
      if (reflectors == null) {
        Blas.solveUnitLower(matrix, false, x);
      }
      Blas.solveUpper(matrix, false, x);
    }

    /** Overwrites x with N^-T x. */
    void solveTransposed(Matrix x) {
      Blas.solveUpper(matrix, true, x);
      if (reflectors == null) {
        Blas.solveUnitLower(matrix, true, x);
      }
    }

    /** Overwrites x, zero below N's order, with Q x. */
    void multiplyByQ(Matrix x) {
      if (reflectors == null) {
        Lapack.undoExchanges(exchanges, x);
      } else {
        Lapack.multiplyByQ(matrix, reflectors, x);
      }
    }
  }
}
