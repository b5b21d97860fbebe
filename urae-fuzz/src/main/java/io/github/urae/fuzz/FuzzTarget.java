package io.github.urae.fuzz;

import io.github.urae.UraeException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * One kind of file, and what reads it.
 *
 * @param examples valid ones, at least one and at most 255
 * @param mutation how they are changed
 * @param reader reads a file that holds the bytes given
 */
record FuzzTarget(List<byte[]> examples, Mutation mutation, Reader reader) {

  /** Larger ones are changed, but not used as they are: fuzzers are slow with them. */
  private static final int MAX_SEED_BYTES = 1 << 16;

  /** Changed variants of each example to begin with. */
  private static final int VARIANTS = 8;

  private static final int VARIANT_BYTES = 64;

  /** Reads bytes as the library reads a file. */
  @FunctionalInterface
  interface Reader {

    /**
     * Reads a file.
     *
     * @throws IOException where the library says so
     * @throws UraeException where the library says so
     */
    void read(byte[] file) throws IOException;
  }

  /** Makes an input that is a file as it is. */
  static byte[] asItIs(byte[] file) {
    byte[] input = new byte[file.length + 1];
    System.arraycopy(file, 0, input, 1, file.length);
    return input;
  }

  /** Returns the file that an input stands for. */
  byte[] file(byte[] input) {
    Choices choices = new Choices(input, 0);
    int example = choices.below(256);
    if (example == 0) {
      byte[] file = new byte[Math.max(0, input.length - 1)];
      System.arraycopy(input, Math.min(1, input.length), file, 0, file.length);
      return file;
    }
    return mutation.change(examples.get((example - 1) % examples.size()), choices);
  }

  /** Reads the file that an input stands for; everything but the documented exceptions passes. */
  void run(byte[] input) {
    try {
      reader.read(file(input));
    } catch (UraeException | IOException expected) {
      // Right: the file is hostile.
    }
  }

  /** Returns inputs to begin with: examples, and changed ones. */
  List<byte[]> seeds() {
    List<byte[]> seeds = new ArrayList<>();
    for (int i = 0; i < examples.size(); i++) {
      if (examples.get(i).length <= MAX_SEED_BYTES) {
        seeds.add(asItIs(examples.get(i)));
      }
      Random random = new Random(i);
      for (int j = 0; j < VARIANTS; j++) {
        byte[] variant = new byte[VARIANT_BYTES];
        random.nextBytes(variant);
        variant[0] = (byte) (i + 1);
        seeds.add(variant);
      }
    }
    return seeds;
  }
}
