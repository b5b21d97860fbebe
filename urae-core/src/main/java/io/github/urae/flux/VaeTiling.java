package io.github.urae.flux;

/**
 * Whether the autoencoder works on a picture as a whole or tile by tile. Tiles keep its memory from
 * growing with the picture; as each is normalised by itself, large even areas may differ slightly
 * in tone from one tile to the next.
 */
public enum VaeTiling {
  /** Tiles where the whole picture would take too much memory. */
  AUTO,
  /** Tiles wherever the picture is larger than one. */
  ON,
  /** Always the whole picture. */
  OFF
}
