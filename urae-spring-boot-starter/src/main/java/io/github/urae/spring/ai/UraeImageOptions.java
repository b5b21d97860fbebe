package io.github.urae.spring.ai;

import io.github.urae.InvalidRequestException;
import io.github.urae.flux.CoarseToFine;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.Profile;
import io.github.urae.flux.TrueGuidance;
import io.github.urae.image.ImageFormat;
import io.github.urae.image.RgbImage;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Function;
import org.springframework.ai.image.ImageOptions;

/**
 * What Spring AI's options say, and what else a picture may be asked for. Null stands for what is
 * left open: the image model's own options, and after them the checkpoint, settle it. Immutable.
 *
 * <p>Names of models are not regarded, since there is one; a style is refused, and so is any
 * response format but {@code b64_json}.
 */
public final class UraeImageOptions implements ImageOptions {

  private static final String BASE64 = "b64_json";

  private final Builder values;

  private UraeImageOptions(Builder values) {
    this.values = values;
  }

  /**
   * Starts options.
   *
   * @return a builder with nothing set
   */
  public static Builder builder() {
    return new Builder();
  }

  /**
   * Starts with these options.
   *
   * @return a new builder
   */
  public Builder mutate() {
    return values.copy();
  }

  /**
   * Returns options in which these come first.
   *
   * @param options of any kind; null for none
   * @param defaults what they leave open
   * @return both together
   */
  static UraeImageOptions merge(ImageOptions options, UraeImageOptions defaults) {
    Builder merged = defaults.values.copy();
    if (options == null) {
      return merged.build();
    }
    set(options.getN(), merged::n);
    set(options.getModel(), merged::model);
    set(options.getWidth(), merged::width);
    set(options.getHeight(), merged::height);
    set(options.getResponseFormat(), merged::responseFormat);
    set(options.getStyle(), merged::style);
    if (options instanceof UraeImageOptions own) {
      own.values.copyOwnTo(merged);
    }
    return merged.build();
  }

  private static <T> void set(T value, Consumer<T> setting) {
    if (value != null) {
      setting.accept(value);
    }
  }

  /** Makes a request of a prompt and these options. */
  GenerationRequest request(String prompt) {
    if (values.style != null) {
      throw InvalidRequestException.of(
          "style", "style: expected none, found '" + values.style + "'; put it into the prompt");
    }
    if (values.responseFormat != null && !values.responseFormat.equals(BASE64)) {
      throw InvalidRequestException.of(
          "response_format",
          "response format: expected " + BASE64 + ", found '" + values.responseFormat + "'");
    }
    GenerationRequest.Builder request = GenerationRequest.builder(prompt);
    set(values.n, request::imagesPerPrompt);
    set(values.width, request::width);
    set(values.height, request::height);
    set(values.steps, request::steps);
    set(values.guidance, request::guidance);
    set(values.seed, request::seed);
    set(values.maxSequenceLength, request::maxSequenceLength);
    set(values.profile, request::profile);
    boolean coarse = Boolean.TRUE.equals(values.coarseToFine);
    if (values.initialImage != null) {
      if (coarse) {
        throw InvalidRequestException.of(
            "start", "start: expected an initial image or coarse to fine, found both");
      }
      request.initialImage(
          values.initialImage, Objects.requireNonNullElse(values.strength, Builder.STRENGTH));
    }
    if (coarse) {
      request.coarseToFine(CoarseToFine.defaults());
    }
    if (values.negativePrompt != null) {
      request.trueGuidance(
          values.negativePrompt,
          Objects.requireNonNullElse(values.trueGuidanceScale, TrueGuidance.DEFAULT_SCALE));
    }
    return request.build();
  }

  @Override
  public Integer getN() {
    return values.n;
  }

  @Override
  public String getModel() {
    return values.model;
  }

  @Override
  public Integer getWidth() {
    return values.width;
  }

  @Override
  public Integer getHeight() {
    return values.height;
  }

  @Override
  public String getResponseFormat() {
    return values.responseFormat;
  }

  @Override
  public String getStyle() {
    return values.style;
  }

  /**
   * Returns the number of denoising steps.
   *
   * @return at least 1; null if left open
   */
  public Integer getSteps() {
    return values.steps;
  }

  /**
   * Returns the guidance scale.
   *
   * @return null if left open
   */
  public Double getGuidance() {
    return values.guidance;
  }

  /**
   * Returns the seed.
   *
   * @return null for a random one
   */
  public Long getSeed() {
    return values.seed;
  }

  /**
   * Returns what not to draw.
   *
   * @return null if nothing was named
   */
  public String getNegativePrompt() {
    return values.negativePrompt;
  }

  /**
   * Returns the scale of true guidance away from the negative prompt.
   *
   * @return null if left open
   */
  public Double getTrueGuidanceScale() {
    return values.trueGuidanceScale;
  }

  /**
   * Returns the number of text tokens that T5 sees.
   *
   * @return null if left open
   */
  public Integer getMaxSequenceLength() {
    return values.maxSequenceLength;
  }

  /**
   * Returns the profile.
   *
   * @return null if left open
   */
  public Profile.Choice getProfile() {
    return values.profile;
  }

  /**
   * Returns whether a draft of native size is drawn first.
   *
   * @return null if left open
   */
  public Boolean getCoarseToFine() {
    return values.coarseToFine;
  }

  /**
   * Returns the picture to start from.
   *
   * @return null for noise
   */
  public RgbImage getInitialImage() {
    return values.initialImage;
  }

  /**
   * Returns how much of the schedule runs on the picture to start from.
   *
   * @return in (0, 1]; null if left open
   */
  public Double getStrength() {
    return values.strength;
  }

