package io.github.urae.nd4j;

import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import java.lang.ref.Cleaner;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.EnumMap;
import java.util.Map;
import org.bytedeco.javacpp.BooleanPointer;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.ShortPointer;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.api.ops.executioner.OpExecutioner;
import org.nd4j.linalg.factory.Nd4j;

/**
 * Tensors as ND4J arrays and back, for latents, embeddings and weights. Both sides see the same
 * memory where that is possible; otherwise the elements are copied.
 *
 * <p>Element types: float64, float32, float16, bfloat16, signed and unsigned integers of 8 to 64
 * bits, booleans. ND4J's CPU backend only. All methods may be called from any thread.
 */
public final class Nd4jTensors {

  /** Bytes copied at once. */
  private static final int PIECE = 1 << 26;

  private static final Map<ElementType, DataType> TYPES =
      new EnumMap<>(
          Map.ofEntries(
              Map.entry(ElementType.F64, DataType.DOUBLE),
              Map.entry(ElementType.F32, DataType.FLOAT),
              Map.entry(ElementType.F16, DataType.FLOAT16),
              Map.entry(ElementType.BF16, DataType.BFLOAT16),
              Map.entry(ElementType.I64, DataType.INT64),
              Map.entry(ElementType.I32, DataType.INT32),
              Map.entry(ElementType.I16, DataType.INT16),
              Map.entry(ElementType.I8, DataType.INT8),
              Map.entry(ElementType.U64, DataType.UINT64),
              Map.entry(ElementType.U32, DataType.UINT32),
              Map.entry(ElementType.U16, DataType.UINT16),
              Map.entry(ElementType.U8, DataType.UINT8),
              Map.entry(ElementType.BOOL, DataType.BOOL)));

  /** Keeps an array's memory as long as buffers look at it. */
  private static final Cleaner CLEANER = Cleaner.create();

  /** Waits among the cleaner's actions, and so holds an array, while a buffer can be reached. */
  private record Hold(INDArray array) implements Runnable {
    @Override
    public void run() {}
  }

  private Nd4jTensors() {}

  /**
   * Returns a tensor as an array, in row-major order.
   *
   * <p>The array looks at the tensor's own memory where that lies outside the Java heap, takes less
   * than 2 GiB and is aligned for its type: what is written into one is then seen in the other. It
   * keeps memory alive that nothing else owns; a tensor of a file stays valid until that file's
   * owner is closed, and so does the array. <b>An array over a file must not be written into</b>:
   * its pages are read-only, and the process ends. {@link INDArray#dup()} gives an array of its
   * own.
   *
   * @param tensor any shape, also a scalar or without elements
   * @return an array of the same shape and type
   * @throws IllegalArgumentException if ND4J has no such element type
   * @throws IllegalStateException if ND4J does not run on its CPU backend, or the file underneath
   *     is closed
   * @throws io.github.urae.FileFormatException if the file underneath was cut short
   */
  public static INDArray toArray(Tensor tensor) {
    requireCpu();
    DataType type = dataType(tensor.type());
    long[] dimensions = dimensions(tensor.shape());
    if (tensor.byteSize() > 0 && tensor.byteSize() <= Integer.MAX_VALUE) {
      ByteBuffer data = tensor.data();
      if (data.isDirect()
          && ByteOrder.nativeOrder() == ByteOrder.LITTLE_ENDIAN
          && data.alignmentOffset(0, type.width()) == 0) {
        return Nd4j.create(
            Nd4j.createBuffer(pointer(tensor.type(), data), tensor.shape().elementCount(), type),
            dimensions,
            Nd4j.getStrides(dimensions, 'c'),
            0,
            'c',
            type);
      }
    }
    INDArray copy = emptyArray(type, dimensions);
    for (long done = 0; done < tensor.byteSize(); done += PIECE) {
      int length = (int) Math.min(PIECE, tensor.byteSize() - done);
      slice(copy, done, length).put(tensor.data(done, length));
    }
    return copy;
  }

