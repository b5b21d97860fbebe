package io.github.urae.onnx.internal.session;

import ai.onnxruntime.NodeInfo;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtException.OrtErrorCode;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.TensorInfo;
import io.github.urae.device.Device;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The memory that ONNX Runtime keeps for a session's next run: what one run took and no longer
 * uses. Each session has its own, apart from its weights. Thread-safe.
 *
 * @param place where it lies, as ONNX Runtime's run options name it
 */
record MemoryArena(String place) {

  private static final Logger LOG = LoggerFactory.getLogger(MemoryArena.class);

  private static final String SHRINKAGE = "memory.enable_memory_arena_shrinkage";

  /**
   * Returns the one that a network must not keep while others work: a GPU's, which is small and
   * cannot be swapped out. On a processor it stays for the next picture.
   */
  static Optional<MemoryArena> toShareOn(Device device) {
    return device instanceof Device.Cuda cuda
        ? Optional.of(new MemoryArena("gpu:" + cuda.index()))
        : Optional.empty();
  }

  /**
   * Gives back what no run uses at present. ONNX Runtime does so at the end of a run only, also of
   * one that is told to stop before its first operator: this is one of those.
   *
   * @throws OrtException if there is no such place
   */
  void shrink(OrtEnvironment environment, OrtSession session) throws OrtException {
    try (OrtSession.RunOptions options = new OrtSession.RunOptions()) {
      options.addRunConfigEntry(SHRINKAGE, place);
      options.setTerminate(true);
      Map.Entry<String, NodeInfo> input = session.getInputInfo().entrySet().iterator().next();
      try (OnnxTensor something = smallest(environment, (TensorInfo) input.getValue().getInfo());
          OrtSession.Result none = session.run(Map.of(input.getKey(), something), options)) {
        LOG.debug("A run was to stop before its first operator, and gave {}", none);
      }
    } catch (OrtException e) {
      // What ONNX Runtime says of runs that were stopped; what it cannot do it says before.
      if (e.getCode() != OrtErrorCode.ORT_FAIL) {
        throw e;
      }
    }
  }

  private static OnnxTensor smallest(OrtEnvironment environment, TensorInfo input)
      throws OrtException {
    long[] shape = Arrays.stream(input.getShape()).map(size -> Math.max(1, size)).toArray();
    long bytes = Arrays.stream(shape).reduce(input.type.size, Math::multiplyExact);
    ByteBuffer zeros =
        ByteBuffer.allocateDirect(Math.toIntExact(bytes)).order(ByteOrder.nativeOrder());
    return OnnxTensor.createTensor(environment, zeros, shape, input.type);
  }
}
