package io.github.urae.training;

/** How a picture is brought to a size of other proportions. */
public enum PictureFit {
  /** Both sides are resized as they need: what URAE's script does. */
  STRETCH,
  /**
   * The largest part in the middle that has the proportions is taken, and resized. Without a
   * resolution, what exceeds a multiple of 16 pixels is cut off, equally at both ends.
   */
  CROP
}
