package io.github.urae.adapter.internal.algebra;

/**
 * The r smallest singular triplets of a weight W [rows, columns] as a product of low rank: {@code A
 * = sqrt(S) V'} and {@code B = U sqrt(S)}, by falling singular value. Whoever is given it owns the
 * arrays.
 */
public final class MinorFactors {

  /** A, [r, columns], row-major. */
  public final float[] a;

  /** B, [rows, r], row-major. */
  public final float[] b;

  /** The singular values, falling. */
  public final double[] singularValues;

  /**
   * How far the next value lies above the largest of these, less what is uncertain about it; at
   * least 0, and infinity if no value was left out.
   */
  public final double gap;

  /** The largest norm of {@code W v - s u} and {@code W' u - s v}. */
  public final double residual;

  /** Steps of the iteration that found them; 0 for a full decomposition. */
  public final int steps;

  /** Takes over the arrays. */
  public MinorFactors(
      float[] a, float[] b, double[] singularValues, double gap, double residual, int steps) {
    this.a = a;
    this.b = b;
    this.singularValues = singularValues;
    this.gap = gap;
    this.residual = residual;
    this.steps = steps;
  }

  /** Returns the number of triplets. */
  public int rank() {
    return singularValues.length;
  }
}
