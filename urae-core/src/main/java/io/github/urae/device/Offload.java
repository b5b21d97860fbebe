package io.github.urae.device;

/**
 * Which networks are out of memory, on disk, while others run. Pictures are the same whichever is
 * chosen.
 */
public enum Offload {
  /** All networks, from the building of the pipeline to its closing. */
  ALL,
  /** A network is loaded when it is needed and released after: text encoders, transformer, VAE. */
  ONE_AT_A_TIME,
  /**
   * The same, and of transformer and T5 no more than two blocks: the one that runs, and the next.
   * For machines where a network does not fit; each step reads all weights.
   */
  BLOCK;

  /**
   * Reads an offload as people write it.
   *
   * @param text {@code all}, {@code one-at-a-time} or {@code block}
   * @return the offload
   * @throws IllegalArgumentException if it is none of them
   */
  public static Offload parse(String text) {
    return switch (text) {
      case "all" -> ALL;
      case "one-at-a-time" -> ONE_AT_A_TIME;
      case "block" -> BLOCK;
      default ->
          throw new IllegalArgumentException(
              "expected all, one-at-a-time or block, found '" + text + "'");
    };
  }
}
