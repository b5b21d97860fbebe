package io.github.urae.onnx.internal.source;

import ai.onnx.proto.OnnxMl.TensorProto;
import ai.onnx.proto.OnnxMl.TensorProto.DataLocation;
import ai.onnx.proto.OnnxMl.TensorProto.DataType;
import java.util.Optional;

/**
 * Checks tensors that are part of a graph, as constants are: they hold as many values as their
 * shape says, and in the file itself. Where ONNX Runtime met one that does not, it would read other
 * files, or memory at an address that the file names.
 *
 * @see <a
 *     href="https://github.com/onnx/onnx/blob/main/docs/IR.md#representing-shapes-of-tensors">ONNX:
 *     tensors</a>
 */
final class ConstantCheck {

  private ConstantCheck() {}

  /** Returns what is wrong with a tensor, in words; empty if nothing is. */
  static Optional<String> problem(TensorProto tensor) {
    if (tensor.getDataLocation() == DataLocation.EXTERNAL || tensor.getExternalDataCount() > 0) {
      return Optional.of("a constant must lie in the file itself, found external data");
    }
    long elements = 1;
    for (long dimension : tensor.getDimsList()) {
      if (dimension < 0 || (dimension > 0 && elements > Long.MAX_VALUE / dimension)) {
        return Optional.of("impossible shape " + shown(tensor));
      }
      elements *= dimension;
    }
    long found = elements(tensor);
    if (found < 0) {
      return Optional.of(
          "element type " + tensor.getDataType() + " of ONNX is not supported in constants");
    }
    return found == elements
        ? Optional.empty()
        : Optional.of("shape " + shown(tensor) + " has " + elements + " elements, found " + found);
  }

  private static String shown(TensorProto tensor) {
    return tensor.getDimsList().stream().limit(16).toList().toString();
  }

  /** Returns how many elements are stored; -1 where the type is unknown. */
  private static long elements(TensorProto tensor) {
    int type = tensor.getDataType();
    long typed =
        switch (type) {
          case DataType.FLOAT_VALUE -> tensor.getFloatDataCount();
          case DataType.COMPLEX64_VALUE -> tensor.getFloatDataCount() / 2;
          case DataType.DOUBLE_VALUE -> tensor.getDoubleDataCount();
          case DataType.COMPLEX128_VALUE -> tensor.getDoubleDataCount() / 2;
          case DataType.INT64_VALUE -> tensor.getInt64DataCount();
          case DataType.UINT32_VALUE, DataType.UINT64_VALUE -> tensor.getUint64DataCount();
          case DataType.STRING_VALUE -> tensor.getStringDataCount();
          default -> tensor.getInt32DataCount();
        };
    if (!tensor.hasRawData()) {
      return size(type) == 0 && type != DataType.STRING_VALUE ? -1 : typed;
    }
    int size = size(type);
    boolean whole = size > 0 && typed == 0 && tensor.getRawData().size() % size == 0;
    return whole ? tensor.getRawData().size() / size : -1;
  }

  /** Returns the bytes of an element; 0 where it takes no whole number of them. */
  private static int size(int type) {
    return switch (type) {
      case DataType.BOOL_VALUE,
          DataType.INT8_VALUE,
          DataType.UINT8_VALUE,
          DataType.FLOAT8E4M3FN_VALUE,
          DataType.FLOAT8E4M3FNUZ_VALUE,
          DataType.FLOAT8E5M2_VALUE,
          DataType.FLOAT8E5M2FNUZ_VALUE ->
          1;
      case DataType.INT16_VALUE,
          DataType.UINT16_VALUE,
          DataType.FLOAT16_VALUE,
          DataType.BFLOAT16_VALUE ->
          2;
      case DataType.FLOAT_VALUE, DataType.INT32_VALUE, DataType.UINT32_VALUE -> 4;
      case DataType.DOUBLE_VALUE,
          DataType.INT64_VALUE,
          DataType.UINT64_VALUE,
          DataType.COMPLEX64_VALUE ->
          8;
      case DataType.COMPLEX128_VALUE -> 16;
      default -> 0;
    };
  }
}
