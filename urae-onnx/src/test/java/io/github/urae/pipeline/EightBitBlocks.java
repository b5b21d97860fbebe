package io.github.urae.pipeline;

import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.WeightEncodingProvider;
import io.github.urae.weights.internal.BlockEncoding;
import io.github.urae.weights.internal.CodedBlocks;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A made-up encoding: blocks of 32 values, a float scale and then 32 signed bytes. In safetensors
 * it is U8 [rows, bytes of a row] under a name that says so.
 */
public final class EightBitBlocks extends BlockEncoding {

  private static final int ELEMENTS = 32;
  private static final int BYTES = Float.BYTES + ELEMENTS;
  private static final String SUFFIX = ".eight_bit_blocks";

  private EightBitBlocks() {
    super("EIGHT_BIT_BLOCKS", new Layout(ELEMENTS, BYTES, ELEMENTS, -127, 127, false));
  }

  @Override
  protected void decode(byte[] stored, int blocks, CodedBlocks target) {
    ByteBuffer bytes = ByteBuffer.wrap(stored).order(ByteOrder.LITTLE_ENDIAN);
    for (int block = 0; block < blocks; block++) {
      target.scales()[block] = bytes.getFloat(block * BYTES);
      bytes.get(block * BYTES + Float.BYTES, target.codes(), block * ELEMENTS, ELEMENTS);
    }
  }

  /** The registered one. */
  public static final class Provider implements WeightEncodingProvider {

    @Override
    public Map<String, TensorInfo> recognise(
        Map<String, TensorInfo> stored, Map<String, String> metadata) {
      if (stored.keySet().stream().noneMatch(name -> name.endsWith(SUFFIX))) {
        return stored;
      }
      Map<String, TensorInfo> tensors = new LinkedHashMap<>();
      stored.forEach(
          (name, info) -> {
            if (name.endsWith(SUFFIX)) {
              String own = name.substring(0, name.length() - SUFFIX.length());
              Shape shape = Shape.of(info.shape().dimension(0), info.columns() / BYTES * ELEMENTS);
              tensors.put(
                  own,
                  new TensorInfo(
                      own, new EightBitBlocks(), shape, info.file(), info.offset(), info.length()));
            } else {
              tensors.put(name, info);
            }
          });
      return tensors;
    }
  }

  /** Encodes the matrices of a network whose rows are whole blocks; the others stay. */
  static Map<String, Tensor> encoded(Map<String, Tensor> plain) {
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    plain.forEach(
        (name, tensor) -> {
          if (tensor.shape().rank() == 2 && tensor.shape().dimension(1) % ELEMENTS == 0) {
            tensors.put(name + SUFFIX, encoded(tensor));
          } else {
            tensors.put(name, tensor);
          }
        });
    return tensors;
  }

  private static Tensor encoded(Tensor plain) {
    float[] values = plain.toFloats();
    ByteBuffer bytes =
        ByteBuffer.allocate(values.length / ELEMENTS * BYTES).order(ByteOrder.LITTLE_ENDIAN);
    for (int start = 0; start < values.length; start += ELEMENTS) {
      float scale = scale(values, start);
      bytes.putFloat(scale);
      for (int i = 0; i < ELEMENTS; i++) {
        bytes.put((byte) code(values[start + i], scale));
      }
    }
    long rows = plain.shape().dimension(0);
    Shape shape = Shape.of(rows, bytes.capacity() / rows);
    return Tensor.view(ElementType.U8, shape, bytes.flip(), "encoded");
  }

  /** The same matrices with the values that encoding leaves. */
  static Map<String, Tensor> rounded(Map<String, Tensor> plain) {
    Map<String, Tensor> tensors = new LinkedHashMap<>(plain);
    tensors.replaceAll(
        (name, tensor) -> {
          if (tensor.shape().rank() != 2 || tensor.shape().dimension(1) % ELEMENTS != 0) {
            return tensor;
          }
          float[] values = tensor.toFloats();
          for (int start = 0; start < values.length; start += ELEMENTS) {
            float scale = scale(values, start);
            for (int i = start; i < start + ELEMENTS; i++) {
              values[i] = scale * code(values[i], scale);
            }
          }
          return Tensor.ofFloats(values, tensor.shape().toArray());
        });
    return tensors;
  }

  private static float scale(float[] values, int start) {
    float most = 0;
    for (int i = start; i < start + ELEMENTS; i++) {
      most = Math.max(most, Math.abs(values[i]));
    }
    return most / 127;
  }

  private static int code(float value, float scale) {
    return scale == 0 ? 0 : (int) Math.rint(value / scale);
  }
}
