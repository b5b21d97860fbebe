package io.github.urae.training.internal.plan;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** Says what would fit where a training does not. */
public final class MemoryAdvice {

  private static final int TOKEN_PIXELS = 16;

  private MemoryAdvice() {}

  /**
   * Names what would fit.
   *
   * @param costs as chosen
   * @param textTokens of a caption
   * @param width pixels of the largest picture
   * @param height pixels of the largest picture
   * @param available bytes
   * @return a sentence's end
   */
  public static String of(StepCosts costs, long textTokens, int width, int height, long available) {
    long tokens = (long) (width / TOKEN_PIXELS) * (height / TOKEN_PIXELS);
    StepCosts.Choices now = costs.choices();
    List<String> fitting = new ArrayList<>();
    List<String> all = new ArrayList<>();
    StepCosts.Choices most = now;
    if (costs.batch() > 1) {
      int batch = costs.batch();
      while (batch > 1 && costs.withBatch(batch).bytes(textTokens, tokens) > available) {
        batch--;
      }
      consider(
          "a batch of " + batch, costs.withBatch(batch), textTokens, tokens, available, fitting);
      all.add("a batch of 1");
    }
    if (!now.recomputation()) {
      StepCosts.Choices other =
          new StepCosts.Choices(
              now.bfloat16Base(), now.bfloat16State(), true, now.blockInputsOnHost(), now.host());
      consider("recomputation", costs.with(other), textTokens, tokens, available, fitting);
      all.add("recomputation");
      most = other;
    }
    if (!now.bfloat16Base()) {
      StepCosts.Choices other =
          new StepCosts.Choices(
              true, now.bfloat16State(), now.recomputation(), now.blockInputsOnHost(), now.host());
      consider("a base in bfloat16", costs.with(other), textTokens, tokens, available, fitting);
      all.add("a base in bfloat16");
      most =
          new StepCosts.Choices(
              true,
              most.bfloat16State(),
              most.recomputation(),
              most.blockInputsOnHost(),
              most.host());
    }
    if (!now.host() && !now.blockInputsOnHost()) {
      StepCosts.Choices other =
          new StepCosts.Choices(now.bfloat16Base(), now.bfloat16State(), true, true, now.host());
      consider(
          "block inputs in host memory", costs.with(other), textTokens, tokens, available, fitting);
      all.add("block inputs in host memory");
      most =
          new StepCosts.Choices(most.bfloat16Base(), most.bfloat16State(), true, true, most.host());
    }
    smaller(costs, textTokens, width, height, available)
        .ifPresent(size -> fitting.add("pictures of at most " + size));
    if (!fitting.isEmpty()) {
      return "what would fit: " + String.join(", or ", fitting);
    }
    StepCosts together = costs.withBatch(1).with(most);
    if (!all.isEmpty() && together.bytes(textTokens, tokens) <= available) {
      return "what would fit: " + String.join(" and ", all) + " together";
    }
    Optional<String> size = smaller(together, textTokens, width, height, available);
    return size.map(
            text ->
                "what would fit: "
                    + (all.isEmpty() ? "" : String.join(" and ", all) + " with ")
                    + "pictures of at most "
                    + text)
        .orElse("nothing smaller fits either; free memory, or take another machine");
  }

  private static void consider(
      String name,
      StepCosts costs,
      long textTokens,
      long tokens,
      long available,
      List<String> fitting) {
    long bytes = costs.bytes(textTokens, tokens);
    if (bytes <= available) {
      fitting.add(name + " (" + gigabytes(bytes) + ")");
    }
  }

  /** Of the same shape, in whole tokens. */
  private static Optional<String> smaller(
      StepCosts costs, long textTokens, int width, int height, long available) {
    long tokens = (long) (width / TOKEN_PIXELS) * (height / TOKEN_PIXELS);
    return costs
        .mostImageTokens(textTokens, available)
        .filter(most -> most < tokens)
        .map(most -> Math.sqrt((double) most / tokens))
        .map(
            scale ->
                new int[] {
                  (int) (width * scale) / TOKEN_PIXELS * TOKEN_PIXELS,
                  (int) (height * scale) / TOKEN_PIXELS * TOKEN_PIXELS
                })
        .filter(size -> size[0] > 0 && size[1] > 0)
        .map(size -> size[0] + "x" + size[1] + " pixels");
  }

  /**
   * Writes bytes for people.
   *
   * @param bytes a number of them
   * @return in GB, to a tenth
   */
  public static String gigabytes(long bytes) {
    return String.format(Locale.ROOT, "%.1f GB", bytes / 1e9);
  }
}
