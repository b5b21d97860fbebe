package io.github.urae.onnx.internal.session;

import static org.assertj.core.api.Assertions.assertThat;

import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.ModelProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.OperatorSetIdProto;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtSession;
import io.github.urae.onnx.internal.graph.NetworkGraph;
import io.github.urae.onnx.internal.graph.OnnxMessages;
import io.github.urae.tensor.ElementType;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KernelPlacementTest {

  @TempDir Path folder;

  @Test
  void shapesBelongToTheProcessorAndAreLeftOut() throws Exception {
    Path profile =
        Files.writeString(
            folder.resolve("profile.json"),
            """
            [{"cat":"Session","name":"model_run","args":{}},
             {"cat":"Node","name":"a_kernel_time","args":{"op_name":"Shape",
              "provider":"CPUExecutionProvider","output_type_shape":[{"int64":[1]}]}},
             {"cat":"Node","name":"b_kernel_time","args":{"thread_scheduling_stats":"",
              "op_name":"Gelu","provider":"CPUExecutionProvider",
              "input_type_shape":[{"float":[2,3]}],"output_type_shape":[{"float":[2,3]}]}},
             {"cat":"Node","name":"c_kernel_time","args":{"op_name":"Gelu",
              "provider":"CPUExecutionProvider","output_type_shape":[{"bfloat16":[2]}]}},
             {"cat":"Node","name":"d_kernel_time","args":{"op_name":"Gemm",
              "provider":"CUDAExecutionProvider","output_type_shape":[{"float":[2,3]}]}}]
            """);
    assertThat(KernelPlacement.onProcessor(profile)).isEqualTo(Map.of("Gelu", 2));
  }

  /** ONNX Runtime's own file, of a session that is on the processor altogether. */
  @Test
  void readsWhatOnnxRuntimeWrites() throws Exception {
    OrtEnvironment environment = OnnxEngine.environment();
    try (OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
      PlacementCheck check = PlacementCheck.start("sum", options);
      try (check;
          OrtSession session = environment.createSession(sum(), options);
          OnnxTensor x = OnnxTensor.createTensor(environment, new float[] {1, 2})) {
        session.run(Map.of("x", x)).close();
        assertThat(KernelPlacement.onProcessor(Path.of(session.endProfiling())))
            .isEqualTo(Map.of("Add", 1));
      }
    }
  }

  private static byte[] sum() {
    return ModelProto.newBuilder()
        .setIrVersion(NetworkGraph.IR_VERSION)
        .addOpsetImport(OperatorSetIdProto.newBuilder().setVersion(NetworkGraph.OPSET))
        .setGraph(
            GraphProto.newBuilder()
                .setName("sum")
                .addInput(OnnxMessages.value("x", ElementType.F32, 2))
                .addOutput(OnnxMessages.value("y", ElementType.F32, 2))
                .addNode(
                    NodeProto.newBuilder()
                        .setOpType("Add")
                        .addInput("x")
                        .addInput("x")
                        .addOutput("y")))
        .build()
        .toByteArray();
  }
}
