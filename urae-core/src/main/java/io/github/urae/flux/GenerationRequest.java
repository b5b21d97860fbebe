package io.github.urae.flux;

import io.github.urae.InvalidRequestException;
import io.github.urae.flux.model.internal.SchedulerConfig;
import io.github.urae.image.RgbImage;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Tensor;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.stream.LongStream;

/**
 * All that one generation depends on besides the checkpoint. What is not set comes from the
 * checkpoint. Immutable, and may be used again.
 *
 * <p>Several prompts, several images for each, or both make a batch; prompts vary slowest. One seed
 * draws the noise of the whole batch in one go, as diffusers does with one generator; one seed an
 * image draws each by itself.
 */
public final class GenerationRequest {

  private final List<String> prompts;
  private final List<String> secondPrompts;
  private final PromptEmbeddings embeddings;
  private final OptionalInt width;
  private final OptionalInt height;
  private final OptionalInt steps;
  private final OptionalDouble guidance;
  private final List<Long> seeds;
  private final int imagesPerPrompt;
  private final int batchSize;
  private final OptionalInt maxSequenceLength;
  private final Profile.Choice profile;
  private final TimestepShift shift;
  private final OptionalDouble ntkFactor;
  private final Boolean proportionalAttention;
  private final OptionalLong nativeTokens;
  private final Tensor latents;
  private final StartImage startImage;
  private final CoarseToFine coarseToFine;
  private final TrueGuidance trueGuidance;
  private final VaeTiling vaeTiling;

  private GenerationRequest(Builder builder) {
    prompts = List.copyOf(builder.prompts);
    secondPrompts = List.copyOf(builder.secondPrompts);
    embeddings = builder.embeddings;
    width = builder.width;
    height = builder.height;
    steps = builder.steps;
    guidance = builder.guidance;
    seeds = List.copyOf(builder.seeds);
    imagesPerPrompt = builder.imagesPerPrompt;
    batchSize = builder.batchSize;
    maxSequenceLength = builder.maxSequenceLength;
    profile = builder.profile;
    shift = builder.shift;
    ntkFactor = builder.ntkFactor;
    proportionalAttention = builder.proportionalAttention;
    nativeTokens = builder.nativeTokens;
    latents = builder.latents;
    startImage = builder.startImage;
    coarseToFine = builder.coarseToFine;
    trueGuidance = builder.trueGuidance;
    vaeTiling = builder.vaeTiling;
    check();
  }

  private void check() {
    if (prompts.isEmpty() == (embeddings == null)) {
      throw new InvalidRequestException(
          "prompt: expected prompts or embeddings, found "
              + (embeddings == null ? "neither" : "both"));
    }
    if (!secondPrompts.isEmpty() && secondPrompts.size() != prompts.size()) {
      throw new InvalidRequestException(
          "second prompts: expected one for each of "
              + prompts.size()
              + " prompts, found "
              + secondPrompts.size());
    }
    atLeastOne("steps", steps);
    atLeastOne("images per prompt", OptionalInt.of(imagesPerPrompt));
    atLeastOne("batch size", OptionalInt.of(batchSize));
    atLeastOne("T5 sequence length", maxSequenceLength);
    if (guidance.isPresent() && !Double.isFinite(guidance.getAsDouble())) {
      throw new InvalidRequestException(
          "guidance: expected a finite number, found " + guidance.getAsDouble());
    }
    checkStart();
    checkNegativePrompts();
    int images = Math.multiplyExact(promptCount(), imagesPerPrompt);
    if (seeds.size() > 1 && seeds.size() != images) {
      throw new InvalidRequestException(
          "seeds: expected one, or one for each of " + images + " images, found " + seeds.size());
    }
    if (latents != null
        && (latents.type() != ElementType.F32
            || latents.shape().rank() != 3
            || latents.shape().dimension(0) != images)) {
      throw new InvalidRequestException(
          "latents: expected float32 ["
              + images
              + ", tokens, 64], found "
              + latents.type()
              + latents.shape());
    }
  }

  private void checkStart() {
    Map<String, Object> starts = new LinkedHashMap<>();
    starts.put("latents", latents);
    starts.put("start image", startImage);
    starts.put("coarse to fine", coarseToFine);
    starts.values().removeIf(Objects::isNull);
    if (starts.size() > 1) {
      throw new InvalidRequestException(
          "start: expected one of latents, start image and coarse to fine, found "
              + String.join(" and ", starts.keySet()));
    }
  }

