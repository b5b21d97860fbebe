package io.github.urae.weights.internal;

import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Tensor;
import io.github.urae.tensor.internal.Elements;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.WeightEncoding;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/** One float32 tensor that lies in memory, in place of a stored one. Thread-safe; owns nothing. */
public final class ValuesInMemory implements TensorSource {

  private final TensorInfo info;
  private final float[] values;

  /**
   * Takes values.
   *
   * @param stored the tensor that they stand for: its name, its shape, and the file to be named
   * @param values row-major; not copied, and not to be changed
   */
  public ValuesInMemory(TensorInfo stored, float[] values) {
    Objects.checkFromIndexSize(0, stored.shape().elementCount(), (long) values.length);
    this.info =
        new TensorInfo(
            stored.name(),
            WeightEncoding.plain(ElementType.F32),
            stored.shape(),
            stored.file(),
            0,
            (long) values.length * Float.BYTES);
    this.values = values;
  }

  @Override
  public Map<String, TensorInfo> tensors() {
    return Map.of(info.name(), info);
  }

  @Override
  public Map<String, String> metadata() {
    return Map.of();
  }

  @Override
  public List<Path> files() {
    return List.of(info.file());
  }

  @Override
  public Tensor tensor(String name) {
    check(name);
    return Tensor.ofFloats(values, info.shape().toArray());
  }

  @Override
  public void readFloats(String name, long first, float[] target, int offset, int count) {
    check(name);
    Objects.checkFromIndexSize(first, count, (long) values.length);
    System.arraycopy(values, (int) first, target, offset, count);
  }

  @Override
  public void read(String name, long position, ByteBuffer target) {
    check(name);
    if (position % Float.BYTES != 0 || target.remaining() % Float.BYTES != 0) {
      throw new IllegalArgumentException(
          name + ": expected whole values, found bytes from " + position);
    }
    int first = Math.toIntExact(position / Float.BYTES);
    int count = target.remaining() / Float.BYTES;
    Elements.fromFloats(ElementType.F32, values, first, count, target);
    target.position(target.limit());
  }

  @Override
  public WeightEncoding.StoredBytes bytes() {
    return new WeightEncoding.StoredBytes() {
      @Override
      public void read(TensorInfo place, long position, ByteBuffer target) {
        ValuesInMemory.this.read(place.name(), position, target);
      }

      @Override
      public ByteBuffer map(TensorInfo place, long position, int length) {
        ByteBuffer bytes = ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
        read(place, position, bytes);
        return bytes.flip();
      }
    };
  }

  private void check(String name) {
    if (!name.equals(info.name())) {
      throw new IllegalArgumentException("expected " + info.name() + ", found " + name);
    }
  }

  @Override
  public void checkUnchanged() {}

  @Override
  public Set<Path> displacedFiles() throws IOException {
    return Set.of();
  }

  @Override
  public void close() {}
}
