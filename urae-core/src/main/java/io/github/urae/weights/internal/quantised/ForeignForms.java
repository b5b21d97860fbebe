package io.github.urae.weights.internal.quantised;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.databind.JsonNode;
import io.github.urae.ModelException;
import io.github.urae.internal.PrintableText;
import io.github.urae.tensor.ElementType;
import io.github.urae.weights.TensorInfo;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Quantised weights that are not read, to be refused by their own name. */
final class ForeignForms {

  /** Kinds by the names of tensors that go with their weights: endings, surest first. */
  private static final List<Map.Entry<String, String>> KINDS =
      List.of(
          Map.entry("._data", "quanto"),
          Map.entry("._qtype", "quanto"),
          Map.entry("._scale", "quanto"),
          Map.entry(":qdata", "torchao"),
          Map.entry("_qdata", "torchao"),
          Map.entry(":int_data", "torchao"),
          Map.entry(".wscales", "SVDQuant, for Nunchaku"),
          Map.entry(".wtscale", "SVDQuant, for Nunchaku"),
          Map.entry(".wcscales", "SVDQuant, for Nunchaku"),
          Map.entry(".smooth_factor", "SVDQuant, for Nunchaku"),
          Map.entry(".smooth_orig", "SVDQuant, for Nunchaku"),
          Map.entry(".qzeros", "GPTQ or AWQ"),
          Map.entry(".g_idx", "GPTQ"),
          Map.entry(".qweight", "SVDQuant, GPTQ or AWQ"),
          Map.entry(".weight_packed", "compressed-tensors"),
          Map.entry(".W_q", "HQQ"),
          Map.entry(".weight_quantizer._amax", "modelopt"),
          Map.entry(".weight_s_rel", "4 bits for ComfyUI"),
          Map.entry(".weight_scale_2", "NVFP4, with separate scales"),
          Map.entry(".weight_scale_inv", "float8 in blocks, with separate scales"),
          Map.entry(".output_scale", "quanto"));

  /** What is left over of bitsandbytes' weights, and of others, whose weight is not there. */
  private static final List<Map.Entry<String, String>> PARTS =
      List.of(
          Map.entry(".nested_absmax", "by bitsandbytes, but not completely: parts are missing"),
          Map.entry(".absmax", "by bitsandbytes, but not completely: parts are missing"),
          Map.entry(".quant_map", "by bitsandbytes, but not completely: parts are missing"),
          Map.entry(".SCB", "by bitsandbytes, but not completely: parts are missing"),
          Map.entry(".zero_point", "with separate zero points, as by SDNQ"),
          Map.entry(".svd_up", "SDNQ"));

  private ForeignForms() {}

  /**
   * Refuses what is known and not supported.
   *
   * @throws ModelException if there is any of it
   */
  static void refuse(StoredTensors tensors) {
    refuseByMetadata(tensors);
    refuse(tensors, KINDS);
  }

  /**
   * Refuses what is no weight in any encoding after all that can be read has been recognised.
   *
   * @throws ModelException if weights are integers of unknown meaning
   */
  static void refuseRest(StoredTensors tensors) {
    refuse(tensors, PARTS);
    for (TensorInfo info : tensors.all().values()) {
      if (!info.encoding().isPlain()) {
        continue;
      }
      switch (info.type()) {
        case F4, F6_E2M3, F6_E3M2, F8_E8M0 ->
            throw StoredTensors.unsupported(info, "microscaling, as MXFP4, MXFP8 or NVFP4");
        case U8, I8, I32, U32, I16, U16, BOOL -> refuseIntegers(tensors, info);
        default -> {
          // Floating-point numbers, or such as position ids, which are 64 bits wide.
        }
      }
    }
  }

  private static void refuseIntegers(StoredTensors tensors, TensorInfo info) {
    if (!info.name().endsWith(".weight")) {
      return;
    }
    String layer = info.name().substring(0, info.name().length() - "weight".length());
    if (tensors.find(layer + "scale").isPresent()) {
      throw StoredTensors.unsupported(info, "integers with separate scales, as by SDNQ");
    }
    boolean packed =
        info.type() == ElementType.U8 && info.shape().rank() == 2 && info.columns() == 1;
    throw StoredTensors.damaged(
        info,
        "expected floating-point weights, found "
            + StoredTensors.describe(info)
            + (packed
                ? ", packed as by bitsandbytes, without the tensors that tell how"
                    + " (quant_state, absmax)"
                : ", quantised without a scale")
            + "; the file is incomplete, or of a kind that is not known: "
            + RecognisedEncodings.WAY_OUT);
  }

  private static void refuse(StoredTensors tensors, List<Map.Entry<String, String>> kinds) {
    for (Map.Entry<String, String> kind : kinds) {
      for (TensorInfo info : tensors.all().values()) {
        if (info.name().endsWith(kind.getKey()) && info.encoding().isPlain()) {
          throw new ModelException(
              info.file()
                  + ": the weights are quantised ("
                  + kind.getValue()
                  + "), which is not supported; "
                  + RecognisedEncodings.WAY_OUT
                  + " (found by tensor "
                  + PrintableText.quoted(info.name())
                  + ")");
        }
      }
    }
  }

  private static void refuseByMetadata(StoredTensors tensors) {
    Map<String, String> metadata = tensors.metadata();
    Optional<String> kind = Optional.empty();
    if (metadata.getOrDefault("model_class", "").startsWith("Nunchaku")) {
      kind = Optional.of("SVDQuant, for Nunchaku");
    } else if (metadata.containsKey("tensor_names")
        && metadata.values().stream().anyMatch(value -> value.contains("\"_type\""))) {
      kind = Optional.of("torchao");
    } else if (metadata.containsKey("quantization_config")) {
      kind = method(metadata.get("quantization_config"));
    }
    if (kind.isPresent() && !tensors.all().isEmpty()) {
      throw new ModelException(
          tensors.all().values().iterator().next().file()
              + ": the weights are quantised ("
              + kind.get()
              + "), which is not supported; "
              + RecognisedEncodings.WAY_OUT
              + " (found by the file's metadata)");
    }
  }

  /** Returns a method that is not supported; none where there is nothing to be understood. */
  private static Optional<String> method(String description) {
    JsonNode tree;
    try {
      tree = StoredTensors.json(description);
    } catch (JacksonException e) {
      return Optional.empty(); // A remark that somebody made: the tensors decide.
    }
    for (String key : List.of("quant_method", "method")) {
      String method = tree.path(key).asText();
      if (!method.isEmpty() && !QuantisationMethods.isRead(method)) {
        return Optional.of(QuantisationMethods.describe(method));
      }
    }
    return Optional.empty();
  }
}
