package io.github.urae.benchmarks;

import io.github.urae.flux.arithmetic.TorchGenerator;
import io.github.urae.onnx.internal.graph.NetworkGraph;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.internal.Elements;
import io.github.urae.weights.SafetensorsWriter;
import io.github.urae.weights.SafetensorsWriter.Declaration;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * Random weights of a scale at which activations stay finite through any number of layers. All
 * tensors are cut from one seeded row of normal values, each from a place of its own; the row's
 * length is prime, so that the rows of a matrix differ.
 */
final class SyntheticWeights {

  private static final int ROW = 4_194_301;

  /** Small against the residual stream, which every block adds to. */
  private static final double GAIN = 0.5;

  private static final double BIAS = 0.02;

  private final float[] row;

  SyntheticWeights(long seed) {
    row = new TorchGenerator(seed).randn(ROW);
  }

  /** Writes all weights of a network into one file, in the network's type. */
  void write(Path file, NetworkGraph graph) throws IOException {
    write(
        file,
        graph.parameters().entrySet().stream()
            .map(w -> new Declaration(w.getKey(), graph.type(), w.getValue()))
            .toList());
  }

  /** Writes a file of such weights, piece by piece. */
  void write(Path file, List<Declaration> tensors) throws IOException {
    ByteBuffer piece = ByteBuffer.allocateDirect(ROW * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    float[] scaled = new float[ROW];
    try (SafetensorsWriter writer = SafetensorsWriter.create(file, Map.of(), tensors)) {
      for (Declaration tensor : tensors) {
        write(writer, tensor, scaled, piece);
      }
      writer.finish();
    }
  }

  private void write(SafetensorsWriter writer, Declaration tensor, float[] scaled, ByteBuffer piece)
      throws IOException {
    ElementType type = tensor.type();
    float mean = mean(tensor);
    float deviation = deviation(tensor);
    int place = Math.floorMod(tensor.name().hashCode(), ROW);
    for (long left = tensor.shape().elementCount(); left > 0; ) {
      int count = (int) Math.min(left, ROW - place);
      for (int i = 0; i < count; i++) {
        scaled[i] = mean + deviation * row[place + i];
      }
      piece.clear();
      Elements.fromFloats(type, scaled, 0, count, piece);
      piece.position(0).limit(Math.toIntExact(type.byteSize(count)));
      writer.write(tensor.name(), piece);
      left -= count;
      place = 0;
    }
  }

  /** Normalisations begin as the identity. */
  private static float mean(Declaration tensor) {
    return tensor.shape().rank() == 1 && tensor.name().endsWith(".weight") ? 1 : 0;
  }

  private static float deviation(Declaration tensor) {
    long[] dimensions = tensor.shape().toArray();
    if (dimensions.length == 1) {
      return (float) BIAS;
    }
    long inputs = tensor.shape().elementCount() / dimensions[0];
    return (float) (GAIN / Math.sqrt((double) inputs));
  }
}
