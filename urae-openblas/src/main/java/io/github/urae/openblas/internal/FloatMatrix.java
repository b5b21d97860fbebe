package io.github.urae.openblas.internal;

import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.IntPointer;

/** A float32 matrix in native memory, by rows; or part of one, sharing its memory. */
final class FloatMatrix {

  final FloatPointer data;
  final int rows;
  final int columns;
  final int stride;

  FloatMatrix(FloatPointer data, int rows, int columns, int stride) {
    this.data = data;
    this.rows = rows;
    this.columns = columns;
    this.stride = stride;
  }

  /** Returns a part, sharing memory. */
  FloatMatrix part(int firstRow, int firstColumn, int partRows, int partColumns) {
    FloatPointer start = data.getPointer((long) firstRow * stride + firstColumn);
    return new FloatMatrix(start, partRows, partColumns, stride);
  }

  /** Returns the memory of a matrix that is not a part: a view, for the workspace's lifetime. */
  FloatBuffer floats() {
    return new FloatPointer(data).capacity((long) rows * columns).asBuffer();
  }

  /** Returns the same memory as bits. */
  IntBuffer bits() {
    return new IntPointer(data).capacity((long) rows * columns).asBuffer();
  }
}
