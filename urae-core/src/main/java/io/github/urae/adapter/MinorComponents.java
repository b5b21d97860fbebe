package io.github.urae.adapter;

import io.github.urae.adapter.internal.algebra.DenseAlgebra;
import io.github.urae.adapter.internal.algebra.MinorFactors;

/**
 * The minor components of a weight matrix W [out, in]: its r smallest singular triplets as a
 * low-rank product, {@code B A = U_r S_r V_r'} with {@code A = sqrt(S_r) V_r'} [r, in] and {@code B
 * = U_r sqrt(S_r)} [out, r]. URAE trains these two for 4K pictures and leaves the rest of the
 * weight, W - B A, as it is.
 *
 * <p>The product does not depend on the vectors' signs, but W determines it only where the next
 * singular value is larger than the r-th smallest: see {@link #gap()}. Components are in the order
 * of falling singular values, as at the end of a full decomposition.
 *
 * <p>Computed in float64 by block Lanczos iteration on the inverse, from a fixed start, and
 * verified against W itself. Where the next singular value is further off than 3e-5 of the r-th
 * smallest, the angle to the true subspaces is at most 1e-5, and mostly a hundred times smaller, so
 * that the product is good to the float32 of A and B; where it is not, {@link #residual()} is at
 * most 1e-6 of the r-th smallest. Both as far as rounding allows, which is about 1e-14 of W's norm.
 * If the iteration does not converge, which takes thousands of values lying close together, a full
 * decomposition takes its place and a warning is logged.
 *
 * <p>For the time of the computation, native memory holds W once in float64 (75 MB for 3072 x 3072)
 * and, mostly, a fifth of that for vectors; a full decomposition eight times as much. OpenBLAS uses
 * one thread for each core unless the environment variable {@code OPENBLAS_NUM_THREADS} says
 * otherwise; for matrices of an order below 1024 only one.
 *
 * <p>Immutable.
 *
 * @see <a href="https://arxiv.org/abs/2503.16322">Ultra-Resolution Adaptation with Ease</a>
 * @see <a href="https://doi.org/10.1145/355945.355946">Golub, Luk and Overton: A Block Lanczos
 *     Method for Computing the Singular Values and Corresponding Singular Vectors of a Matrix</a>
 */
public final class MinorComponents {

  private final int rows;
  private final int columns;
  private final MinorFactors factors;

  private MinorComponents(int rows, int columns, MinorFactors factors) {
    this.rows = rows;
    this.columns = columns;
    this.factors = factors;
  }

  /**
   * Computes the minor components of a weight. Threads that do so at once take turns. The call
   * cannot be interrupted. The first one in a process loads OpenBLAS, and unpacks it (64 MB) where
   * the cache folder that a pipeline or merge of this process was told last does not hold it, by
   * default {@code $XDG_CACHE_HOME/urae} or {@code ~/.cache/urae}.
   *
   * @param weight W, [out, in], row-major; read only during the call
   * @param rows out
   * @param columns in
   * @param rank number of components r, 1 to min(out, in); URAE: 16
   * @return the components
   * @throws io.github.urae.AdapterException if a value is not finite, if {@code
   *     io.github.urae:urae-openblas} is not among the application's dependencies or has no native
   *     code for this platform, or if LAPACK fails, which it is not known to
   * @throws IllegalArgumentException if the rank or the length of the array does not fit the shape
   */
  public static MinorComponents of(float[] weight, int rows, int columns, int rank) {
    if (rows < 1 || columns < 1 || weight.length != (long) rows * columns) {
      throw new IllegalArgumentException(
          "a weight of " + weight.length + " values cannot be [" + rows + ", " + columns + "]");
    }
    if (rank < 1 || rank > Math.min(rows, columns)) {
      throw new IllegalArgumentException(
          "rank: expected 1 to "
              + Math.min(rows, columns)
              + " for a weight ["
              + rows
              + ", "
              + columns
              + "], found "
              + rank);
    }
    MinorFactors factors = DenseAlgebra.load().minorFactors(weight, rows, columns, rank);
    return new MinorComponents(rows, columns, factors);
  }

  /**
   * Returns the down projection.
   *
   * @return a new array, A = sqrt(S_r) V_r', [r, in], row-major
   */
  public float[] a() {
    return factors.a.clone();
  }

  /**
   * Returns the up projection.
   *
   * @return a new array, B = U_r sqrt(S_r), [out, r], row-major
   */
  public float[] b() {
    return factors.b.clone();
  }

  /**
   * Returns the r smallest singular values of W.
   *
   * @return a new array, falling
   */
  public double[] singularValues() {
    return factors.singularValues.clone();
  }

  /**
   * Returns the number of components.
   *
   * @return r
   */
  public int rank() {
    return factors.rank();
  }

  /**
   * Returns how far the next singular value lies above the components' largest, less what is
   * uncertain about it. If it is zero or small, B A is one of many choices among equals, and
   * another method may choose differently.
   *
   * @return a distance of at least 0; infinity if no value was left out
   */
  public double gap() {
    return factors.gap;
  }

  /**
   * Returns how far from converged the components are: the largest of the norms {@code |W v - s u|}
   * and {@code |W' u - s v|} over all components, measured in float64 before A and B are rounded.
   * Every singular value is at most that far off, and the sine of the angle between the computed
   * and the true minor subspaces is at most this divided by {@link #gap()}.
   *
   * @return the residual, in the unit of the singular values
   */
  public double residual() {
    return factors.residual;
  }

  /** Returns shape, rank, largest and smallest value, gap and residual. */
  @Override
  public String toString() {
    return "MinorComponents[["
        + rows
        + ", "
        + columns
        + "], rank "
        + rank()
        + ", values "
        + factors.singularValues[0]
        + " to "
        + factors.singularValues[rank() - 1]
        + ", gap "
        + factors.gap
        + ", residual "
        + factors.residual
        + "]";
  }
}
