package io.github.urae.spring.ai;

import io.github.urae.flux.Profile;
import io.github.urae.image.ImageFormat;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * What pictures of the image model are like where a prompt's options leave it open.
 *
 * @param options Options of prompts that have none of their own.
 */
@ConfigurationProperties("spring.ai.urae.image")
public record UraeImageProperties(@DefaultValue Options options) {

  /**
   * Options by default.
   *
   * @param n Number of pictures.
   * @param width Width in pixels, a multiple of 16.
   * @param height Height in pixels, a multiple of 16.
   * @param steps Denoising steps.
   * @param guidance Guidance scale.
   * @param seed Seed; random unless set.
   * @param negativePrompt What not to draw; every step takes twice as long.
   * @param trueGuidanceScale Scale of the guidance away from the negative prompt.
   * @param maxSequenceLength Text tokens that T5 sees.
   * @param profile Profile; ultra resolution above the model's native area unless set.
   * @param coarseToFine Whether a draft of native size is drawn first.
   * @param strength How much of the schedule runs on a picture to start from, in (0, 1].
   * @param format Form of the pictures' bytes.
   */
  public record Options(
      Integer n,
      Integer width,
      Integer height,
      Integer steps,
      Double guidance,
      Long seed,
      String negativePrompt,
      Double trueGuidanceScale,
      Integer maxSequenceLength,
      Profile.Choice profile,
      Boolean coarseToFine,
      Double strength,
      ImageFormat format) {

    UraeImageOptions toImageOptions() {
      return UraeImageOptions.builder()
          .n(n)
          .width(width)
          .height(height)
          .steps(steps)
          .guidance(guidance)
          .seed(seed)
          .negativePrompt(negativePrompt)
          .trueGuidanceScale(trueGuidanceScale)
          .maxSequenceLength(maxSequenceLength)
          .profile(profile)
          .coarseToFine(coarseToFine)
          .strength(strength)
          .format(format)
          .build();
    }
  }
}
