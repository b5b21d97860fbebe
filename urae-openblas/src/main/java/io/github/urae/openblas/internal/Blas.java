package io.github.urae.openblas.internal;

import static org.bytedeco.openblas.global.openblas.CblasColMajor;
import static org.bytedeco.openblas.global.openblas.CblasLeft;
import static org.bytedeco.openblas.global.openblas.CblasLower;
import static org.bytedeco.openblas.global.openblas.CblasNoTrans;
import static org.bytedeco.openblas.global.openblas.CblasNonUnit;
import static org.bytedeco.openblas.global.openblas.CblasRowMajor;
import static org.bytedeco.openblas.global.openblas.CblasTrans;
import static org.bytedeco.openblas.global.openblas.CblasUnit;
import static org.bytedeco.openblas.global.openblas.CblasUpper;
import static org.bytedeco.openblas.global.openblas.cblas_dgemm;
import static org.bytedeco.openblas.global.openblas.cblas_dtrsm;
import static org.bytedeco.openblas.global.openblas.cblas_sgemm;

/** Products and triangular solves. Everything in float64 belongs inside {@link Computation}. */
final class Blas {

  /** Order of the triangles that are not halved any more. */
  private static final int MOST_SOLVED_AT_ONCE = 400;

  private Blas() {}

  /**
   * Computes {@code c = a b + c}. Up to 262144 multiplications are made by the calling thread
   * alone, any number of which may be here at once; outside {@link Computation}, too.
   */
  static void addProduct(FloatMatrix a, FloatMatrix b, FloatMatrix c) {
    cblas_sgemm(
        CblasRowMajor,
        CblasNoTrans,
        CblasNoTrans,
        c.rows,
        c.columns,
        a.columns,
        1,
        a.data,
        a.stride,
        b.data,
        b.stride,
        1,
        c.data,
        c.stride);
  }

  /** Computes {@code c = alpha a b + beta c}, with a or b transposed where asked. */
  static void multiply(
      double alpha,
      Matrix a,
      boolean transposeA,
      Matrix b,
      boolean transposeB,
      double beta,
      Matrix c) {
    cblas_dgemm(
        CblasColMajor,
        transposeA ? CblasTrans : CblasNoTrans,
        transposeB ? CblasTrans : CblasNoTrans,
        c.rows,
        c.columns,
        transposeA ? a.rows : a.columns,
        alpha,
        a.data,
        a.stride,
        b.data,
        b.stride,
        beta,
        c.data,
        c.stride);
  }

  /**
   * Overwrites x with the solution of {@code R y = x} or {@code R' y = x}, R the upper triangle.
   */
  static void solveUpper(Matrix triangle, boolean transposed, Matrix x) {
    solve(triangle, CblasUpper, CblasNonUnit, transposed, x);
  }

  /** The same with the lower triangle and ones on its diagonal. */
  static void solveUnitLower(Matrix triangle, boolean transposed, Matrix x) {
    solve(triangle, CblasLower, CblasUnit, transposed, x);
  }

  /**
   * By halves: where x has few columns, a product takes less time than a solve of its size. The
   * matrix that holds the triangle may have more rows.
   */
  private static void solve(
      Matrix triangle, int upperOrLower, int unit, boolean transposed, Matrix x) {
    if (x.rows <= MOST_SOLVED_AT_ONCE) {
      solveAtOnce(triangle, upperOrLower, unit, transposed, x);
      return;
    }
    int half = x.rows / 2;
    int rest = x.rows - half;
    boolean lower = upperOrLower == CblasLower;
    Matrix between =
        lower ? triangle.part(half, 0, rest, half) : triangle.part(0, half, half, rest);
    Matrix top = triangle.part(0, 0, half, half);
    Matrix bottom = triangle.part(half, half, rest, rest);
    Matrix topX = x.part(0, 0, half, x.columns);
    Matrix bottomX = x.part(half, 0, rest, x.columns);
    if (lower != transposed) {
      solve(top, upperOrLower, unit, transposed, topX);
      multiply(-1, between, transposed, topX, false, 1, bottomX);
      solve(bottom, upperOrLower, unit, transposed, bottomX);
    } else {
      solve(bottom, upperOrLower, unit, transposed, bottomX);
      multiply(-1, between, transposed, bottomX, false, 1, topX);
      solve(top, upperOrLower, unit, transposed, topX);
    }
  }

  private static void solveAtOnce(
      Matrix triangle, int upperOrLower, int unit, boolean transposed, Matrix x) {
    cblas_dtrsm(
        CblasColMajor,
        CblasLeft,
        upperOrLower,
        transposed ? CblasTrans : CblasNoTrans,
        unit,
        x.rows,
        x.columns,
        1,
        triangle.data,
        triangle.stride,
        x.data,
        x.stride);
  }
}
