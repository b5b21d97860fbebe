package io.github.urae.onnx.internal.session;

import ai.onnxruntime.OnnxJavaType;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Tensor;
import java.nio.ByteBuffer;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/** Tensors given to ONNX Runtime by name, where they lie. Owns its side of them until closed. */
final class Bindings implements AutoCloseable {

  private final OrtEnvironment environment;
  private final Map<String, OnnxTensor> bound = new LinkedHashMap<>();

  Bindings(OrtEnvironment environment) {
    this.environment = environment;
  }

  void add(String name, Tensor tensor) throws OrtException {
    bound.put(name, toOnnx(environment, tensor));
  }

  Map<String, OnnxTensor> values() {
    return Collections.unmodifiableMap(bound);
  }

  /** Gives one tensor; the caller closes the result, and keeps the tensor's bytes until then. */
  static OnnxTensor toOnnx(OrtEnvironment environment, Tensor tensor) throws OrtException {
    ByteBuffer data = tensor.data();
    if (!data.isDirect()) {
      data = ByteBuffer.allocateDirect(data.remaining()).order(data.order()).put(data).flip();
    }
    return OnnxTensor.createTensor(
        environment, data, tensor.shape().toArray(), javaType(tensor.type()));
  }

  private static OnnxJavaType javaType(ElementType type) {
    return switch (type) {
      case F32 -> OnnxJavaType.FLOAT;
      case F16 -> OnnxJavaType.FLOAT16;
      case BF16 -> OnnxJavaType.BFLOAT16;
      case I64 -> OnnxJavaType.INT64;
      case I8 -> OnnxJavaType.INT8;
      case U8 -> OnnxJavaType.UINT8;
      default -> throw new IllegalArgumentException("networks do not take " + type);
    };
  }

  @Override
  public void close() {
    bound.values().forEach(OnnxTensor::close);
    bound.clear();
  }
}
