package io.github.urae.weights.internal;

import io.github.urae.ModelException;
import io.github.urae.internal.PrintableText;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.WeightEncodingProvider;
import java.util.List;
import java.util.Map;
import java.util.ServiceLoader;

/** The tensors of a file in those encodings that its format does not name. */
public final class RecognisedEncodings {

  /** Kinds by the names of tensors that go with their weights: endings, surest first. */
  private static final List<Map.Entry<String, String>> QUANTISED =
      List.of(
          Map.entry(".quant_state.bitsandbytes__nf4", "NF4 by bitsandbytes"),
          Map.entry(".quant_state.bitsandbytes__fp4", "FP4 by bitsandbytes"),
          Map.entry(".nested_absmax", "four bits by bitsandbytes"),
          Map.entry(".absmax", "four bits by bitsandbytes"),
          Map.entry(".quant_map", "four bits by bitsandbytes"),
          Map.entry(".SCB", "eight bits by bitsandbytes"),
          Map.entry("._data", "quanto"),
          Map.entry("._qtype", "quanto"),
          Map.entry("._scale", "quanto"),
          Map.entry(":qdata", "torchao"),
          Map.entry("_weight_qdata", "torchao"),
          Map.entry(".weight_qdata", "torchao"),
          Map.entry(":int_data", "torchao"),
          Map.entry(".wscales", "SVDQuant, for Nunchaku"),
          Map.entry(".wtscale", "SVDQuant, for Nunchaku"),
          Map.entry(".smooth_factor", "SVDQuant, for Nunchaku"),
          Map.entry(".smooth_orig", "SVDQuant, for Nunchaku"),
          Map.entry(".qzeros", "GPTQ or AWQ"),
          Map.entry(".g_idx", "GPTQ"),
          Map.entry(".qweight", "SVDQuant, GPTQ or AWQ"),
          Map.entry(".comfy_quant", "ComfyUI, with separate scales"),
          Map.entry("scaled_fp8", "ComfyUI's scaled float8, with separate scales"),
          Map.entry(".scale_weight", "ComfyUI's scaled float8, with separate scales"),
          Map.entry(".scale_input", "ComfyUI's scaled float8, with separate scales"),
          Map.entry(".weight_scale_2", "NVFP4, with separate scales"),
          Map.entry(".weight_scale", "float8 with separate scales"),
          Map.entry(".input_scale", "float8 with separate scales"));

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
    refuseQuantised(tensors);
    return tensors;
  }

  private static void refuseQuantised(Map<String, TensorInfo> tensors) {
    for (Map.Entry<String, String> kind : QUANTISED) {
      for (TensorInfo info : tensors.values()) {
        if (info.name().endsWith(kind.getKey())) {
          throw new ModelException(
              info.file()
                  + ": the weights are quantised ("
                  + kind.getValue()
                  + "), which is not supported; use a checkpoint in bfloat16, float16 or float32"
                  + " (found by tensor "
                  + PrintableText.quoted(info.name())
                  + ")");
        }
      }
    }
  }
}
