package io.github.urae.onnx.internal.source;

import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.TensorProto;
import io.github.urae.onnx.internal.graph.GraphWeight;
import io.github.urae.onnx.internal.graph.NetworkGraph;
import io.github.urae.onnx.internal.graph.OnnxMessages;
import io.github.urae.weights.internal.WeightBytes;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;

/** Writes a network as {@code model.onnx} with its weights in {@code model.onnx_data} beside it. */
public final class ExportWriter {

  /** Name of the graph's file. */
  public static final String MODEL = "model.onnx";

  /** Name of the file of weights. */
  public static final String DATA = "model.onnx_data";

  /** ONNX asks for whole pages, so that weights can be mapped one by one. */
  private static final long ALIGNMENT = 4096;

  private ExportWriter() {}

  /**
   * Writes both files.
   *
   * @param folder where they go; must exist
   * @param graph a graph that needs no input of this library's own making
   * @param weights gives its weights in the types that the graph wants
   * @throws IOException if reading or writing fails
   */
  public static void write(Path folder, NetworkGraph graph, WeightBytes weights)
      throws IOException {
    GraphProto.Builder complete = graph.graph().toBuilder();
    try (FileChannel data =
        FileChannel.open(
            folder.resolve(DATA), StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW)) {
      for (Map.Entry<String, GraphWeight> weight : graph.weights().entrySet()) {
        long offset = (data.position() + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        data.position(offset);
        weights.writeTo(
            weight.getKey(),
            piece -> {
              while (piece.hasRemaining()) {
                data.write(piece);
              }
            });
        complete.addInitializer(
            initializer(weight.getKey(), weight.getValue(), offset, data.position() - offset));
      }
    }
    Files.write(folder.resolve(MODEL), graph.model(complete.build()).toByteArray());
  }

  private static TensorProto initializer(
      String name, GraphWeight weight, long offset, long length) {
    if (length != weight.byteSize()) {
      throw new IllegalStateException(
          name + ": expected " + weight.byteSize() + " bytes, got " + length);
    }
    return OnnxMessages.external(
        OnnxMessages.tensor(name, weight, weight.shape().toArray()), DATA, offset, length);
  }
}
