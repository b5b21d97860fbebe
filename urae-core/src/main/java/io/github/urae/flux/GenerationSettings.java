package io.github.urae.flux;

import io.github.urae.adapter.AdapterSpec;
import io.github.urae.flux.model.internal.Checkpoint;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.stream.Collectors;

/**
 * Everything that a picture was made with, so that it can be made again.
 *
 * @param model name of the checkpoint, {@link Checkpoint#name()}
 * @param prompt what CLIP, and T5 unless told otherwise, read; empty if embeddings were given
 * @param secondPrompt what T5 read, if another
 * @param width pixels
 * @param height pixels
 * @param steps denoising steps
 * @param guidance guidance scale; empty where the transformer takes none
 * @param seed seed of the noise; empty if latents were given
 * @param seedIndex which image of those drawn from this seed, from 0
 * @param seedImages how many images were drawn from this seed together
 * @param textTokens number of text tokens
 * @param profile the profile with its numbers
 * @param start what it started from, if not from noise alone
 * @param negative what it was guided away from, if anything
 * @param vaeInTiles whether it was decoded tile by tile
 * @param adapters the adapters, in order; immutable
 * @param device where it was drawn
 * @param elementType element type of the transformer
 */
public record GenerationSettings(
    String model,
    Optional<String> prompt,
    Optional<String> secondPrompt,
    int width,
    int height,
    int steps,
    OptionalDouble guidance,
    OptionalLong seed,
    int seedIndex,
    int seedImages,
    int textTokens,
    Profile profile,
    Optional<Start> start,
    Optional<Negative> negative,
    boolean vaeInTiles,
    List<AdapterUse> adapters,
    String device,
    String elementType) {

  /**
   * What a picture started from.
   *
   * @param from the start image or draft, in words
   * @param strength share of the schedule that ran, in (0, 1]
   * @param stepsRun how many of the steps that was
   */
  public record Start(String from, double strength, int stepsRun) {}

  /**
   * What a picture was guided away from.
   *
   * @param prompt the negative prompt
   * @param scale scale of true guidance, above 1
   */
  public record Negative(String prompt, double scale) {}

  /**
   * An adapter that a picture was made with.
   *
   * @param name the file's name, without telling where it lies
   * @param scale what its change was multiplied by
   */
  public record AdapterUse(String name, double scale) {

    /**
     * Describes an adapter.
     *
     * @param spec a file and a scale
     * @return its name and scale
     */
    public static AdapterUse of(AdapterSpec spec) {
      return new AdapterUse(spec.path().getFileName().toString(), spec.scale());
    }

    /** Returns the adapter as in {@code NAME=SCALE}. */
    @Override
    public String toString() {
      return name + "=" + scale;
    }
  }

  /**
   * Returns the settings as text, as they stand in a PNG's text chunks.
   *
   * @return keys and values, in order
   */
  public Map<String, String> asText() {
    Map<String, String> text = new LinkedHashMap<>();
    text.put("Software", "urae");
    prompt.ifPresent(value -> text.put("prompt", value));
    secondPrompt.ifPresent(value -> text.put("prompt_2", value));
    text.put("model", model);
    text.put("width", Integer.toString(width));
    text.put("height", Integer.toString(height));
    text.put("steps", Integer.toString(steps));
    guidance.ifPresent(value -> text.put("guidance", Double.toString(value)));
    seed.ifPresent(
        value -> {
          text.put("seed", Long.toString(value));
          text.put("image", seedIndex + " of " + seedImages);
        });
    text.put("max_sequence_length", Integer.toString(textTokens));
    text.put("profile", profile.name());
    text.put("shift", describe(profile.shift()));
    text.put("ntk_factor", Double.toString(profile.ntkFactor()));
    text.put("proportional_attention", Boolean.toString(profile.proportionalAttention()));
    text.put("native_tokens", Long.toString(profile.nativeTokens()));
    start.ifPresent(
        value -> {
          text.put("start", value.from());
          text.put("strength", Double.toString(value.strength()));
          text.put("steps_run", Integer.toString(value.stepsRun()));
        });
    negative.ifPresent(
        value -> {
          text.put("negative_prompt", value.prompt());
          text.put("true_cfg", Double.toString(value.scale()));
        });
    text.put("vae", vaeInTiles ? "tiles" : "whole");
    if (!adapters.isEmpty()) {
      // One a line, in order: file names may hold commas.
      text.put(
          "adapters",
          adapters.stream().map(AdapterUse::toString).collect(Collectors.joining("\n")));
    }
    text.put("device", device);
    text.put("element_type", elementType);
    return text;
  }

  private static String describe(TimestepShift shift) {
    if (shift instanceof TimestepShift.Static fixed) {
      return "static " + fixed.shift();
    }
    TimestepShift.Dynamic dynamic = (TimestepShift.Dynamic) shift;
    return "dynamic "
        + dynamic.baseShift()
        + " at "
        + dynamic.baseTokens()
        + " tokens, "
        + dynamic.maxShift()
        + " at "
        + dynamic.maxTokens();
  }
}