  /**
   * Returns an array as a tensor.
   *
   * <p>The tensor looks at the array's own memory where its elements lie in row-major order without
   * gaps and outside a workspace: what is written into the array is then seen in the tensor.
   * Otherwise (Fortran order, strides, broadcasts, workspaces) the elements are copied. The tensor
   * and every buffer that it gives keep the array's memory alive; closing the array makes the
   * tensor unusable.
   *
   * @param array any shape, also a scalar or without elements
   * @return a tensor of the same shape and type
   * @throws IllegalArgumentException if there is no such element type
   * @throws IllegalStateException if ND4J does not run on its CPU backend
   */
  public static Tensor toTensor(INDArray array) {
    requireCpu();
    ElementType type = elementType(array.dataType());
    Shape shape = Shape.of(array.shape());
    INDArray dense = array;
    if (array.isAttached() || !isRowMajor(array)) {
      dense = emptyArray(array.dataType(), array.shape());
      dense.assign(array);
    }
    INDArray owner = dense;
    return Tensor.view(
        type,
        shape,
        (position, length) -> {
          if (owner.wasClosed()) {
            throw new IllegalStateException("the ND4J array of this tensor is closed");
          }
          return slice(owner, position, length);
        },
        "ND4J array");
  }

  private static void requireCpu() {
    OpExecutioner.ExecutionerType backend = Nd4j.getExecutioner().type();
    if (backend != OpExecutioner.ExecutionerType.NATIVE_CPU) {
      throw new IllegalStateException("expected ND4J's CPU backend, found " + backend);
    }
  }

  private static INDArray emptyArray(DataType type, long[] dimensions) {
    return Nd4j.createUninitializedDetached(type, 'c', dimensions);
  }

  private static boolean isRowMajor(INDArray array) {
    long expected = 1;
    for (int i = array.rank() - 1; i >= 0; i--) {
      if (array.size(i) != 1 && array.stride(i) != expected) {
        return false;
      }
      expected *= array.size(i);
    }
    return true;
  }

  /** Some bytes of a dense array; they hold on to it. */
  private static ByteBuffer slice(INDArray array, long position, int length) {
    if (length == 0) {
      return ByteBuffer.allocate(0);
    }
    Pointer start = array.data().addressPointer();
    BytePointer bytes = new BytePointer(start).position(0).capacity(position + length);
    ByteBuffer buffer = bytes.position(position).limit(position + length).asByteBuffer();
    CLEANER.register(buffer, new Hold(array));
    return buffer.order(ByteOrder.LITTLE_ENDIAN);
  }

  private static Pointer pointer(ElementType type, ByteBuffer data) {
    return switch (type) {
      case F64 -> new DoublePointer(data.asDoubleBuffer());
      case F32 -> new FloatPointer(data.asFloatBuffer());
      case I64, U64 -> new LongPointer(data.asLongBuffer());
      case I32, U32 -> new IntPointer(data.asIntBuffer());
      case F16, BF16, I16, U16 -> new ShortPointer(data.asShortBuffer());
      case BOOL -> new BooleanPointer(new BytePointer(data));
      default -> new BytePointer(data);
    };
  }

  private static long[] dimensions(Shape shape) {
    long[] dimensions = new long[shape.rank()];
    for (int i = 0; i < dimensions.length; i++) {
      dimensions[i] = shape.dimension(i);
    }
    return dimensions;
  }

  private static DataType dataType(ElementType type) {
    DataType found = TYPES.get(type);
    if (found == null) {
      throw new IllegalArgumentException("ND4J has no element type " + type);
    }
    return found;
  }

  private static ElementType elementType(DataType type) {
    for (Map.Entry<ElementType, DataType> entry : TYPES.entrySet()) {
      if (entry.getValue() == type) {
        return entry.getKey();
      }
    }
    throw new IllegalArgumentException("a tensor has no element type " + type);
  }
}
