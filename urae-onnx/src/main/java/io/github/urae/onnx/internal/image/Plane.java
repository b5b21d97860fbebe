package io.github.urae.onnx.internal.image;

/** Values over rows and columns: [channels, height, width], row-major. Mutable. */
public final class Plane {

  private final float[] values;
  private final int channels;
  private final int height;
  private final int width;

  /** Takes over the values. */
  public Plane(float[] values, int channels, int height, int width) {
    if (values.length != (long) channels * height * width) {
      throw new IllegalArgumentException(
          "expected [" + channels + ", " + height + ", " + width + "], got " + values.length);
    }
    this.values = values;
    this.channels = channels;
    this.height = height;
    this.width = width;
  }

  /** Returns the values themselves, no copy. */
  public float[] values() {
    return values;
  }

  public int channels() {
    return channels;
  }

  public int height() {
    return height;
  }

  public int width() {
    return width;
  }

  public int index(int channel, int row, int column) {
    return (channel * height + row) * width + column;
  }

  /** Returns a copy of a rectangle. */
  public Plane part(int top, int left, int rows, int columns) {
    float[] copied = new float[channels * rows * columns];
    for (int channel = 0; channel < channels; channel++) {
      for (int row = 0; row < rows; row++) {
        System.arraycopy(
            values,
            index(channel, top + row, left),
            copied,
            (channel * rows + row) * columns,
            columns);
      }
    }
    return new Plane(copied, channels, rows, columns);
  }

  /** Copies the upper left part of another plane into this one. */
  public void put(Plane source, int top, int left, int rows, int columns) {
    for (int channel = 0; channel < channels; channel++) {
      for (int row = 0; row < rows; row++) {
        System.arraycopy(
            source.values,
            source.index(channel, row, 0),
            values,
            index(channel, top + row, left),
            columns);
      }
    }
  }
}
