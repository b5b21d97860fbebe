package io.github.urae.onnx.internal.graph;

import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.internal.Elements;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.ByteSink;
import io.github.urae.weights.internal.quantised.ScaledElements;
import io.github.urae.weights.internal.quantised.Scales;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** The scales of {@link ScaledElements}: for each row, those of the parts that it is cut into. */
record ElementScales(String parameter, Shape parameterShape) implements WeightForm {

  @Override
  public String description() {
    return "scales of elements";
  }

  @Override
  public Origin origin() {
    return Origin.CODES;
  }

  @Override
  public void write(TensorSource source, ElementType type, ByteSink sink) throws IOException {
    TensorInfo stored = source.tensors().get(parameter);
    Scales scales = ((ScaledElements) stored.encoding()).scales();
    float[] ofRow = new float[Math.toIntExact(scales.gridColumns())];
    ByteBuffer bytes =
        ByteBuffer.allocate(Math.toIntExact(type.byteSize(ofRow.length)))
            .order(ByteOrder.LITTLE_ENDIAN);
    for (long row = 0; row < parameterShape.dimension(0); row++) {
      if (row % scales.rows() == 0) {
        long first = row / scales.rows() * scales.gridColumns();
        scales.read(source.bytes(), first, ofRow, ofRow.length);
      }
      Elements.fromFloats(type, ofRow, 0, ofRow.length, bytes.clear());
      sink.accept(bytes.flip());
    }
  }
}
