package io.github.urae.adapter.internal.algebra;

import static org.bytedeco.openblas.global.openblas.CblasColMajor;
import static org.bytedeco.openblas.global.openblas.CblasLeft;
import static org.bytedeco.openblas.global.openblas.CblasLower;
import static org.bytedeco.openblas.global.openblas.CblasNoTrans;
import static org.bytedeco.openblas.global.openblas.CblasNonUnit;
import static org.bytedeco.openblas.global.openblas.CblasRowMajor;
import static org.bytedeco.openblas.global.openblas.CblasTrans;
import static org.bytedeco.openblas.global.openblas.CblasUnit;
import static org.bytedeco.openblas.global.openblas.CblasUpper;
import static org.bytedeco.openblas.global.openblas.LAPACKE_dgeqrf;
import static org.bytedeco.openblas.global.openblas.LAPACKE_dgesdd;
import static org.bytedeco.openblas.global.openblas.LAPACKE_dgesvd;
import static org.bytedeco.openblas.global.openblas.LAPACKE_dgetrf_work;
import static org.bytedeco.openblas.global.openblas.LAPACKE_dlacpy;
import static org.bytedeco.openblas.global.openblas.LAPACKE_dorgqr;
import static org.bytedeco.openblas.global.openblas.LAPACKE_dormqr;
import static org.bytedeco.openblas.global.openblas.LAPACKE_dtrtri;
import static org.bytedeco.openblas.global.openblas.LAPACK_COL_MAJOR;
import static org.bytedeco.openblas.global.openblas.cblas_dgemm;
import static org.bytedeco.openblas.global.openblas.cblas_dnrm2;
import static org.bytedeco.openblas.global.openblas.cblas_dtrsm;
import static org.bytedeco.openblas.global.openblas.cblas_sgemm;
import static org.bytedeco.openblas.presets.openblas_nolapack.blas_get_num_threads;
import static org.bytedeco.openblas.presets.openblas_nolapack.blas_set_num_threads;

import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.openblas.global.openblas;

/**
 * The few routines of OpenBLAS that this package needs, on matrices in native memory. The only
 * class that links to {@code org.bytedeco}: without it on the class path, the first call of any
 * method here is a {@link LinkageError}, and everything else works.
 *
 * <p>Call {@link #load} first, and everything in float64 inside {@link #onLargeStack}. A routine
 * that fails throws {@link ArithmeticException}.
 */
public final class OpenBlas {

  /** Where JavaCPP unpacks native libraries; its own default is under the user's home. */
  private static final String CACHE_PROPERTY = "org.bytedeco.javacpp.cachedir";

  /** Half a megabyte for each level of the LU factorisation's recursion, and room to spare. */
  private static final long STACK_BYTES = 64L << 20;

  /**
   * Below this order one thread is enough. More would wait for each other at every small step,
   * hundreds of times longer than the step itself takes where the processor has other work, too.
   */
  private static final int LEAST_PARALLEL_ORDER = 1024;

  /** Order of the triangles that are not halved any more. */
  private static final int MOST_SOLVED_AT_ONCE = 400;

  /** The number of threads is the whole library's: one computation in float64 at a time. */
  private static final Object COMPUTING = new Object();

  private static boolean loaded;

  private OpenBlas() {}

  /**
   * Loads the native library, once in a process.
   *
   * @param cacheFolder where it is unpacked, unless the application has told JavaCPP otherwise
   * @throws LinkageError if a jar is missing
   */
  public static synchronized void load(Path cacheFolder) {
    if (loaded) {
      return;
    }
    boolean ours = System.getProperty(CACHE_PROPERTY) == null;
    if (ours) {
      System.setProperty(CACHE_PROPERTY, cacheFolder.toAbsolutePath().toString());
    }
    try {
      Loader.load(openblas.class);
      // JavaCPP's own native part is another jar, and missed only by the first allocation.
      Pointer.free(Pointer.calloc(1, 1));
      loaded = true;
    } finally {
      if (ours) {
        System.clearProperty(CACHE_PROPERTY);
      }
    }
  }

