package io.github.urae.onnx.internal.graph;

import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.ByteSink;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The scale of each output channel of a weight: its largest magnitude over the largest code, 127.
 */
record ChannelScales(String parameter, Shape parameterShape) implements WeightForm {

  @Override
  public String description() {
    return "scale of each output channel";
  }

  @Override
  public void write(TensorSource source, ElementType type, ByteSink sink) throws IOException {
    int channels = Math.toIntExact(parameterShape.dimension(0));
    int columns = Math.toIntExact(parameterShape.dimension(1));
    float[] scales = new float[channels];
    ChannelRows.forEach(
        source,
        this,
        group -> {
          for (int row = 0; row < group.rows; row++) {
            scales[group.first + row] = ChannelRows.scale(group.values, row * columns, columns);
          }
        });
    ByteBuffer bytes = ByteBuffer.allocate(channels * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(scales);
    sink.accept(bytes);
  }
}