  private void checkNegativePrompts() {
    int negatives = trueGuidance == null ? 1 : trueGuidance.negativePrompts().size();
    if (negatives != 1 && negatives != promptCount()) {
      throw new InvalidRequestException(
          "negative prompts: expected one, or one for each of "
              + promptCount()
              + " prompts, found "
              + negatives);
    }
  }

  private static void atLeastOne(String name, OptionalInt value) {
    if (value.isPresent() && value.getAsInt() < 1) {
      throw new InvalidRequestException(name + ": expected 1 or more, found " + value.getAsInt());
    }
  }

  /**
   * Starts a request for a prompt.
   *
   * @param prompt what to draw; may be empty text
   * @return a builder with nothing else set
   */
  public static Builder builder(String prompt) {
    return builder(List.of(prompt));
  }

  /**
   * Starts a request for several prompts.
   *
   * @param prompts what to draw, one or more
   * @return a builder with nothing else set
   */
  public static Builder builder(List<String> prompts) {
    Builder builder = new Builder();
    builder.prompts = prompts;
    return builder;
  }

  /**
   * Starts a request for prompts that were encoded before.
   *
   * @param embeddings from the same checkpoint's text encoders
   * @return a builder with nothing else set
   */
  public static Builder builder(PromptEmbeddings embeddings) {
    Builder builder = new Builder();
    builder.embeddings = Objects.requireNonNull(embeddings, "embeddings");
    return builder;
  }

  /**
   * Returns the prompts.
   *
   * @return immutable; empty if embeddings are given
   */
  public List<String> prompts() {
    return prompts;
  }

  /**
   * Returns the prompts for T5.
   *
   * @return immutable, as many as prompts; empty if T5 reads the same prompts as CLIP
   */
  public List<String> secondPrompts() {
    return secondPrompts;
  }

  /**
   * Returns the encoded prompts.
   *
   * @return empty if prompts are given
   */
  public Optional<PromptEmbeddings> embeddings() {
    return Optional.ofNullable(embeddings);
  }

  /**
   * Returns the number of prompts, encoded or not.
   *
   * @return at least 1
   */
  public int promptCount() {
    return embeddings == null ? prompts.size() : embeddings.prompts();
  }

  /**
   * Returns the width.
   *
   * @return pixels; empty for the checkpoint's native size
   */
  public OptionalInt width() {
    return width;
  }

  /**
   * Returns the height.
   *
   * @return pixels; empty for the checkpoint's native size
   */
  public OptionalInt height() {
    return height;
  }

  /**
   * Returns the number of denoising steps.
   *
   * @return at least 1; empty for 28, or 4 where the transformer has no guidance embedding
   */
  public OptionalInt steps() {
    return steps;
  }

  /**
   * Returns the guidance scale.
   *
   * @return empty for 3.5
   */
  public OptionalDouble guidance() {
    return guidance;
  }

  /**
   * Returns the seeds.
   *
   * @return immutable: none for a random one, one for the whole batch, or one an image
   */
  public List<Long> seeds() {
    return seeds;
  }

  /**
   * Returns the number of images of each prompt.
   *
   * @return at least 1
   */
  public int imagesPerPrompt() {
    return imagesPerPrompt;
  }

  /**
   * Returns how many images are denoised at once.
   *
   * @return at least 1
   */
  public int batchSize() {
    return batchSize;
  }

  /**
   * Returns the number of text tokens.
   *
   * @return at least 1; empty for the checkpoint's own
   */
  public OptionalInt maxSequenceLength() {
    return maxSequenceLength;
  }

  /**
   * Returns the start latents.
   *
   * @return packed noise, float32 [images, tokens, 64]; empty to draw it from the seed
   */
  public Optional<Tensor> latents() {
    return Optional.ofNullable(latents);
  }

  /**
   * Returns the picture to start from.
   *
   * @return empty to start from noise
   */
  public Optional<StartImage> startImage() {
    return Optional.ofNullable(startImage);
  }

  /**
   * Returns how the picture is drawn in two passes.
   *
   * @return empty to draw it in one
   */
  public Optional<CoarseToFine> coarseToFine() {
    return Optional.ofNullable(coarseToFine);
  }

  /**
   * Returns what the picture is guided away from.
   *
   * @return empty unless that was set and changes anything
   */
  public Optional<TrueGuidance> trueGuidance() {
    return Optional.ofNullable(trueGuidance).filter(TrueGuidance::active);
  }

  /**
   * Returns whether the autoencoder works tile by tile.
   *
   * @return never null
   */
  public VaeTiling vaeTiling() {
    return vaeTiling;
  }

