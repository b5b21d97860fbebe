package io.github.urae.flux.arithmetic;

/**
 * PyTorch's CPU random generator: the same normal numbers for the same seed as {@code
 * torch.Generator("cpu").manual_seed(seed)}, to 1e-6 (PyTorch's own vector code and its scalar code
 * differ by 5e-7).
 *
 * <p>A Mersenne twister ({@code mt19937}) seeded with the lower 32 bits of the seed. Not
 * thread-safe.
 *
 * @see <a
 *     href="https://github.com/pytorch/pytorch/blob/main/aten/src/ATen/native/cpu/DistributionTemplates.h">
 *     PyTorch: {@code normal_fill}</a>
 */
public final class TorchGenerator {

  private static final int STATE_SIZE = 624;
  private static final int SHIFT_SIZE = 397;

  /** {@code normal_fill} works on blocks of this many numbers, and on no fewer. */
  private static final int BLOCK = 16;

  private static final float TWO_PI = (float) (2 * Math.PI);

  private final int[] state = new int[STATE_SIZE];
  private int next = STATE_SIZE;

  /**
   * Creates a generator.
   *
   * @param seed the 64 bits that PyTorch takes, signed or not; its generator uses the lower 32
   */
  public TorchGenerator(long seed) {
    state[0] = (int) seed;
    for (int i = 1; i < STATE_SIZE; i++) {
      int previous = state[i - 1];
      state[i] = 1812433253 * (previous ^ (previous >>> 30)) + i;
    }
  }

  /**
   * Draws independent standard normal numbers, as {@code torch.randn} does in float32.
   *
   * @param count how many, at least 16: fewer take another path in PyTorch, which FLUX never meets
   * @return the numbers, in the order of a contiguous tensor
   * @throws IllegalArgumentException if {@code count} is below 16
   */
  public float[] randn(int count) {
    if (count < BLOCK) {
      throw new IllegalArgumentException("expected at least " + BLOCK + " numbers, got " + count);
    }
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = nextUniform();
    }
    for (int start = 0; start + BLOCK <= count; start += BLOCK) {
      transformBlockInPlace(values, start);
    }
    if (count % BLOCK != 0) {
      // The last block is drawn anew and overlaps the one before it.
      int start = count - BLOCK;
      for (int i = start; i < count; i++) {
        values[i] = nextUniform();
      }
      transformBlockInPlace(values, start);
    }
    return values;
  }

  /**
   * Draws independent numbers that are uniform in [0, 1), as {@code torch.rand} does in float32.
   *
   * @param count how many
   * @return the numbers, in the order of a contiguous tensor
   */
  public float[] rand(int count) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = nextUniform();
    }
    return values;
  }

  /**
   * Leaves out numbers that {@link #randn} would draw, as if somebody else had drawn them.
   *
   * @param count how many, a multiple of 16
   * @throws IllegalArgumentException if {@code count} is none
   */
  public void skip(long count) {
    if (count < 0 || count % BLOCK != 0) {
      throw new IllegalArgumentException("expected a multiple of " + BLOCK + ", got " + count);
    }
    for (long i = 0; i < count; i++) {
      nextInt();
    }
  }

  /**
   * Box-Muller on 16 uniform numbers; the first half gives the radii, the second the angles. Radius
   * and angle are rounded to float32 where PyTorch's vector code rounds them: an exact angle is off
   * by 1.1e-6.
   */
  private static void transformBlockInPlace(float[] values, int start) {
    for (int j = start; j < start + BLOCK / 2; j++) {
      float u1 = 1 - values[j];
      float u2 = values[j + BLOCK / 2];
      float radius = (float) Math.sqrt(-2 * (float) Math.log(u1));
      float angle = TWO_PI * u2;
      values[j] = radius * (float) Math.cos(angle);
      values[j + BLOCK / 2] = radius * (float) Math.sin(angle);
    }
  }

  /** Uniform in [0, 1), with 24 bits. */
  private float nextUniform() {
    return (nextInt() & 0xFFFFFF) * 0x1p-24f;
  }

  private int nextInt() {
    if (next == STATE_SIZE) {
      twist();
    }
    int y = state[next++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return y ^ (y >>> 18);
  }

  private void twist() {
    for (int i = 0; i < STATE_SIZE; i++) {
      int y = (state[i] & 0x80000000) | (state[(i + 1) % STATE_SIZE] & 0x7fffffff);
      int shifted = y >>> 1;
      state[i] =
          state[(i + SHIFT_SIZE) % STATE_SIZE] ^ ((y & 1) == 0 ? shifted : shifted ^ 0x9908b0df);
    }
    next = 0;
  }
}
