package io.github.urae.weights.internal;

import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.WeightEncoding;
import java.io.IOException;
import java.util.List;
import java.util.Optional;

/**
 * Some of a stored tensor's rows, in any order: a tensor of its own, at the place of the whole.
 * Rows are those of the first dimension here.
 *
 * @param stored the whole tensor
 * @param ranges the rows, one range after the other
 */
public record SelectedRows(TensorInfo stored, List<Range> ranges) implements WeightEncoding {

  /**
   * Rows that follow one another.
   *
   * @param first number of the first one
   * @param count how many
   */
  public record Range(long first, long count) {}

  /** Keeps a copy of the list. */
  public SelectedRows {
    ranges = List.copyOf(ranges);
  }

  /**
   * Takes rows for a tensor of their own.
   *
   * @param stored a tensor of one dimension or more, in any encoding
   * @param name the new tensor's name
   * @param ranges the rows, within the tensor
   * @return a tensor in the same encoding where the rows follow one another and lie apart from
   *     others; otherwise one in this encoding
   */
  public static TensorInfo of(TensorInfo stored, String name, Range... ranges) {
    long rows = 0;
    for (Range range : ranges) {
      rows = Math.addExact(rows, range.count());
    }
    Shape shape = withRows(stored.shape(), rows);
    if (ranges.length == 1) {
      Range range = ranges[0];
      Optional<WeightEncoding> own =
          stored.encoding().ofRows(stored.shape(), range.first(), range.count());
      if (own.isPresent()) {
        long offset = stored.encoding().byteSize(withRows(stored.shape(), range.first()));
        long length = own.get().byteSize(shape);
        return new TensorInfo(
            name, own.get(), shape, stored.file(), stored.offset() + offset, length);
      }
    }
    return new TensorInfo(
        name,
        new SelectedRows(stored, List.of(ranges)),
        shape,
        stored.file(),
        stored.offset(),
        stored.length());
  }

  private static Shape withRows(Shape shape, long rows) {
    long[] dimensions = shape.toArray();
    dimensions[0] = rows;
    return Shape.of(dimensions);
  }

  @Override
  public String name() {
    return stored.encoding().name() + " rows";
  }

  @Override
  public ElementType valueType() {
    return stored.encoding().valueType();
  }

  @Override
  public List<TensorInfo> companions() {
    return stored.encoding().companions();
  }

  /** {@inheritDoc} The whole tensor's. */
  @Override
  public long byteSize(Shape shape) {
    return stored.length();
  }

  @Override
  public void toFloats(
      TensorInfo tensor, StoredBytes bytes, long first, float[] target, int offset, int count)
      throws IOException {
    long rowElements = stored.shape().elementCount() / Math.max(1, stored.shape().dimension(0));
    long start = 0;
    for (Range range : ranges) {
      long end = start + range.count() * rowElements;
      long from = Math.max(first, start);
      long to = Math.min(first + count, end);
      if (from < to) {
        stored
            .encoding()
            .toFloats(
                stored,
                bytes,
                range.first() * rowElements + from - start,
                target,
                (int) (offset + from - first),
                (int) (to - from));
      }
      start = end;
    }
  }
}
