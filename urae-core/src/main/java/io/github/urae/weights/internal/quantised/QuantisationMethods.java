package io.github.urae.weights.internal.quantised;

import io.github.urae.ModelException;
import io.github.urae.internal.JsonConfig;
import io.github.urae.internal.PrintableText;
import java.util.Map;
import java.util.Optional;

/** Ways to quantise by the names that diffusers' and transformers' configurations give them. */
public final class QuantisationMethods {

  private static final String KEY = "quantization_config";

  private static final Map<String, String> NAMES =
      Map.ofEntries(
          Map.entry("svdquant", "SVDQuant, for Nunchaku"),
          Map.entry("nunchaku", "SVDQuant, for Nunchaku"),
          Map.entry("nunchaku_lite", "SVDQuant, for Nunchaku"),
          Map.entry("auto-round", "AutoRound"),
          Map.entry("sdnq", "SDNQ"),
          Map.entry("gptq", "GPTQ"),
          Map.entry("awq", "AWQ"),
          Map.entry("modelopt", "NVIDIA's modelopt"));

  private QuantisationMethods() {}

  /**
   * Makes sure that a configuration is not one of weights that are not read.
   *
   * @param config of a network, with or without a {@code quantization_config}
   * @return the same
   * @throws ModelException if the weights are quantised in a way that is not supported
   */
  public static JsonConfig checked(JsonConfig config) {
    if (config.has(KEY)) {
      Optional<String> method = config.object(KEY).text("quant_method");
      if (method.isPresent() && !isRead(method.get())) {
        throw new ModelException(
            config.file()
                + ": '"
                + KEY
                + "': the weights are quantised ("
                + describe(method.get())
                + "), which is not supported; "
                + RecognisedEncodings.WAY_OUT);
      }
    }
    return config;
  }

  /**
   * Tells whether weights of a method are read.
   *
   * @param method as in {@code quant_method}
   * @return true for bitsandbytes
   */
  public static boolean isRead(String method) {
    return method.equals("bitsandbytes");
  }

  /**
   * Returns the name that people know a method by.
   *
   * @param method as in {@code quant_method}
   * @return for messages
   */
  public static String describe(String method) {
    return NAMES.getOrDefault(method, PrintableText.shortened(method));
  }
}
