package io.github.urae.weights.internal;

import io.github.urae.ModelException;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.WeightEncodingProvider;
import java.util.List;
import java.util.Map;
import java.util.ServiceLoader;

/** The tensors of a file in those encodings that its format does not name. */
public final class RecognisedEncodings {

  /** What programs call the scales of float8 weights, and of what these are multiplied with. */
  private static final List<String> SCALES =
      List.of(".scale_weight", ".weight_scale", ".scale_input", ".input_scale");

  private RecognisedEncodings() {}

  /**
   * Asks all providers.
   *
   * @param stored tensors as the file's format describes them
   * @return the tensors in their encodings; the same map where none is recognised
   * @throws ModelException if weights are meaningless without scales that no provider knows
   */
  public static Map<String, TensorInfo> of(TensorSource stored) {
    Map<String, TensorInfo> tensors = stored.tensors();
    for (WeightEncodingProvider provider :
        ServiceLoader.load(
            WeightEncodingProvider.class, WeightEncodingProvider.class.getClassLoader())) {
      tensors = provider.recognise(tensors, stored.metadata());
    }
    tensors.values().forEach(RecognisedEncodings::refuseScales);
    return tensors;
  }

  private static void refuseScales(TensorInfo info) {
    for (String scale : SCALES) {
      if (info.name().endsWith(scale)) {
        throw new ModelException(
            info.file()
                + ": tensor '"
                + info.name()
                + "': weights with separate scales are not supported; use a checkpoint in bfloat16"
                + " or float32");
      }
    }
  }
}
