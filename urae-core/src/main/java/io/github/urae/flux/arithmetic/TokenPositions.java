package io.github.urae.flux.arithmetic;

import java.util.Arrays;

/**
 * Positions of the tokens that a transformer attends over, text first: (0, 0, 0) for text, (index,
 * row, column) for pictures. The picture that is drawn has index 0; others that it is drawn from
 * may follow with indices of their own. Immutable.
 *
 * @see <a
 *     href="https://github.com/huggingface/diffusers/blob/main/src/diffusers/pipelines/flux/pipeline_flux.py">
 *     diffusers: {@code _prepare_latent_image_ids}</a>
 */
public final class TokenPositions {

  /** Numbers of a position. */
  public static final int AXES = 3;

  private final int textTokens;

  /** [tokens, AXES]. */
  private final int[] values;

  private TokenPositions(int textTokens, int[] values) {
    this.textTokens = textTokens;
    this.values = values;
  }

  /**
   * Returns the positions of a text and the picture that it describes.
   *
   * @param textTokens number of text tokens, T
   * @param grid the picture's tokens, I
   * @return T + I positions
   */
  public static TokenPositions of(int textTokens, LatentGrid grid) {
    int[] text = new int[Math.multiplyExact(textTokens, AXES)];
    return new TokenPositions(textTokens, text).andPicture(0, grid);
  }

  /**
   * Returns these positions, followed by those of another picture.
   *
   * @param index the picture's number, 0 or more
   * @param grid the picture's tokens
   * @return a new sequence
   */
  public TokenPositions andPicture(int index, LatentGrid grid) {
    int tokens = Math.toIntExact(grid.tokens());
    int[] all =
        Arrays.copyOf(values, Math.addExact(values.length, Math.multiplyExact(tokens, AXES)));
    for (int token = 0; token < tokens; token++) {
      int at = values.length + token * AXES;
      all[at] = index;
      all[at + 1] = token / grid.columns();
      all[at + 2] = token % grid.columns();
    }
    return new TokenPositions(textTokens, all);
  }

  /**
   * Returns the number of tokens.
   *
   * @return text and pictures together
   */
  public int tokens() {
    return values.length / AXES;
  }

  /**
   * Returns the number of text tokens.
   *
   * @return how many come first
   */
  public int textTokens() {
    return textTokens;
  }

  /**
   * Returns a token's place on one axis.
   *
   * @param token number of the token
   * @param axis 0 to {@link #AXES} - 1
   * @return 0 or more
   */
  public int position(int token, int axis) {
    return values[token * AXES + axis];
  }

  /**
   * Returns the positions of a range of tokens, as exported transformers take them.
   *
   * @param first number of the first token
   * @param end number of the token after the last
   * @return [end - first, AXES], row-major
   */
  public float[] toFloats(int first, int end) {
    float[] floats = new float[(end - first) * AXES];
    for (int i = 0; i < floats.length; i++) {
      floats[i] = values[first * AXES + i];
    }
    return floats;
  }
}