  /**
   * Returns the form of the pictures' bytes.
   *
   * @return PNG unless another was set
   */
  public ImageFormat getFormat() {
    return Optional.ofNullable(values.format).orElse(ImageFormat.PNG);
  }

  /** Collects options. Not thread-safe. */
  public static final class Builder {

    private static final double STRENGTH = 0.6;

    private Integer n;
    private String model;
    private Integer width;
    private Integer height;
    private String responseFormat;
    private String style;
    private Integer steps;
    private Double guidance;
    private Long seed;
    private String negativePrompt;
    private Double trueGuidanceScale;
    private Integer maxSequenceLength;
    private Profile.Choice profile;
    private Boolean coarseToFine;
    private RgbImage initialImage;
    private Double strength;
    private ImageFormat format;

    private Builder() {}

    private Builder copy() {
      Builder copy = new Builder();
      copy.n = n;
      copy.model = model;
      copy.width = width;
      copy.height = height;
      copy.responseFormat = responseFormat;
      copy.style = style;
      copyOwnTo(copy);
      return copy;
    }

    /** Sets there what is set here and not among Spring AI's options. */
    private void copyOwnTo(Builder target) {
      target.steps = first(b -> b.steps, target);
      target.guidance = first(b -> b.guidance, target);
      target.seed = first(b -> b.seed, target);
      target.negativePrompt = first(b -> b.negativePrompt, target);
      target.trueGuidanceScale = first(b -> b.trueGuidanceScale, target);
      target.maxSequenceLength = first(b -> b.maxSequenceLength, target);
      target.profile = first(b -> b.profile, target);
      target.coarseToFine = first(b -> b.coarseToFine, target);
      target.initialImage = first(b -> b.initialImage, target);
      target.strength = first(b -> b.strength, target);
      target.format = first(b -> b.format, target);
    }

    private <T> T first(Function<Builder, T> value, Builder other) {
      T own = value.apply(this);
      return own == null ? value.apply(other) : own;
    }

    /**
     * Sets the number of pictures.
     *
     * @param value at least 1
     * @return this
     */
    public Builder n(Integer value) {
      n = value;
      return this;
    }

    /**
     * Sets the name of the model, which observations tell.
     *
     * @param value any
     * @return this
     */
    public Builder model(String value) {
      model = value;
      return this;
    }

    /**
     * Sets the width.
     *
     * @param pixels a positive multiple of 16
     * @return this
     */
    public Builder width(Integer pixels) {
      width = pixels;
      return this;
    }

    /**
     * Sets the height.
     *
     * @param pixels a positive multiple of 16
     * @return this
     */
    public Builder height(Integer pixels) {
      height = pixels;
      return this;
    }

    /**
     * Sets how pictures are returned.
     *
     * @param value {@code b64_json}
     * @return this
     */
    public Builder responseFormat(String value) {
      responseFormat = value;
      return this;
    }

    /** Only options of others have one, and it is refused. */
    private Builder style(String value) {
      style = value;
      return this;
    }

    /**
     * Sets the number of denoising steps.
     *
     * @param value at least 1
     * @return this
     */
    public Builder steps(Integer value) {
      steps = value;
      return this;
    }

    /**
     * Sets the guidance scale.
     *
     * @param value finite, usually 1 to 5
     * @return this
     */
    public Builder guidance(Double value) {
      guidance = value;
      return this;
    }

    /**
     * Sets the seed, so that the same prompt draws the same picture.
     *
     * @param value any
     * @return this
     */
    public Builder seed(Long value) {
      seed = value;
      return this;
    }

    /**
     * Sets what not to draw; every step takes twice as long.
     *
     * @param value a prompt
     * @return this
     */
    public Builder negativePrompt(String value) {
      negativePrompt = value;
      return this;
    }

    /**
     * Sets how strongly the picture is guided away from the negative prompt.
     *
     * @param value above 1, or it has no effect; {@value TrueGuidance#DEFAULT_SCALE} unless set
     * @return this
     */
    public Builder trueGuidanceScale(Double value) {
      trueGuidanceScale = value;
      return this;
    }

    /**
     * Sets the number of text tokens that T5 sees.
     *
     * @param value at least 1, at most the checkpoint's limit
     * @return this
     */
    public Builder maxSequenceLength(Integer value) {
      maxSequenceLength = value;
      return this;
    }

    /**
     * Chooses a profile.
     *
     * @param value by default ultra resolution above the checkpoint's native area
     * @return this
     */
    public Builder profile(Profile.Choice value) {
      profile = value;
      return this;
    }

    /**
     * Draws a draft of native size first.
     *
     * @param value whether to; not together with a picture to start from
     * @return this
     */
    public Builder coarseToFine(Boolean value) {
      coarseToFine = value;
      return this;
    }

    /**
     * Starts from a picture.
     *
     * @param value of any size
     * @return this
     */
    public Builder initialImage(RgbImage value) {
      initialImage = value;
      return this;
    }

    /**
     * Sets how much of the schedule runs on the picture to start from.
     *
     * @param value in (0, 1]; 0.6 unless set
     * @return this
     */
    public Builder strength(Double value) {
      strength = value;
      return this;
    }

    /**
     * Sets the form of the pictures' bytes.
     *
     * @param value PNG unless set
     * @return this
     */
    public Builder format(ImageFormat value) {
      format = value;
      return this;
    }

    /**
     * Completes the options. They are checked when a picture is asked for.
     *
     * @return the options
     */
    public UraeImageOptions build() {
      return new UraeImageOptions(copy());
    }
  }
}
