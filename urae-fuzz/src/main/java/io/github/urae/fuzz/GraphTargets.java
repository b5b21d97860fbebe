package io.github.urae.fuzz;

import ai.onnx.proto.OnnxMl.ModelProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import io.github.urae.device.Device;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.Checkpoint;
import io.github.urae.internal.NativeLibraries;
import io.github.urae.onnx.internal.graph.ClipTextGraph;
import io.github.urae.onnx.internal.graph.GraphSegments;
import io.github.urae.onnx.internal.graph.NetworkGraph;
import io.github.urae.onnx.internal.graph.TransformerGraph;
import io.github.urae.onnx.internal.session.NetworkSession;
import io.github.urae.onnx.internal.session.OnnxLibrary;
import io.github.urae.onnx.internal.session.SessionSettings;
import io.github.urae.onnx.internal.source.ExportContracts;
import io.github.urae.onnx.internal.source.ExportedNetwork;
import io.github.urae.tensor.ElementType;
import io.github.urae.testkit.OptimumExport;
import io.github.urae.testkit.TestData;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;

/** Exported networks: parsed, checked, rewritten; and handed to ONNX Runtime. */
final class GraphTargets {

  private GraphTargets() {}

  static FuzzTarget transformer(Path folder) throws IOException {
    return target(folder, Component.TRANSFORMER, false);
  }

  static FuzzTarget textEncoder(Path folder) throws IOException {
    return target(folder, Component.TEXT_ENCODER, false);
  }

  static FuzzTarget transformerSession(Path folder) throws IOException {
    return target(folder, Component.TRANSFORMER, true);
  }

  static FuzzTarget textEncoderSession(Path folder) throws IOException {
    return target(folder, Component.TEXT_ENCODER, true);
  }

  private static FuzzTarget target(Path folder, Component network, boolean withSession)
      throws IOException {
    Path export = OptimumExport.unpackInto(folder);
    if (withSession) {
      NativeLibraries.unpackInto(folder.resolve("cache"));
      OnnxLibrary.load();
    }
    Checkpoint checkpoint = Checkpoint.open(TestData.checkpoint());
    NetworkGraph own =
        network == Component.TRANSFORMER
            ? TransformerGraph.build(checkpoint.transformer(), ElementType.F32)
            : ClipTextGraph.build(checkpoint.clip(), ElementType.F32);
    Path file = export.resolve(network.id()).resolve("model.onnx");
    SessionSettings settings = new SessionSettings(Device.cpu(), OptionalInt.of(1), false);
    byte[] exported = Files.readAllBytes(file);
    return new FuzzTarget(
        List.of(asExported(exported), exported),
        new OnnxMutation(),
        bytes -> {
          Files.write(file, bytes);
          ExportedNetwork opened =
              ExportedNetwork.open(file, own, ExportContracts.of(network, true));
          try (TensorSource weights = opened.weights()) {
            GraphSegments.cut(opened.graph());
            if (withSession) {
              NetworkSession.open(opened.graph(), weights, Map.of(), settings).close();
            }
          }
        });
  }

  /** An export with one node more than is known, which therefore runs as it is. */
  private static byte[] asExported(byte[] export) throws IOException {
    ModelProto.Builder model = ModelProto.parseFrom(export).toBuilder();
    model
        .getGraphBuilder()
        .addNode(
            NodeProto.newBuilder()
                .setOpType("Relu")
                .addInput(model.getGraph().getOutput(0).getName())
                .addOutput("more"));
    return model.build().toByteArray();
  }
}
