package io.github.urae.image;

import io.github.urae.InvalidRequestException;

/**
 * Bounds on what is read from pictures' files, so that none fills the memory: a file of kilobytes
 * can claim gigabytes of pixels or texts. Sizes are taken from the header, before anything is
 * decoded.
 *
 * @param maxPixels width times height of a picture, at least 1
 * @param maxFileBytes bytes of a file whose pixels are read, 1 to 2^31 - 9
 * @param maxTextBytes bytes of all texts of a file, compressed and not, at least 1
 * @param maxTexts texts of a file, at least 1
 */
public record ReadLimits(long maxPixels, int maxFileBytes, int maxTextBytes, int maxTexts) {

  /**
   * Pillow's limit on pixels, 178,956,970; files of 2^28 bytes; 1024 texts of 2^24 bytes together.
   */
  public static final ReadLimits DEFAULTS = new ReadLimits(178_956_970, 1 << 28, 1 << 24, 1024);

  /**
   * Checks the ranges.
   *
   * @param maxPixels as above
   * @param maxFileBytes as above
   * @param maxTextBytes as above
   * @param maxTexts as above
   */
  public ReadLimits {
    if (maxPixels < 1
        || maxFileBytes < 1
        || maxFileBytes > Integer.MAX_VALUE - 8
        || maxTextBytes < 1
        || maxTexts < 1) {
      throw new InvalidRequestException(
          "limits on pictures: expected positive numbers, found "
              + maxPixels
              + " pixels, "
              + maxFileBytes
              + " bytes, "
              + maxTextBytes
              + " bytes of "
              + maxTexts
              + " texts");
    }
  }

  /**
   * Returns these limits with another on pixels.
   *
   * @param value as above
   * @return new limits
   */
  public ReadLimits withMaxPixels(long value) {
    return new ReadLimits(value, maxFileBytes, maxTextBytes, maxTexts);
  }
}
