package io.github.urae.benchmarks;

import static org.bytedeco.openblas.global.openblas.LAPACKE_sgesdd;
import static org.bytedeco.openblas.global.openblas.LAPACK_COL_MAJOR;

import io.github.urae.adapter.MinorComponents;
import io.github.urae.flux.arithmetic.TorchGenerator;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import org.bytedeco.javacpp.FloatPointer;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * The 16 minor components of an attention weight of FLUX.1, against LAPACK's whole decomposition of
 * it in float32, with the same OpenBLAS and threads.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.SingleShotTime)
@OutputTimeUnit(TimeUnit.SECONDS)
// A call takes from half a second to many: nothing is gained by averaging thousands. Three warm the
// loops around the native code. One process, since most is native.
@Fork(1)
@Warmup(iterations = 3)
@Measurement(iterations = 5)
public class MinorComponentSpeed {

  private static final int ORDER = 3072;
  private static final int RANK = 16;
  private static final int CLUSTER = 32;

  /** Independent normal values, or the same with its 32 smallest singular values within 1e-5. */
  @Param({"random", "clustered"})
  public String matrix;

  private float[] weight;
  private double[] smallest;
  private FloatPointer a;
  private FloatPointer s;
  private FloatPointer u;
  private FloatPointer vt;
  private boolean decomposed;

  /** Makes the matrix and checks its minor components. */
  @Setup(Level.Trial)
  public void prepare() {
    weight = new TorchGenerator(1).randn(ORDER * ORDER);
    if (matrix.equals("clustered")) {
      cluster();
    }
    MinorComponents minor = minorComponents();
    smallest = minor.singularValues();
    check(minor);
    a = new FloatPointer((long) ORDER * ORDER);
    s = new FloatPointer(ORDER);
    u = new FloatPointer((long) ORDER * ORDER);
    vt = new FloatPointer((long) ORDER * ORDER);
  }

  /** Moves the smallest singular values together and leaves their vectors. */
  private void cluster() {
    MinorComponents minor = MinorComponents.of(weight, ORDER, ORDER, CLUSTER);
    double[] values = minor.singularValues();
    float[] down = minor.a();
    float[] up = minor.b();
    double centre = values[CLUSTER / 2];
    for (int i = 0; i < weight.length; i++) {
      double sum = 0;
      for (int k = 0; k < CLUSTER; k++) {
        double factor = centre * (1 - 1e-5 * k / CLUSTER) / values[k] - 1;
        sum += factor * up[i / ORDER * CLUSTER + k] * down[k * ORDER + i % ORDER];
      }
      weight[i] += (float) sum;
    }
  }

  /** W v = s u for all of them, to float32. */
  private void check(MinorComponents minor) {
    float[] down = minor.a();
    float[] up = minor.b();
    for (int k = 0; k < RANK; k++) {
      double error = 0;
      for (int row = 0; row < ORDER; row++) {
        double image = 0;
        for (int column = 0; column < ORDER; column++) {
          image += (double) weight[row * ORDER + column] * down[k * ORDER + column];
        }
        double difference = image - minor.singularValues()[k] * up[row * RANK + k];
        error += difference * difference;
      }
      if (!(Math.sqrt(error) < 1e-4)) {
        throw new IllegalStateException("component " + k + " is off by " + Math.sqrt(error));
      }
    }
  }

  /** Compares LAPACK's values with ours, and frees its memory. */
  @TearDown(Level.Trial)
  public void compare() {
    if (decomposed) {
      for (int i = 0; i < RANK; i++) {
        double difference = Math.abs(s.get(ORDER - RANK + i) - smallest[i]);
        // LAPACK's own error in float32, where the largest value is 111.
        if (!(difference < 1e-3)) {
          throw new IllegalStateException("value " + i + " differs by " + difference);
        }
      }
    }
    for (FloatPointer block : Arrays.asList(a, s, u, vt)) {
      block.deallocate();
    }
  }

  /**
   * Computes the 16 minor components.
   *
   * @return them
   */
  @Benchmark
  public MinorComponents minorComponents() {
    return MinorComponents.of(weight, ORDER, ORDER, RANK);
  }

  /**
   * Decomposes the whole matrix by LAPACK's divide and conquer, in float32.
   *
   * @return the singular values
   */
  @Benchmark
  public FloatPointer gesdd() {
    a.put(weight);
    // By columns this is the transposed matrix, which has the same values, u and v exchanged.
    int info =
        LAPACKE_sgesdd(
            LAPACK_COL_MAJOR, (byte) 'S', ORDER, ORDER, a, ORDER, s, u, ORDER, vt, ORDER);
    if (info != 0) {
      throw new IllegalStateException("sgesdd returned " + info);
    }
    decomposed = true;
    return s;
  }
}
