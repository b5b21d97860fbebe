package io.github.urae.weights.internal;

/**
 * Values of some blocks as small integers: value {@code i} is {@code scales[g] * codes[i]}, and
 * {@code offsets[g]} more where the encoding has offsets, with {@code g = i / groupElements}; each
 * step rounded to float32, as ggml computes it.
 *
 * <p>Made by {@link BlockEncoding#allocate} and filled by {@link BlockEncoding#readCodes}, again
 * and again; for one thread at a time. The arrays are those in use, not copies.
 *
 * <p>Where a block has several groups, their scales are small integers themselves, times a factor
 * of the block, and so are their offsets.
 *
 * @param groupElements values that share a scale, 16 or 32 in the types of GGUF
 * @param codes one for each value
 * @param scales one for each group
 * @param offsets one for each group, or of length 0 where the encoding has none
 * @param scaleCodes one for each group, or of length 0 where a block is one group
 * @param scaleFactors one for each block, or none likewise
 * @param offsetCodes one for each group, or none where there are no offsets or a block is a group
 * @param offsetFactors one for each block, or none likewise
 */
@SuppressWarnings("ArrayRecordComponent") // Room that is used anew, compared by nobody.
public record CodedBlocks(
    int groupElements,
    byte[] codes,
    float[] scales,
    float[] offsets,
    byte[] scaleCodes,
    float[] scaleFactors,
    byte[] offsetCodes,
    float[] offsetFactors) {

  /**
   * Sets the scale of a group that is one of several in its block.
   *
   * @param block number of the block
   * @param group number of the group, from the first block's first on
   * @param factor of the block
   * @param code of the group, -128 to 127
   */
  public void setScale(int block, int group, float factor, int code) {
    scales[group] = factor * code;
    scaleCodes[group] = (byte) code;
    scaleFactors[block] = factor;
  }

  /**
   * Sets the offset of a group that is one of several in its block.
   *
   * @param block number of the block
   * @param group number of the group, from the first block's first on
   * @param factor of the block
   * @param code of the group, -128 to 127
   */
  public void setOffset(int block, int group, float factor, int code) {
    offsets[group] = factor * code;
    offsetCodes[group] = (byte) code;
    offsetFactors[block] = factor;
  }

  /**
   * Computes the values.
   *
   * @param groups number of groups to compute, from the first on
   * @param target receives the values, from index 0 on
   */
  public void toFloats(int groups, float[] target) {
    for (int group = 0; group < groups; group++) {
      int first = group * groupElements;
      float scale = scales[group];
      if (offsets.length == 0) {
        scale(first, scale, target);
      } else {
        scaleAndShift(first, scale, offsets[group], target);
      }
    }
  }

  // Loops in methods of their own: HotSpot compiles and vectorises each by itself.

  private void scale(int first, float scale, float[] target) {
    for (int i = first; i < first + groupElements; i++) {
      target[i] = scale * codes[i];
    }
  }

  private void scaleAndShift(int first, float scale, float offset, float[] target) {
    for (int i = first; i < first + groupElements; i++) {
      target[i] = scale * codes[i] + offset;
    }
  }
}