  /**
   * Runs work on a thread of its own and waits for it. OpenBLAS keeps its threads' job lists on the
   * caller's stack, once for each level of recursion: an LU factorisation overflows the megabyte
   * that Java threads have, which ends the process without a word
   * (https://github.com/OpenMathLib/OpenBLAS/issues/1082).
   *
   * @param order of the matrices that take the time
   */
  public static <T> T onLargeStack(int order, Callable<T> work) {
    FutureTask<T> task = new FutureTask<>(() -> withThreads(order, work));
    Thread thread = new Thread(null, task, "urae-openblas", STACK_BYTES);
    thread.setDaemon(true);
    thread.start();
    boolean interrupted = false;
    try {
      while (true) {
        try {
          return task.get();
        } catch (InterruptedException e) {
          // The work cannot be stopped midway and reads the caller's arrays: see it through.
          interrupted = true;
        }
      }
    } catch (ExecutionException e) {
      if (e.getCause() instanceof RuntimeException cause) {
        throw cause;
      }
      if (e.getCause() instanceof Error cause) {
        throw cause;
      }
      throw new CompletionException(e.getCause());
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  private static <T> T withThreads(int order, Callable<T> work) throws Exception {
    synchronized (COMPUTING) {
      int threads = blas_get_num_threads();
      if (order >= LEAST_PARALLEL_ORDER || threads == 1) {
        return work.call();
      }
      blas_set_num_threads(1);
      try {
        return work.call();
      } finally {
        blas_set_num_threads(threads);
      }
    }
  }

  /** Native memory of one computation, freed together. Not thread-safe. */
  public static final class Workspace implements AutoCloseable {

    private final List<Pointer> blocks = new ArrayList<>();

    /** Returns a new matrix of zeros, valid until this workspace is closed. */
    Matrix matrix(int rows, int columns) {
      return new Matrix(
          new DoublePointer(allocate((long) rows * columns, Double.BYTES)), rows, columns, rows);
    }

    /** The same in float32, by rows. */
    public FloatMatrix floatMatrix(int rows, int columns) {
      FloatPointer data = new FloatPointer(allocate((long) rows * columns, Float.BYTES));
      return new FloatMatrix(data, rows, columns, columns);
    }

    /**
     * Outside JavaCPP's own accounting, which would count mapped checkpoints against the Java heap,
     * and which frees what it tracks when the garbage collector comes by.
     */
    private Pointer allocate(long count, int bytes) {
      Pointer block = Pointer.calloc(Math.max(1, count), bytes);
      if (block == null || block.isNull()) {
        throw new OutOfMemoryError(count * bytes + " bytes of native memory for dense algebra");
      }
      blocks.add(block);
      return block;
    }

    @Override
    public void close() {
      blocks.forEach(Pointer::free);
      blocks.clear();
    }
  }

  /** A matrix in native memory, by columns; or part of one, sharing its memory. */
  static final class Matrix {

    private final DoublePointer data;
    private final int rows;
    private final int columns;
    private final int stride;

    private Matrix(DoublePointer data, int rows, int columns, int stride) {
      this.data = data;
      this.rows = rows;
      this.columns = columns;
      // Also an empty matrix must have a stride, or BLAS complains.
      this.stride = Math.max(1, stride);
    }

    int rows() {
      return rows;
    }

    int columns() {
      return columns;
    }

    /** Returns a part, sharing memory. */
    public Matrix part(int firstRow, int firstColumn, int partRows, int partColumns) {
      DoublePointer start = data.getPointer((long) firstColumn * stride + firstRow);
      return new Matrix(start, partRows, partColumns, stride);
    }

    /** Returns whole columns, sharing memory. */
    Matrix columns(int first, int count) {
      return part(0, first, rows, count);
    }

    /**
     * Returns the memory of whole columns of a matrix that is not a part of another: a view, not to
     * be touched once the workspace is closed.
     */
    DoubleBuffer buffer(int firstColumn, int count) {
      DoublePointer start = data.getPointer((long) firstColumn * rows);
      return start.capacity((long) count * rows).asBuffer();
    }

    /** Overwrites whole columns. */
    void put(int firstColumn, double[] values) {
      for (int column = 0; column < values.length / rows; column++) {
        data.getPointer((long) (firstColumn + column) * stride).put(values, column * rows, rows);
      }
    }

    /** Overwrites this with another matrix of the same size. */
    Matrix copy(Matrix source) {
      return copy(source, 'A');
    }

    /** Overwrites this upper triangle with another's; what is below the diagonal stays. */
    Matrix copyUpper(Matrix source) {
      return copy(source, 'U');
    }

    private Matrix copy(Matrix source, char what) {
      check(
          "dlacpy",
          LAPACKE_dlacpy(
              LAPACK_COL_MAJOR,
              (byte) what,
              rows,
              columns,
              source.data,
              source.stride,
              data,
              stride));
      return this;
    }

    /** Overwrites this with the transpose of another matrix. */
    void putTransposed(Matrix source) {
      double[] elements = source.toArray();
      double[] transposed = new double[elements.length];
      for (int i = 0; i < elements.length; i++) {
        transposed[i % source.rows * rows + i / source.rows] = elements[i];
      }
      put(0, transposed);
    }

    /** Returns the elements by columns, in a new array. */
    double[] toArray() {
      double[] values = new double[Math.multiplyExact(rows, columns)];
      for (int column = 0; column < columns; column++) {
        data.getPointer((long) column * stride).get(values, column * rows, rows);
      }
      return values;
    }

    /** Returns the columns' Euclidean norms. */
    double[] columnNorms() {
      double[] norms = new double[columns];
      for (int column = 0; column < columns; column++) {
        norms[column] = cblas_dnrm2(rows, data.getPointer((long) column * stride), 1);
      }
      return norms;
    }

    /** Returns the diagonal. */
    double[] diagonal() {
      double[] values = new double[Math.min(rows, columns)];
      for (int i = 0; i < values.length; i++) {
        values[i] = data.get((long) i * stride + i);
      }
      return values;
    }

    void setDiagonal(int index, double value) {
      data.put((long) index * stride + index, value);
    }
  }

  /** A float32 matrix in native memory, by rows; or part of one, sharing its memory. */
  public static final class FloatMatrix {

    private final FloatPointer data;
    private final int rows;
    private final int columns;
    private final int stride;

    private FloatMatrix(FloatPointer data, int rows, int columns, int stride) {
      this.data = data;
      this.rows = rows;
      this.columns = columns;
      this.stride = stride;
    }

    /** Returns a part, sharing memory. */
    public FloatMatrix part(int firstRow, int firstColumn, int partRows, int partColumns) {
      FloatPointer start = data.getPointer((long) firstRow * stride + firstColumn);
      return new FloatMatrix(start, partRows, partColumns, stride);
    }

    /** Returns the memory of a matrix that is not a part: a view, for the workspace's lifetime. */
    public FloatBuffer floats() {
      return new FloatPointer(data).capacity((long) rows * columns).asBuffer();
    }

    /** Returns the same memory as bits. */
    public IntBuffer bits() {
      return new IntPointer(data).capacity((long) rows * columns).asBuffer();
    }
  }

  /**
   * Computes {@code c = a b + c}. Up to 262144 multiplications are made by the calling thread
   * alone, any number of which may be here at once; outside {@link #onLargeStack}, too.
   */
  public static void addProduct(FloatMatrix a, FloatMatrix b, FloatMatrix c) {
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

  private static void check(String routine, int info) {
    if (info != 0) {
      throw new ArithmeticException("LAPACK's " + routine + " returned " + info);
    }
  }
}
