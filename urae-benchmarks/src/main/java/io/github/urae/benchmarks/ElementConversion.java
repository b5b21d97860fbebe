package io.github.urae.benchmarks;

import io.github.urae.flux.arithmetic.TorchGenerator;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.internal.Elements;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
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
import org.openjdk.jmh.annotations.Warmup;

/** Between float32 and the types of files, one attention projection of FLUX.1 (9.4 million). */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
// Two processes, since what the compiler makes of a loop may differ from one to the next.
@Fork(2)
// A call takes 10 ms.
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@State(Scope.Benchmark)
public class ElementConversion {

  private static final int COUNT = 3072 * 3072;

  /** The types of checkpoints; F32 is a plain copy, for scale. */
  @Param({"BF16", "F16", "F32"})
  public ElementType type;

  private float[] floats;
  private ByteBuffer bytes;

  /** Draws the values, and checks that they survive the way there and back. */
  @Setup(Level.Trial)
  public void draw() {
    floats = new TorchGenerator(1).randn(COUNT);
    bytes =
        ByteBuffer.allocateDirect(Math.toIntExact(type.byteSize(COUNT)))
            .order(ByteOrder.LITTLE_ENDIAN);
    float first = floats[0];
    fromFloats();
    if (Math.abs(toFloats()[0] - first) > Math.abs(first) / 128) {
      throw new IllegalStateException(type + ": " + first + " became " + floats[0]);
    }
  }

  /**
   * Rounds to the type.
   *
   * @return the bytes
   */
  @Benchmark
  public ByteBuffer fromFloats() {
    Elements.fromFloats(type, floats, 0, COUNT, bytes.clear());
    return bytes;
  }

  /**
   * Expands from the type.
   *
   * @return the values
   */
  @Benchmark
  public float[] toFloats() {
    Elements.toFloats(type, bytes.clear(), floats, 0, COUNT);
    return floats;
  }
}
