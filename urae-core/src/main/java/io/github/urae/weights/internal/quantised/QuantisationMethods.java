package io.github.urae.weights.internal.quantised;

import io.github.urae.internal.PrintableText;
import java.util.Map;

/** Ways to quantise by the names that diffusers' and transformers' configurations give them. */
public final class QuantisationMethods {

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
