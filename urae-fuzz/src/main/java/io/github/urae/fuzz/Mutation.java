package io.github.urae.fuzz;

/** Changes an example, so that the result is still of its kind for the most part. */
interface Mutation {

  /** Bytes are changed as they come. */
  Mutation BYTES = Mutation::changedBytes;

  /**
   * Changes an example.
   *
   * @param example a valid file; not changed
   * @param choices what is done to it
   * @return the new file
   */
  byte[] change(byte[] example, Choices choices);

  private static byte[] changedBytes(byte[] example, Choices choices) {
    byte[] changed = example.clone();
    while (choices.hasNext() && changed.length > 0) {
      int position = choices.below(changed.length);
      switch (choices.below(4)) {
        case 0 -> changed[position] = (byte) choices.below(256);
        case 1 -> changed = replaced(changed, position, choices.below(256), new byte[0]);
        case 2 -> changed = replaced(changed, position, 0, choices.some());
        default -> changed[position] ^= (byte) (1 << choices.below(8));
      }
    }
    return changed;
  }

  private static byte[] replaced(byte[] bytes, int position, int length, byte[] by) {
    int end = Math.min(bytes.length, position + length);
    byte[] result = new byte[bytes.length - (end - position) + by.length];
    System.arraycopy(bytes, 0, result, 0, position);
    System.arraycopy(by, 0, result, position, by.length);
    System.arraycopy(bytes, end, result, position + by.length, bytes.length - end);
    return result;
  }
}
