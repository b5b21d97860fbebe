package io.github.urae.onnx.internal.session;

import ai.onnx.proto.OnnxMl.ModelProto;
import ai.onnx.proto.OnnxMl.TensorProto;
import ai.onnxruntime.NodeInfo;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.TensorInfo;
import java.util.HashMap;
import java.util.Map;

/** Runs models as they are: what ONNX Runtime itself makes of them. */
public final class ModelRunner {

  private ModelRunner() {}

  /** Runs a model of one float32 input x of rank 1 and returns its output y, of the same kind. */
  public static float[] run(ModelProto model, float... x) throws OrtException {
    try (OrtSession session = OnnxEngine.environment().createSession(model.toByteArray());
        OnnxTensor input = OnnxTensor.createTensor(OnnxEngine.environment(), x);
        OrtSession.Result result = session.run(Map.of("x", input))) {
      return (float[]) result.get("y").orElseThrow().getValue();
    }
  }

  /** Returns ONNX's numbers of the element types of a model's outputs. */
  public static Map<String, Integer> outputTypes(ModelProto model) throws OrtException {
    try (OrtSession session = OnnxEngine.environment().createSession(model.toByteArray())) {
      Map<String, Integer> types = new HashMap<>();
      for (Map.Entry<String, NodeInfo> output : session.getOutputInfo().entrySet()) {
        String type = ((TensorInfo) output.getValue().getInfo()).onnxType.name();
        types.put(
            output.getKey(),
            TensorProto.DataType.valueOf(type.replace("ONNX_TENSOR_ELEMENT_DATA_TYPE_", ""))
                .getNumber());
      }
      return types;
    }
  }
}
