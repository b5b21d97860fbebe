package io.github.urae.weights.internal.gguf;

import io.github.urae.ModelException;
import io.github.urae.internal.PrintableText;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;

/** The types of ggml that are not read, to be refused by their names. */
final class OtherGgmlTypes {

  private static final Map<Integer, String> NAMES =
      Map.ofEntries(
          Map.entry(4, "Q4_2"),
          Map.entry(5, "Q4_3"),
          Map.entry(9, "Q8_1"),
          Map.entry(15, "Q8_K"),
          Map.entry(16, "IQ2_XXS"),
          Map.entry(17, "IQ2_XS"),
          Map.entry(18, "IQ3_XXS"),
          Map.entry(19, "IQ1_S"),
          Map.entry(21, "IQ3_S"),
          Map.entry(22, "IQ2_S"),
          Map.entry(24, "I8"),
          Map.entry(25, "I16"),
          Map.entry(26, "I32"),
          Map.entry(27, "I64"),
          Map.entry(29, "IQ1_M"),
          Map.entry(31, "Q4_0_4_4"),
          Map.entry(32, "Q4_0_4_8"),
          Map.entry(33, "Q4_0_8_8"),
          Map.entry(34, "TQ1_0"),
          Map.entry(35, "TQ2_0"),
          Map.entry(36, "IQ4_NL_4_4"),
          Map.entry(37, "IQ4_NL_4_8"),
          Map.entry(38, "IQ4_NL_8_8"),
          Map.entry(39, "MXFP4"),
          Map.entry(40, "NVFP4"),
          Map.entry(41, "Q1_0"));

  private static final Set<Integer> REMOVED = Set.of(4, 5, 31, 32, 33, 36, 37, 38);

  private OtherGgmlTypes() {}

  static boolean isInteger(int type) {
    return type >= 24 && type <= 27;
  }

  static ModelException refused(Path file, String tensor, int type) {
    String found = "type " + Integer.toUnsignedString(type) + ", which is unknown";
    String name = NAMES.get(type);
    if (name != null) {
      found = name + " (type " + type + ")";
      if (REMOVED.contains(type)) {
        found += ", which ggml has removed";
      } else if (isInteger(type)) {
        found += ", integers without a scale";
      } else {
        found += ", which is not supported";
      }
    }
    return new ModelException(
        file
            + ": tensor "
            + PrintableText.quoted(tensor)
            + ": expected weights in F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q2_K to Q6_K,"
            + " IQ4_NL or IQ4_XS, found "
            + found
            + "; take a file of the same model in one of these");
  }
}
