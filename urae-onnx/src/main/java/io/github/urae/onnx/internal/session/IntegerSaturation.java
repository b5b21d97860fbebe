package io.github.urae.onnx.internal.session;

import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnxruntime.OnnxJavaType;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import io.github.urae.device.Device;
import io.github.urae.onnx.internal.graph.NetworkGraph;
import io.github.urae.onnx.internal.graph.OnnxMessages;
import io.github.urae.tensor.ElementType;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;

/**
 * Finds out whether this processor's products of unsigned and signed bytes are exact. On x64
 * without VNNI (before Cascade Lake and Zen 4, mostly), ONNX Runtime uses an instruction that adds
 * two products in 16 bits and stops at their end. A product of the largest values tells, on every
 * system and processor, and with every kernel that ONNX Runtime may choose.
 *
 * @see <a href="https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html">ONNX
 *     Runtime: quantisation, on U8S8 and saturation</a>
 */
final class IntegerSaturation {

  /** Rows, inputs and outputs: enough for the kernels of large products, and odd for their ends. */
  private static final int SIDE = 67;

  private static final int LARGEST_ACTIVATION = 255;
  private static final int LARGEST_WEIGHT = 127;

  private IntegerSaturation() {}

  private static final class OfThisProcessor {
    static final boolean HAPPENS = happens();
  }

  /** Tells whether sums of products can be wrong; tried once a process. */
  static boolean happensHere() {
    return OfThisProcessor.HAPPENS;
  }

  private static boolean happens() {
    OrtEnvironment environment = OnnxEngine.environment();
    SessionSettings settings = new SessionSettings(Device.cpu(), OptionalInt.of(1), false);
    try (OrtSession.SessionOptions options = OnnxEngine.options(settings);
        OrtSession session = environment.createSession(model(), options);
        OnnxTensor activations = bytes(environment, OnnxJavaType.UINT8, (byte) LARGEST_ACTIVATION);
        OnnxTensor weights = bytes(environment, OnnxJavaType.INT8, (byte) LARGEST_WEIGHT);
        OrtSession.Result result =
            session.run(Map.of("activations", activations, "weights", weights))) {
      int[] sums = ((OnnxTensor) result.get(0)).getIntBuffer().array();
      int expected = LARGEST_ACTIVATION * LARGEST_WEIGHT * SIDE;
      return Arrays.stream(sums).anyMatch(sum -> sum != expected);
    } catch (OrtException e) {
      throw OnnxEngine.failed("products of integers could not be tried", e);
    }
  }

  private static OnnxTensor bytes(OrtEnvironment environment, OnnxJavaType type, byte value)
      throws OrtException {
    byte[] values = new byte[SIDE * SIDE];
    Arrays.fill(values, value);
    ByteBuffer direct = ByteBuffer.allocateDirect(values.length).put(values).flip();
    return OnnxTensor.createTensor(environment, direct, new long[] {SIDE, SIDE}, type);
  }

  private static byte[] model() {
    GraphProto.Builder graph =
        GraphProto.newBuilder()
            .setName("products of integers")
            .addInput(OnnxMessages.value("activations", ElementType.U8, SIDE, SIDE))
            .addInput(OnnxMessages.value("weights", ElementType.I8, SIDE, SIDE))
            .addNode(
                OnnxMessages.node(
                    "",
                    "MatMulInteger",
                    "product",
                    List.of("activations", "weights"),
                    List.of("sums")))
            .addOutput(OnnxMessages.value("sums", ElementType.I32, SIDE, SIDE));
    return NetworkGraph.model(graph.build(), NetworkGraph.OPSET).toByteArray();
  }
}
