package io.github.urae.flux;

import io.github.urae.InvalidRequestException;
import java.math.BigInteger;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.LongStream;

/**
 * Where the noise of the images comes from. One seed draws the noise of all images in one go, as
 * diffusers does with one generator; one seed an image draws each by itself.
 *
 * <p>A seed is the 64 bits that {@code torch.Generator.manual_seed} takes: -2^63 to 2^64 - 1, where
 * -1 and 2^64 - 1 are the same. They are written without a sign. PyTorch's generator uses the lower
 * 32 of them.
 *
 * @param values the seeds, as 64 bits each: none for a random one, one for all images, or one for
 *     each
 * @param part which of the images that the one seed draws are wanted; empty for all
 */
public record Seeds(List<Long> values, Optional<Part> part) {

  /** A random seed, another each time. */
  public static final Seeds RANDOM = new Seeds(List.of(), Optional.empty());

  /** Most images that one seed may draw: their noise is drawn to get at the last's. */
  public static final int MAX_IMAGES = 1 << 16;

  private static final BigInteger LEAST = BigInteger.ONE.shiftLeft(63).negate();
  private static final BigInteger MOST = BigInteger.ONE.shiftLeft(64).subtract(BigInteger.ONE);

  /**
   * Some of the images that one seed draws. The third of four is another picture than the first of
   * one, since its noise follows that of the two before it.
   *
   * @param first the first that is wanted, from 0
   * @param of how many the seed draws, at most {@link #MAX_IMAGES}
   */
  public record Part(int first, int of) {

    /**
     * Checks the range.
     *
     * @param first as above
     * @param of as above
     */
    public Part {
      if (first < 0 || first >= of || of > MAX_IMAGES) {
        throw InvalidRequestException.of(
            "seed_images",
            "images of one seed: expected one of at most "
                + MAX_IMAGES
                + ", counted from 0, found "
                + first
                + " of "
                + of);
      }
    }
  }

  /**
   * Checks that a part is one of a single seed's.
   *
   * @param values as above; copied
   * @param part as above
   */
  public Seeds {
    values = List.copyOf(values);
    if (part.isPresent() && values.size() != 1) {
      throw InvalidRequestException.of(
          "seed_images", "images of one seed: expected one seed, found " + values.size());
    }
  }

  /**
   * Returns seeds that are wanted as a whole.
   *
   * @param values one for all images, or one for each; none for a random one
   * @return the seeds
   */
  public static Seeds of(long... values) {
    return new Seeds(LongStream.of(values).boxed().toList(), Optional.empty());
  }

  /**
   * Reads a seed as people write it.
   *
   * @param text a whole number, -2^63 to 2^64 - 1
   * @return its 64 bits
   * @throws InvalidRequestException if it is anything else
   */
  public static long parse(String text) {
    BigInteger number;
    try {
      // 20 digits and a sign: no more is needed, and long ones take long.
      number = text.length() > 21 ? null : new BigInteger(text);
    } catch (NumberFormatException e) {
      throw InvalidRequestException.of(
          "seeds", "seed: expected a whole number, found '" + text + "'", e);
    }
    if (number == null || number.compareTo(LEAST) < 0 || number.compareTo(MOST) > 0) {
      throw InvalidRequestException.of(
          "seeds",
          "seed: expected a whole number of -2^63 to 2^64 - 1, found "
              + (number == null ? "one of " + text.length() + " characters" : number));
    }
    return number.longValue();
  }

  /**
   * Returns the seeds of one of the images.
   *
   * @param index the image, from 0, of those that are wanted
   * @param images how many are wanted
   * @return what draws that image's noise alone
   */
  Seeds only(int index, int images) {
    if (values.isEmpty() || (images == 1 && part.isEmpty())) {
      return this;
    }
    if (values.size() > 1) {
      return of(values.get(index));
    }
    int first = part.map(Part::first).orElse(0);
    int of = part.map(Part::of).orElse(images);
    return new Seeds(values, Optional.of(new Part(first + index, of)));
  }

  /** Returns the seeds as people write them. */
  @Override
  public String toString() {
    if (values.isEmpty()) {
      return "random";
    }
    String seeds = values.stream().map(Long::toUnsignedString).collect(Collectors.joining(","));
    return part.map(p -> seeds + " (" + p.first() + " of " + p.of() + ")").orElse(seeds);
  }
}
