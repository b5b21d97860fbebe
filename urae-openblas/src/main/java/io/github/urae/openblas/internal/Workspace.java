package io.github.urae.openblas.internal;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;

/** Native memory of one computation, freed together. Not thread-safe. */
final class Workspace implements AutoCloseable {

  private final List<Pointer> blocks = new ArrayList<>();

  /** Returns a new matrix of zeros, valid until this workspace is closed. */
  Matrix matrix(int rows, int columns) {
    return new Matrix(
        new DoublePointer(allocate((long) rows * columns, Double.BYTES)), rows, columns, rows);
  }

  /** The same in float32, by rows. */
  FloatMatrix floatMatrix(int rows, int columns) {
    FloatPointer data = new FloatPointer(allocate((long) rows * columns, Float.BYTES));
    return new FloatMatrix(data, rows, columns, columns);
  }

  /**
   * Outside JavaCPP's own accounting, which would count mapped checkpoints against the Java heap,
   * and which frees what it tracks when the garbage collector comes by.
   */
  Pointer allocate(long count, int bytes) {
    Pointer block = Pointer.calloc(Math.max(1, count), bytes);
    if (block == null || block.isNull()) {
      throw new OutOfMemoryError(count * bytes + " bytes of native memory for dense algebra");
    }
    blocks.add(block);
    return block;
  }

  @Override
  public void close() {
    blocks.forEach(Pointer::free);
    blocks.clear();
  }
}
