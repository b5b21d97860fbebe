package io.github.urae.flux.arithmetic;

import java.util.Arrays;

/**
 * Cosines and sines of FLUX's rotary position embedding, one row a token and one column a pair of
 * head channels: [tokens, headDim/2].
 *
 * <p>Angles are computed in float64 and rounded once. Rotation is linear, so a factor on the
 * query's tables is a factor on attention's logits: {@code Profile.queryFactor} costs no operator.
 *
 * @see <a
 *     href="https://github.com/huggingface/diffusers/blob/main/src/diffusers/models/embeddings.py">
 *     diffusers: {@code get_1d_rotary_pos_embed}</a>
 */
public final class RotaryTables {

  private static final double THETA = 10_000;

  private final float[] cos;
  private final float[] sin;

  private RotaryTables(float[] cos, float[] sin) {
    this.cos = cos;
    this.sin = sin;
  }

  /**
   * Computes the tables.
   *
   * @param axes channels of a head on each axis of a position, even; FLUX.1: 16, 56, 56
   * @param positions of all tokens
   * @param ntkFactor factor on the base frequency 10000; URAE at 2K and 4K: 10
   * @param factor multiplies every cosine and sine, also those of text; 1 for keys
   * @return the tables
   * @throws IllegalArgumentException if there are not as many axes as a position has
   */
  public static RotaryTables of(
      int[] axes, TokenPositions positions, double ntkFactor, double factor) {
    if (axes.length != TokenPositions.AXES) {
      throw new IllegalArgumentException(
          "expected " + TokenPositions.AXES + " axes, got " + axes.length);
    }
    int pairs = Arrays.stream(axes).sum() / 2;
    int tokens = positions.tokens();
    float[] cos = new float[Math.multiplyExact(tokens, pairs)];
    float[] sin = new float[cos.length];
    int firstPair = 0;
    for (int axis = 0; axis < axes.length; axis++) {
      int axisPairs = axes[axis] / 2;
      int places = 1;
      for (int token = 0; token < tokens; token++) {
        places = Math.max(places, positions.position(token, axis) + 1);
      }
      float[][] axisCos = new float[places][axisPairs];
      float[][] axisSin = new float[places][axisPairs];
      double[] frequencies = frequencies(axes[axis], ntkFactor);
      for (int i = 0; i < axisPairs; i++) {
        double frequency = frequencies[i];
        for (int place = 0; place < places; place++) {
          double angle = place * frequency;
          axisCos[place][i] = scaled(Math.cos(angle), factor);
          axisSin[place][i] = scaled(Math.sin(angle), factor);
        }
      }
      for (int token = 0; token < tokens; token++) {
        int place = positions.position(token, axis);
        int target = token * pairs + firstPair;
        System.arraycopy(axisCos[place], 0, cos, target, axisPairs);
        System.arraycopy(axisSin[place], 0, sin, target, axisPairs);
      }
      firstPair += axisPairs;
    }
    return new RotaryTables(cos, sin);
  }

  /**
   * Returns the angles by which one step along an axis turns each pair of channels.
   *
   * @param axis channels of a head on the axis, even
   * @param ntkFactor factor on the base frequency
   * @return radians, axis/2 of them
   */
  public static double[] frequencies(int axis, double ntkFactor) {
    double[] frequencies = new double[axis / 2];
    for (int i = 0; i < frequencies.length; i++) {
      frequencies[i] = 1 / Math.pow(THETA * ntkFactor, 2.0 * i / axis);
    }
    return frequencies;
  }

  /** The reference rounds the cosine to float32, then multiplies the logits in float32. */
  private static float scaled(double value, double factor) {
    return (float) ((float) value * factor);
  }

  /**
   * Returns the cosines.
   *
   * @return a new array, [tokens, headDim/2]
   */
  public float[] cos() {
    return cos.clone();
  }

  /**
   * Returns the sines.
   *
   * @return a new array, [tokens, headDim/2]
   */
  public float[] sin() {
    return sin.clone();
  }
}