  /**
   * Settles the profile for a picture.
   *
   * @param scheduler the checkpoint's scheduler configuration
   * @param checkpointNativeTokens the checkpoint's native tokens
   * @param aboveNativeArea whether the picture is larger than the checkpoint's native area
   * @return the chosen profile with every number the user set
   */
  public Profile profile(
      SchedulerConfig scheduler, long checkpointNativeTokens, boolean aboveNativeArea) {
    boolean ultra =
        profile == Profile.Choice.ULTRA || (profile == Profile.Choice.AUTO && aboveNativeArea);
    long tokens = nativeTokens.orElse(checkpointNativeTokens);
    Profile base = ultra ? Profile.ultra(scheduler, tokens) : Profile.standard(scheduler, tokens);
    return new Profile(
        base.name(),
        shift == null ? base.shift() : shift,
        ntkFactor.orElse(base.ntkFactor()),
        proportionalAttention == null ? base.proportionalAttention() : proportionalAttention,
        tokens);
  }

  /** Collects the settings of a request. Not thread-safe. */
  public static final class Builder {

    private List<String> prompts = List.of();
    private List<String> secondPrompts = List.of();
    private PromptEmbeddings embeddings;
    private OptionalInt width = OptionalInt.empty();
    private OptionalInt height = OptionalInt.empty();
    private OptionalInt steps = OptionalInt.empty();
    private OptionalDouble guidance = OptionalDouble.empty();
    private List<Long> seeds = List.of();
    private int imagesPerPrompt = 1;
    private int batchSize = 1;
    private OptionalInt maxSequenceLength = OptionalInt.empty();
    private Profile.Choice profile = Profile.Choice.AUTO;
    private TimestepShift shift;
    private OptionalDouble ntkFactor = OptionalDouble.empty();
    private Boolean proportionalAttention;
    private OptionalLong nativeTokens = OptionalLong.empty();
    private Tensor latents;
    private StartImage startImage;
    private CoarseToFine coarseToFine;
    private TrueGuidance trueGuidance;
    private VaeTiling vaeTiling = VaeTiling.AUTO;

    private Builder() {}

    /**
     * Gives T5 prompts of its own; CLIP keeps the first ones.
     *
     * @param value one for each prompt
     * @return this
     */
    public Builder secondPrompts(String... value) {
      secondPrompts = List.of(value);
      return this;
    }

    /**
     * Sets the size of the pictures.
     *
     * @param widthInPixels a positive multiple of 16
     * @param heightInPixels a positive multiple of 16
     * @return this
     */
    public Builder size(int widthInPixels, int heightInPixels) {
      width = OptionalInt.of(widthInPixels);
      height = OptionalInt.of(heightInPixels);
      return this;
    }

    /**
     * Sets the width alone.
     *
     * @param pixels a positive multiple of 16
     * @return this
     */
    public Builder width(int pixels) {
      width = OptionalInt.of(pixels);
      return this;
    }

    /**
     * Sets the height alone.
     *
     * @param pixels a positive multiple of 16
     * @return this
     */
    public Builder height(int pixels) {
      height = OptionalInt.of(pixels);
      return this;
    }

    /**
     * Sets the number of denoising steps.
     *
     * @param value at least 1
     * @return this
     */
    public Builder steps(int value) {
      steps = OptionalInt.of(value);
      return this;
    }

    /**
     * Sets the guidance scale that the transformer is told; without effect where it has no guidance
     * embedding (FLUX.1-schnell).
     *
     * @param value finite, usually 1 to 5
     * @return this
     */
    public Builder guidance(double value) {
      guidance = OptionalDouble.of(value);
      return this;
    }

    /**
     * Sets the seeds.
     *
     * @param value one for the whole batch, or one an image; only the lower 32 bits count
     * @return this
     */
    public Builder seed(long... value) {
      seeds = LongStream.of(value).boxed().toList();
      return this;
    }

    /**
     * Sets the number of images of each prompt.
     *
     * @param value at least 1
     * @return this
     */
    public Builder imagesPerPrompt(int value) {
      imagesPerPrompt = value;
      return this;
    }

    /**
     * Sets how many images are denoised at once. More than one costs memory in proportion and is
     * faster only where one image leaves the device idle, at small sizes on a GPU. The pictures are
     * the same up to rounding.
     *
     * @param value at least 1, which is the default
     * @return this
     */
    public Builder batchSize(int value) {
      batchSize = value;
      return this;
    }

    /**
     * Sets the number of text tokens that T5 and the transformer see.
     *
     * @param value at least 1, at most the checkpoint's limit (512 for FLUX.1-dev, 256 for
     *     -schnell)
     * @return this
     */
    public Builder maxSequenceLength(int value) {
      maxSequenceLength = OptionalInt.of(value);
      return this;
    }

