package io.github.urae.onnx.internal.graph;

import ai.onnx.proto.OnnxMl.TensorProto.DataType;
import io.github.urae.tensor.ElementType;

/** Element types by ONNX's numbers. */
public final class OnnxTypes {

  private OnnxTypes() {}

  /**
   * Returns ONNX's number of an element type.
   *
   * @param type a type that graphs use: F32, F16, BF16, F64, I64 or BOOL
   * @return the number in {@code TensorProto.DataType}
   * @throws IllegalArgumentException if graphs do not use it
   */
  public static int code(ElementType type) {
    return switch (type) {
      case F32 -> DataType.FLOAT_VALUE;
      case F16 -> DataType.FLOAT16_VALUE;
      case BF16 -> DataType.BFLOAT16_VALUE;
      case F64 -> DataType.DOUBLE_VALUE;
      case I64 -> DataType.INT64_VALUE;
      case BOOL -> DataType.BOOL_VALUE;
      default -> throw new IllegalArgumentException("graphs do not use " + type);
    };
  }
}
