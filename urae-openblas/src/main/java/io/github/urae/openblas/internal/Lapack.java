package io.github.urae.openblas.internal;

import static org.bytedeco.openblas.global.openblas.LAPACKE_dgeqrf;
import static org.bytedeco.openblas.global.openblas.LAPACKE_dgesdd;
import static org.bytedeco.openblas.global.openblas.LAPACKE_dgesvd;
import static org.bytedeco.openblas.global.openblas.LAPACKE_dgetrf_work;
import static org.bytedeco.openblas.global.openblas.LAPACKE_dorgqr;
import static org.bytedeco.openblas.global.openblas.LAPACKE_dormqr;
import static org.bytedeco.openblas.global.openblas.LAPACKE_dtrtri;
import static org.bytedeco.openblas.global.openblas.LAPACK_COL_MAJOR;

import org.bytedeco.javacpp.IntPointer;

/**
 * Factorisations, inside {@link Computation} only. A routine that fails throws {@link
 * ArithmeticException}.
 */
final class Lapack {

  private Lapack() {}

  /**
   * Factorises {@code a = P L U} in place, L below the diagonal, by rows exchanged. Singular
   * matrices are factorised too, with zeros on U's diagonal.
   *
   * @return for each row of {@code L U}, in turn, the row that it was exchanged with
   */
  static int[] lu(Matrix a) {
    int[] exchanges = new int[a.rows];
    try (Workspace memory = new Workspace()) {
      IntPointer pivots = new IntPointer(memory.allocate(a.rows, Integer.BYTES));
      // Not the routine without _work: that one first scans the matrix for NaN, which takes longer
      // than a triangular solve.
      int info = LAPACKE_dgetrf_work(LAPACK_COL_MAJOR, a.rows, a.columns, a.data, a.stride, pivots);
      check("dgetrf", Math.min(info, 0));
      pivots.get(exchanges);
    }
    for (int i = 0; i < exchanges.length; i++) {
      exchanges[i]--;
    }
    return exchanges;
  }

  /** Overwrites x with {@code P x}, P given by the rows that {@link #lu} exchanged. */
  static void undoExchanges(int[] exchanges, Matrix x) {
    double[] elements = x.toArray();
    for (int start = 0; start < elements.length; start += x.rows) {
      for (int i = exchanges.length - 1; i >= 0; i--) {
        double element = elements[start + i];
        elements[start + i] = elements[start + exchanges[i]];
        elements[start + exchanges[i]] = element;
      }
    }
    x.put(0, elements);
  }

  /** Factorises {@code a = Q R} in place; returns the rest of what describes Q. */
  static Matrix qr(Matrix a, Workspace memory) {
    Matrix reflectors = memory.matrix(a.columns, 1);
    check(
        "dgeqrf",
        LAPACKE_dgeqrf(LAPACK_COL_MAJOR, a.rows, a.columns, a.data, a.stride, reflectors.data));
    return reflectors;
  }

  /** Replaces the factorisation by its Q. */
  static void formQ(Matrix qr, Matrix reflectors) {
    check(
        "dorgqr",
        LAPACKE_dorgqr(
            LAPACK_COL_MAJOR,
            qr.rows,
            qr.columns,
            qr.columns,
            qr.data,
            qr.stride,
            reflectors.data));
  }

  /** Overwrites x with {@code Q x}, Q square. */
  static void multiplyByQ(Matrix qr, Matrix reflectors, Matrix x) {
    check(
        "dormqr",
        LAPACKE_dormqr(
            LAPACK_COL_MAJOR,
            (byte) 'L',
            (byte) 'N',
            x.rows,
            x.columns,
            qr.columns,
            qr.data,
            qr.stride,
            reflectors.data,
            x.data,
            x.stride));
  }

  /** Inverts an upper triangle in place. */
  static void invertUpper(Matrix triangle) {
    check(
        "dtrtri",
        LAPACKE_dtrtri(
            LAPACK_COL_MAJOR,
            (byte) 'U',
            (byte) 'N',
            triangle.rows,
            triangle.data,
            triangle.stride));
  }

  /**
   * Computes the thin singular value decomposition {@code a = u diag(s) vt}; a is lost.
   *
   * @return s, falling
   */
  static double[] svd(Matrix a, Matrix u, Matrix vt) {
    try (Workspace memory = new Workspace()) {
      Matrix copy = memory.matrix(a.rows, a.columns).copy(a);
      Matrix s = memory.matrix(Math.min(a.rows, a.columns), 1);
      int info =
          LAPACKE_dgesdd(
              LAPACK_COL_MAJOR,
              (byte) 'S',
              a.rows,
              a.columns,
              a.data,
              a.stride,
              s.data,
              u.data,
              u.stride,
              vt.data,
              vt.stride);
      if (info > 0) {
        // Divide and conquer does not always get through many values of the size of rounding.
        Matrix superdiagonal = memory.matrix(s.rows, 1);
        info =
            LAPACKE_dgesvd(
                LAPACK_COL_MAJOR,
                (byte) 'S',
                (byte) 'S',
                a.rows,
                a.columns,
                copy.data,
                copy.stride,
                s.data,
                u.data,
                u.stride,
                vt.data,
                vt.stride,
                superdiagonal.data);
      }
      check("singular value decomposition", info);
      return s.toArray();
    }
  }

  static void check(String routine, int info) {
    if (info != 0) {
      throw new ArithmeticException("LAPACK's " + routine + " returned " + info);
    }
  }
}
