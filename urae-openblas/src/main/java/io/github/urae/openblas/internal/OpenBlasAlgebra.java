package io.github.urae.openblas.internal;

import io.github.urae.AdapterException;
import io.github.urae.adapter.internal.algebra.DenseAlgebra;
import io.github.urae.adapter.internal.algebra.LowRankFactors;
import io.github.urae.adapter.internal.algebra.MinorFactors;

/** Dense algebra by OpenBLAS. {@link NativeLibrary#load} must have been called. */
final class OpenBlasAlgebra implements DenseAlgebra {

  @Override
  public LowRankFactors lowRankFactors(int rows, int columns, int rank, float[] down, float[] up) {
    return new NativeFactors(rows, columns, rank, down, up);
  }

  @Override
  public MinorFactors minorFactors(float[] weight, int rows, int columns, int rank) {
    ScaledWeight scaled = new ScaledWeight(weight, rows, columns);
    try {
      return Computation.onLargeStack(
          scaled.order(), () -> MinorTriplets.of(scaled, rank).factors(scaled));
    } catch (ArithmeticException e) {
      throw new AdapterException(
          "weight [" + rows + ", " + columns + "]: no singular value decomposition was found", e);
    }
  }
}
