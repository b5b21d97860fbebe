package io.github.urae.onnx.internal.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.ModelProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.OperatorSetIdProto;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import io.github.urae.onnx.internal.graph.NetworkGraph;
import io.github.urae.onnx.internal.graph.OnnxMessages;
import io.github.urae.tensor.ElementType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
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

  @Test
  void aProfileThatIsCutOffIsRefusedWhereverThatIs() throws Exception {
    String whole =
        """
        [{"cat":"Node","args":{"op_name":"Gelu","provider":"CPUExecutionProvider",
          "input_type_shape":[{"float":[2,3]}],"output_type_shape":[{"float":[2,3]}]}}]
        """
            .strip();
    for (int length = whole.indexOf("args") + 7; length < whole.length() - 1; length++) {
      Path profile = Files.writeString(folder.resolve("profile.json"), whole.substring(0, length));
      assertThatThrownBy(() -> KernelPlacement.onProcessor(profile))
          .isInstanceOf(IOException.class);
    }
  }

  /** ONNX Runtime's own file, of a session that is on the processor altogether. */
  @Test
  void readsWhatOnnxRuntimeWrites() throws Exception {
    try (OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
      options.enableProfiling(folder.resolve("run").toString());
      try (OrtSession session = OnnxEngine.environment().createSession(sum(), options)) {
        run(session);
        assertThat(KernelPlacement.onProcessor(Path.of(session.endProfiling())))
            .isEqualTo(Map.of("Add", 1));
      }
    }
  }

  /** Also by a name that is no file's. */
  @Test
  void aNetworkIsLookedAtOnceAndNothingIsLeft() throws Exception {
    Path cache = folder.resolve("cache");
    PlacementCheck check = new PlacementCheck(cache);
    List<Boolean> profiled = new ArrayList<>();
    for (String network : List.of("a/b: c", "a/b: c", "d", "a/b: c")) {
      try (OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
        Optional<PlacementCheck.Profile> profile = check.start(network, options);
        profiled.add(profile.isPresent());
        try (OrtSession session = OnnxEngine.environment().createSession(sum(), options)) {
          run(session);
          profile.ifPresent(
              present -> {
                present.afterRun(session);
                present.afterRun(session);
              });
        }
        profile.ifPresent(PlacementCheck.Profile::close);
      }
    }
    assertThat(profiled).containsExactly(true, false, true, false);
    assertThat(cache).isEmptyDirectory();
  }

  /** Loaded for nothing, it is looked at when it is used. */
  @Test
  void aSessionThatNeverRanIsNoAnswer() throws Exception {
    PlacementCheck check = new PlacementCheck(folder);
    for (int i = 0; i < 2; i++) {
      try (OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
        PlacementCheck.Profile profile = check.start("sum", options).orElseThrow();
        OnnxEngine.environment().createSession(sum(), options).close();
        profile.close();
      }
    }
    assertThat(folder).isEmptyDirectory();
  }

  private static void run(OrtSession session) throws OrtException {
    try (OnnxTensor x = OnnxTensor.createTensor(OnnxEngine.environment(), new float[] {1, 2})) {
      session.run(Map.of("x", x)).close();
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
