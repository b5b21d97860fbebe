package io.github.urae.onnx.internal.source;

import ai.onnx.proto.OnnxMl.TensorProto.DataType;
import io.github.urae.tensor.ElementType;
import java.util.Optional;

/** Element types of initializers by ONNX's numbers. */
final class OnnxElementTypes {

  private OnnxElementTypes() {}

  /** Returns the type of a number; empty for types that no weight or constant of a network has. */
  static Optional<ElementType> of(int code) {
    return Optional.ofNullable(
        switch (code) {
          case DataType.FLOAT_VALUE -> ElementType.F32;
          case DataType.FLOAT16_VALUE -> ElementType.F16;
          case DataType.BFLOAT16_VALUE -> ElementType.BF16;
          case DataType.DOUBLE_VALUE -> ElementType.F64;
          case DataType.INT64_VALUE -> ElementType.I64;
          case DataType.INT32_VALUE -> ElementType.I32;
          case DataType.INT16_VALUE -> ElementType.I16;
          case DataType.INT8_VALUE -> ElementType.I8;
          case DataType.UINT8_VALUE -> ElementType.U8;
          case DataType.BOOL_VALUE -> ElementType.BOOL;
          default -> null;
        });
  }

  /** Returns the number of a type that {@link #of} knows. */
  static int code(ElementType type) {
    return switch (type) {
      case F32 -> DataType.FLOAT_VALUE;
      case F16 -> DataType.FLOAT16_VALUE;
      case BF16 -> DataType.BFLOAT16_VALUE;
      case F64 -> DataType.DOUBLE_VALUE;
      case I64 -> DataType.INT64_VALUE;
      case I32 -> DataType.INT32_VALUE;
      case I16 -> DataType.INT16_VALUE;
      case I8 -> DataType.INT8_VALUE;
      case U8 -> DataType.UINT8_VALUE;
      case BOOL -> DataType.BOOL_VALUE;
      default -> throw new IllegalArgumentException("initializers are not of type " + type);
    };
  }
}
