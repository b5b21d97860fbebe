package io.github.urae.benchmarks;

import io.github.urae.flux.arithmetic.TorchGenerator;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import io.github.urae.tensor.internal.Elements;
import io.github.urae.weights.SafetensorsFile;
import io.github.urae.weights.SafetensorsWriter;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
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

/** Opening a file with all tensors of FLUX.1-dev's transformer, and reading weights of its. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
// Two processes, since what the compiler makes of a loop may differ from one to the next.
@Fork(2)
// The longest call takes 0.1 s: five seconds are enough for the compiler and for the page cache.
@Warmup(iterations = 5, time = 1)
@Measurement(iterations = 5, time = 1)
public class SafetensorsReading {

  /** The headers of all 780 tensors, and holes for what would be 24 GB. */
  @State(Scope.Benchmark)
  public static class WholeTransformer {

    private Path file;

    /**
     * Writes the file.
     *
     * @throws IOException if the temporary folder is full
     */
    @Setup(Level.Trial)
    public void write() throws IOException {
      Map<String, Shape> weights = FluxDev.weights();
      file = Files.createTempFile("urae-header", ".safetensors");
      SparseSafetensors.write(file, ElementType.BF16, weights);
      if (new SafetensorsReading().open(this) != weights.size()) {
        throw new IllegalStateException("the file lacks tensors");
      }
    }

    /**
     * Deletes the file.
     *
     * @throws IOException if it cannot be deleted
     */
    @TearDown(Level.Trial)
    public void delete() throws IOException {
      Files.delete(file);
    }
  }

  /** One weight of seeded noise. */
  @State(Scope.Benchmark)
  public static class OneWeight {

    /** An attention projection, a single block's output, and a double block's first MLP layer. */
    @Param({"3072x3072", "3072x15360", "12288x3072"})
    public String shape;

    private Path file;
    private SafetensorsFile opened;
    private ByteBuffer bytes;
    private float[] floats;

    /**
     * Writes and opens the file.
     *
     * @throws IOException if the temporary folder is full
     */
    @Setup(Level.Trial)
    public void write() throws IOException {
      String[] sizes = shape.split("x", 2);
      Shape dimensions = Shape.of(Long.parseLong(sizes[0]), Long.parseLong(sizes[1]));
      float[] noise = new TorchGenerator(1).randn((int) dimensions.elementCount());
      bytes = ByteBuffer.allocateDirect(noise.length * Short.BYTES);
      Elements.fromFloats(ElementType.BF16, noise, 0, noise.length, bytes);
      file = Files.createTempFile("urae-weight", ".safetensors");
      SafetensorsWriter.write(
          file,
          Map.of(),
          Map.of("w", Tensor.view(ElementType.BF16, dimensions, bytes.flip(), "noise")));
      opened = SafetensorsFile.open(file);
      floats = new float[noise.length];
      new SafetensorsReading().expand(this);
      for (int i = 0; i < noise.length; i++) {
        if (floats[i] != Elements.fromBfloat16(Elements.toBfloat16(noise[i]))) {
          throw new IllegalStateException("element " + i + " reads " + floats[i]);
        }
      }
    }

    /**
     * Closes and deletes the file.
     *
     * @throws IOException if it cannot be deleted
     */
    @TearDown(Level.Trial)
    public void delete() throws IOException {
      opened.close();
      Files.delete(file);
    }
  }

  /**
   * Opens and closes the file: reads and checks the header.
   *
   * @param file the file
   * @return the number of tensors
   * @throws IOException if it cannot be read
   */
  @Benchmark
  public int open(WholeTransformer file) throws IOException {
    try (SafetensorsFile opened = SafetensorsFile.open(file.file)) {
      return opened.tensors().size();
    }
  }

  /**
   * Copies a mapped weight: the floor for everything that reads it.
   *
   * @param weight the weight
   * @return the copy
   * @throws IOException if it cannot be read
   */
  @Benchmark
  public ByteBuffer copy(OneWeight weight) throws IOException {
    return weight.bytes.clear().put(weight.opened.tensor("w").data());
  }

  /**
   * Expands a mapped bfloat16 weight to float32.
   *
   * @param weight the weight
   * @return the values
   * @throws IOException if it cannot be read
   */
  @Benchmark
  public float[] expand(OneWeight weight) throws IOException {
    weight.opened.tensor("w").toFloats(0, weight.floats, 0, weight.floats.length);
    return weight.floats;
  }
}