    /**
     * Chooses a profile; by default ultra resolution is used above the checkpoint's native area.
     *
     * @param value the choice
     * @return this
     */
    public Builder profile(Profile.Choice value) {
      profile = Objects.requireNonNull(value, "profile");
      return this;
    }

    /**
     * Replaces the profile's timestep shift.
     *
     * @param value the shift
     * @return this
     */
    public Builder shift(TimestepShift value) {
      shift = Objects.requireNonNull(value, "shift");
      return this;
    }

    /**
     * Replaces the profile's NTK factor.
     *
     * @param value positive; 1 leaves rotary positions as trained
     * @return this
     */
    public Builder ntkFactor(double value) {
      ntkFactor = OptionalDouble.of(value);
      return this;
    }

    /**
     * Switches proportional attention on or off, whatever the profile says.
     *
     * @param value whether attention sharpens with the token count
     * @return this
     */
    public Builder proportionalAttention(boolean value) {
      proportionalAttention = value;
      return this;
    }

    /**
     * Replaces the token count at which proportional attention changes nothing.
     *
     * @param value at least 2
     * @return this
     */
    public Builder nativeTokens(long value) {
      nativeTokens = OptionalLong.of(value);
      return this;
    }

    /**
     * Starts from given noise instead of drawing it from the seed.
     *
     * @param value packed, float32 [images, tokens, 64]; prompts vary slowest
     * @return this
     */
    public Builder latents(Tensor value) {
      latents = Objects.requireNonNull(value, "latents");
      return this;
    }

    /**
     * Starts from a picture instead of noise.
     *
     * @param image any kind and size without transparent pixels; copied
     * @param strength how much of the schedule runs, in (0, 1]
     * @return this
     * @throws InvalidRequestException if a pixel is transparent or the strength out of range
     */
    public Builder startImage(BufferedImage image, double strength) {
      return startImage(RgbImage.of(image), strength);
    }

    /**
     * Starts from a picture in a file instead of noise.
     *
     * @param file a picture that Java can read; read at once
     * @param strength how much of the schedule runs, in (0, 1]
     * @return this
     * @throws IOException if the file cannot be read
     * @throws io.github.urae.FileFormatException if it holds no picture that can be read
     * @throws InvalidRequestException if a pixel is transparent or the strength out of range
     */
    public Builder startImage(Path file, double strength) throws IOException {
      return startImage(RgbImage.read(file), strength);
    }

    /**
     * Starts from a picture instead of noise.
     *
     * @param image of any size
     * @param strength how much of the schedule runs, in (0, 1]
     * @return this
     * @throws InvalidRequestException if the strength is out of range
     */
    public Builder startImage(RgbImage image, double strength) {
      startImage = new StartImage(image, strength);
      return this;
    }

    /**
     * Draws the picture in two passes: a draft of native size, then the last part of the schedule
     * at full size.
     *
     * @param value the settings, such as {@link CoarseToFine#defaults()}
     * @return this
     */
    public Builder coarseToFine(CoarseToFine value) {
      coarseToFine = Objects.requireNonNull(value, "coarseToFine");
      return this;
    }

    /**
     * Guides the picture away from a negative prompt; every step takes twice as long.
     *
     * @param value the negative prompts and the scale
     * @return this
     */
    public Builder trueGuidance(TrueGuidance value) {
      trueGuidance = Objects.requireNonNull(value, "trueGuidance");
      return this;
    }

    /**
     * Guides all pictures away from one negative prompt; every step takes twice as long.
     *
     * @param negativePrompt what not to draw
     * @param scale finite; without effect unless above 1, as in diffusers
     * @return this
     * @throws InvalidRequestException if the scale is not finite
     */
    public Builder trueGuidance(String negativePrompt, double scale) {
      return trueGuidance(new TrueGuidance(List.of(negativePrompt), scale));
    }

    /**
     * Sets whether the autoencoder works on a picture as a whole or tile by tile.
     *
     * @param value by default tiles where the whole picture would take too much memory
     * @return this
     */
    public Builder vaeTiling(VaeTiling value) {
      vaeTiling = Objects.requireNonNull(value, "vaeTiling");
      return this;
    }

    /**
     * Checks the settings and completes the request.
     *
     * @return the request
     * @throws InvalidRequestException if a setting is out of range or two do not fit each other
     */
    public GenerationRequest build() {
      return new GenerationRequest(this);
    }
  }
}
