package io.github.urae.benchmarks;

import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.flux.arithmetic.RotaryTables;
import io.github.urae.flux.arithmetic.TokenPositions;
import io.github.urae.flux.arithmetic.TorchGenerator;
import io.github.urae.flux.model.internal.Flux1;
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

/** What a generation computes itself: noise, packing, rotary tables. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
// Two processes, since what the compiler makes of a loop may differ from one to the next.
@Fork(2)
// The longest call takes 0.3 s.
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@State(Scope.Benchmark)
public class StepArithmetic {

  /** Pixels a side: FLUX.1's own size, and the largest. */
  @Param({"1024", "4096"})
  public int size;

  private LatentGrid grid;
  private float[] noise;

  /** Draws the noise, and checks that packing loses nothing. */
  @Setup(Level.Trial)
  public void draw() {
    grid = new LatentGrid(Flux1.LATENTS, size, size);
    noise = noise();
    float[] back = grid.unpack(grid.pack(noise));
    if (back[noise.length / 3] != noise[noise.length / 3]) {
      throw new IllegalStateException("packing lost a value");
    }
  }

  /**
   * Draws a picture's noise.
   *
   * @return the values
   */
  @Benchmark
  public float[] noise() {
    return new TorchGenerator(1).randn(grid.latentElements());
  }

  /**
   * Packs it.
   *
   * @return packed latents
   */
  @Benchmark
  public float[] pack() {
    return grid.pack(noise);
  }

  /**
   * Computes the tables of one side, once a generation.
   *
   * @return the tables
   */
  @Benchmark
  public RotaryTables rotaryTables() {
    return RotaryTables.of(
        new int[] {16, 56, 56}, TokenPositions.of(StepInputs.TEXT_TOKENS, grid), 10, 1);
  }
}
