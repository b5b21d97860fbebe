package io.github.urae.onnx.internal.graph;

import ai.onnx.proto.OnnxMl.TensorProto.DataType;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;

/**
 * A tensor of a graph that comes from a checkpoint.
 *
 * @param shape its dimensions in the graph
 * @param type its element type in the graph; U8 where elements are packed
 * @param packing whether elements are smaller than a byte
 * @param form what of which weight it is
 */
public record GraphWeight(Shape shape, ElementType type, Packing packing, WeightForm form) {

  /** How many elements lie in a byte. */
  public enum Packing {
    /** Elements of their type. */
    NONE,
    /** Integers from -8 to 7, two a byte, the first one in the low bits. */
    INT4,
    /** Integers from 0 to 15, in the same way. */
    UINT4
  }

  /**
   * A tensor of whole bytes.
   *
   * @param shape its dimensions in the graph
   * @param type its element type in the graph
   * @param form what of which weight it is
   */
  public GraphWeight(Shape shape, ElementType type, WeightForm form) {
    this(shape, type, Packing.NONE, form);
  }

  /**
   * A weight whose values the graph takes as they are.
   *
   * @param parameter its name
   * @param shape its dimensions
   * @param type element type in the graph
   * @return the tensor
   */
  public static GraphWeight values(String parameter, Shape shape, ElementType type) {
    return new GraphWeight(shape, type, new ParameterValues(parameter, shape));
  }

  /**
   * Returns how many bytes it takes.
   *
   * @return its size in bytes
   */
  public long byteSize() {
    long elements = shape.elementCount();
    return packing == Packing.NONE ? type.byteSize(elements) : (elements + 1) / 2;
  }

  /**
   * Returns the dimensions under which files hold it.
   *
   * @return its shape; its length in bytes where elements are packed
   */
  public Shape storedShape() {
    return packing == Packing.NONE ? shape : Shape.of(byteSize());
  }

  /**
   * Tells whether Java can give a session a tensor of this type; otherwise it has to be in the
   * model or a file.
   *
   * @return false for float8 and for packed elements
   */
  public boolean hasJavaType() {
    return packing == Packing.NONE && type != ElementType.F8_E4M3 && type != ElementType.F8_E5M2;
  }

  /**
   * Returns ONNX's number of its element type.
   *
   * @return the number in {@code TensorProto.DataType}
   */
  public int onnxType() {
    return switch (packing) {
      case NONE ->
          switch (type) {
            case F8_E4M3 -> DataType.FLOAT8E4M3FN_VALUE;
            case F8_E5M2 -> DataType.FLOAT8E5M2_VALUE;
            default -> OnnxMessages.code(type);
          };
      case INT4 -> DataType.INT4_VALUE;
      case UINT4 -> DataType.UINT4_VALUE;
    };
  }
}
