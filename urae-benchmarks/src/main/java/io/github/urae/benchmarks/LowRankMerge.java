package io.github.urae.benchmarks;

import static org.bytedeco.openblas.global.openblas.CblasNoTrans;
import static org.bytedeco.openblas.global.openblas.CblasRowMajor;
import static org.bytedeco.openblas.global.openblas.cblas_sgemm;

import io.github.urae.CancellationToken;
import io.github.urae.ProgressListener;
import io.github.urae.Stage;
import io.github.urae.adapter.AdapterSpec;
import io.github.urae.adapter.internal.algebra.DenseAlgebra;
import io.github.urae.adapter.internal.match.AdapterChain;
import io.github.urae.adapter.internal.match.AdapterOptions;
import io.github.urae.adapter.internal.merge.WeightMerger;
import io.github.urae.flux.arithmetic.TorchGenerator;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.Flux1;
import io.github.urae.internal.OwnedResources;
import io.github.urae.internal.TaskReporter;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import io.github.urae.tensor.internal.Elements;
import io.github.urae.weights.SafetensorsFile;
import io.github.urae.weights.SafetensorsWriter;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
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
import org.openjdk.jmh.infra.Blackhole;

/**
 * Merging a low-rank update into a bfloat16 weight, accumulated in float32, against copying that
 * weight once, in memory and into a file, and against what a library of dense algebra does: expand,
 * multiply, add, round.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
// Two processes, since what the compiler makes of a loop may differ from one to the next.
@Fork(2)
// A call takes milliseconds: two seconds are several hundred, more than the compiler needs.
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
public class LowRankMerge {

  private static final String MODULE = "transformer_blocks.0.attn.to_q";
  private static final int RANK = 16;

  /** An attention projection, a single block's output, and a double block's first MLP layer. */
  @Param({"3072x3072", "3072x15360", "12288x3072"})
  public String shape;

  private int rows;
  private int columns;
  private Path folder;
  private final OwnedResources opened = new OwnedResources();
  private SafetensorsFile base;
  private WeightMerger merger;
  private ByteBuffer result;
  private float[] down;
  private float[] up;
  private float[] floats;

  /**
   * Writes a weight and an adapter, and checks all three ways against each other.
   *
   * @throws IOException if the temporary folder is full
   */
  @Setup(Level.Trial)
  public void prepare() throws IOException {
    String[] sizes = shape.split("x", 2);
    rows = Integer.parseInt(sizes[0]);
    columns = Integer.parseInt(sizes[1]);
    folder = opened.add(TemporaryFolder.create()).path();
    TorchGenerator random = new TorchGenerator(1);
    floats = random.randn(rows * columns);
    down = random.randn(RANK * columns);
    up = random.randn(rows * RANK);
    result = ByteBuffer.allocateDirect(rows * columns * Short.BYTES);
    Elements.fromFloats(ElementType.BF16, floats, 0, floats.length, result);
    Shape dimensions = Shape.of(rows, columns);
    Path weights = folder.resolve("weight.safetensors");
    SafetensorsWriter.write(
        weights,
        Map.of(),
        Map.of(
            MODULE + ".weight", Tensor.view(ElementType.BF16, dimensions, result.flip(), "noise")));
    Path adapter = folder.resolve("adapter.safetensors");
    SafetensorsWriter.write(
        adapter,
        Map.of(),
        Map.of(
            MODULE + ".lora_A.weight", Tensor.ofFloats(down, RANK, columns),
            MODULE + ".lora_B.weight", Tensor.ofFloats(up, rows, RANK)));
    base = opened.add(SafetensorsFile.open(weights));
    AdapterChain chain =
        opened.add(
            AdapterChain.open(
                List.of(new AdapterSpec(adapter, 1)),
                Flux1.FAMILY,
                Map.of(Component.TRANSFORMER, base),
                AdapterOptions.STRICT));
    // Loads OpenBLAS, with which both ways multiply.
    DenseAlgebra.load();
    merger = new WeightMerger(chain, Component.TRANSFORMER, base);
    check();
  }

  private void check() throws IOException {
    expandMultiplyRound();
    ByteBuffer expected = ByteBuffer.allocate(result.capacity()).put(result.flip()).flip();
    ByteBuffer merged = ByteBuffer.allocate(result.capacity());
    merger.merge(MODULE + ".weight", ElementType.BF16, merged::put, reporter());
    float[] theirs = new float[floats.length];
    float[] ours = new float[floats.length];
    Elements.toFloats(ElementType.BF16, expected, theirs, 0, theirs.length);
    Elements.toFloats(ElementType.BF16, merged.flip(), ours, 0, ours.length);
    for (int i = 0; i < ours.length; i++) {
      // Sums in another order may round to the next bfloat16; cancelled ones to more of them.
      if (!(Math.abs(ours[i] - theirs[i]) <= Math.abs(theirs[i]) / 128 + 1e-4)) {
        throw new IllegalStateException("element " + i + ": " + ours[i] + " and " + theirs[i]);
      }
    }
  }

  private TaskReporter reporter() {
    return new TaskReporter(
        ProgressListener.NONE, new CancellationToken(), Stage.MERGING, result.capacity());
  }

  /**
   * Closes and deletes the files.
   *
   * @throws IOException if they cannot be deleted
   */
  @TearDown(Level.Trial)
  public void delete() throws IOException {
    opened.close();
  }

  /**
   * Copies the mapped weight once.
   *
   * @return the copy
   * @throws IOException if it cannot be read
   */
  @Benchmark
  public ByteBuffer copy() throws IOException {
    return result.clear().put(base.tensor(MODULE + ".weight").data());
  }

  /**
   * Merges, as into a file: piece by piece, reading the mapped weight.
   *
   * @param blackhole takes the pieces
   * @throws IOException if the weight cannot be read
   */
  @Benchmark
  public void merge(Blackhole blackhole) throws IOException {
    merger.merge(MODULE + ".weight", ElementType.BF16, blackhole::consume, reporter());
  }

  /**
   * Copies the mapped weight into a new file.
   *
   * @throws IOException if it cannot be written
   */
  @Benchmark
  public void copyToFile() throws IOException {
    toFile(file -> file.write(base.tensor(MODULE + ".weight").data()));
  }

  /**
   * Merges into a new file.
   *
   * @throws IOException if it cannot be written
   */
  @Benchmark
  public void mergeToFile() throws IOException {
    toFile(file -> merger.merge(MODULE + ".weight", ElementType.BF16, file::write, reporter()));
  }

  private interface FileTask {
    void write(FileChannel file) throws IOException;
  }

  private void toFile(FileTask task) throws IOException {
    Path path = folder.resolve("result");
    try (FileChannel file =
        FileChannel.open(path, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      task.write(file);
    } finally {
      Files.delete(path);
    }
  }

  /**
   * Expands the whole weight to float32, adds the product by OpenBLAS, rounds: ND4J's way, without
   * its overhead.
   *
   * @return the result
   * @throws IOException if the weight cannot be read
   */
  @Benchmark
  public ByteBuffer expandMultiplyRound() throws IOException {
    base.tensor(MODULE + ".weight").toFloats(0, floats, 0, floats.length);
    cblas_sgemm(
        CblasRowMajor,
        CblasNoTrans,
        CblasNoTrans,
        rows,
        columns,
        RANK,
        1,
        up,
        RANK,
        down,
        columns,
        1,
        floats,
        columns);
    Elements.fromFloats(ElementType.BF16, floats, 0, floats.length, result.clear());
    return result;
  }
}
