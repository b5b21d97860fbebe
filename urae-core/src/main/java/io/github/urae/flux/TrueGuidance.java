package io.github.urae.flux;

import io.github.urae.InvalidRequestException;
import java.util.List;

/**
 * True classifier-free guidance: the transformer runs twice a step, for the prompt and for a
 * negative prompt, and the difference is amplified: {@code negative + scale * (prompt - negative)}.
 * The embedded guidance scale is told to it both times.
 *
 * @param negativePrompts what not to draw: one for all prompts, or one for each
 * @param scale finite; without effect unless above 1, as in diffusers
 */
public record TrueGuidance(List<String> negativePrompts, double scale) {

  /**
   * The scale where a request in JSON, the command line, the server or the Spring Boot starter is
   * told a negative prompt alone. diffusers' default of 1 switches guidance off, so that the
   * negative prompt is passed over; its example of 4 amplifies what FLUX.1's embedded guidance has
   * amplified already, and coarsens pictures.
   */
  public static final double DEFAULT_SCALE = 2;

  /**
   * Checks that there is a negative prompt and that the scale is finite.
   *
   * @param negativePrompts as above; copied
   * @param scale as above
   */
  public TrueGuidance {
    negativePrompts = List.copyOf(negativePrompts);
    negativePrompts.forEach(
        prompt ->
            TextPrompts.checkLength("true_guidance.negative_prompts", "negative prompt", prompt));
    if (negativePrompts.isEmpty()) {
      throw InvalidRequestException.of(
          "true_guidance.negative_prompts", "negative prompt: expected one or more, found none");
    }
    if (!Double.isFinite(scale)) {
      throw InvalidRequestException.of(
          "true_guidance.scale", "true guidance: expected a finite number, found " + scale);
    }
  }

  /**
   * Tells whether this changes anything.
   *
   * @return whether the scale is above 1
   */
  public boolean active() {
    return scale > 1;
  }

  /**
   * Returns the negative prompt that belongs to a prompt.
   *
   * @param prompt index of the prompt
   * @return its own, or the one for all
   */
  public String negativePrompt(int prompt) {
    return negativePrompts.get(negativePrompts.size() == 1 ? 0 : prompt);
  }

  /**
   * Returns the same for one of the prompts.
   *
   * @param prompt index of the prompt
   * @return guidance away from {@link #negativePrompt} alone
   */
  TrueGuidance only(int prompt) {
    return new TrueGuidance(List.of(negativePrompt(prompt)), scale);
  }
}
