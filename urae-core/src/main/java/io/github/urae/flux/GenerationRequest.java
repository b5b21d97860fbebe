package io.github.urae.flux;

import io.github.urae.InvalidRequestException;
import io.github.urae.flux.arithmetic.Schedule;
import io.github.urae.image.RgbImage;
import io.github.urae.tensor.Tensor;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;

/**
 * All that one generation depends on besides the pipeline: its checkpoint, adapters, device and
 * element type. What is not set comes from the checkpoint. An immutable value, which may be used
 * any number of times, compared, kept as JSON and sent.
 *
 * <p>Several prompts, several images for each, or both make a batch; prompts vary slowest.
 */
public final class GenerationRequest {

  private final Prompts prompts;
  private final OptionalInt width;
  private final OptionalInt height;
  private final OptionalInt steps;
  private final OptionalDouble guidance;
  private final Seeds seeds;
  private final int imagesPerPrompt;
  private final int batchSize;
  private final Profile.Settings profile;
  private final Sampling sampling;
  private final Optional<Start> start;
  private final Optional<TrueGuidance> trueGuidance;
  private final VaeTiling vaeTiling;

  private GenerationRequest(Builder builder) {
    prompts =
        builder.embeddings == null
            ? new TextPrompts(builder.prompts, builder.secondPrompts, builder.maxSequenceLength)
            : builder.embeddings;
    width = builder.width;
    height = builder.height;
    steps = builder.steps;
    guidance = builder.guidance;
    seeds = builder.seeds;
    imagesPerPrompt = builder.imagesPerPrompt;
    batchSize = builder.batchSize;
    profile = builder.profile;
    sampling = builder.sampling;
    start = Optional.ofNullable(builder.start);
    trueGuidance = Optional.ofNullable(builder.trueGuidance);
    vaeTiling = builder.vaeTiling;
    check();
  }

  private void check() {
    atLeastOne("steps", "steps", steps);
    atLeastOne("images_per_prompt", "images per prompt", OptionalInt.of(imagesPerPrompt));
    atLeastOne("batch_size", "batch size", OptionalInt.of(batchSize));
    if (steps.isPresent() && steps.getAsInt() > Schedule.MAX_STEPS) {
      throw InvalidRequestException.of(
          "steps", "steps: expected at most " + Schedule.MAX_STEPS + ", found " + steps.getAsInt());
    }
    if ((long) prompts.count() * imagesPerPrompt > Seeds.MAX_IMAGES) {
      throw InvalidRequestException.of(
          "images_per_prompt",
          "images: expected at most "
              + Seeds.MAX_IMAGES
              + ", found "
              + imagesPerPrompt
              + " for each of "
              + prompts.count()
              + " prompts");
    }
    if (guidance.isPresent() && !Double.isFinite(guidance.getAsDouble())) {
      throw InvalidRequestException.of(
          "guidance", "guidance: expected a finite number, found " + guidance.getAsDouble());
    }
    trueGuidance.ifPresent(this::checkNegativePrompts);
    checkSeeds();
    start.ifPresent(this::checkStart);
  }

  private void checkNegativePrompts(TrueGuidance away) {
    int negatives = away.negativePrompts().size();
    if (negatives != 1 && negatives != prompts.count()) {
      throw InvalidRequestException.of(
          "true_guidance.negative_prompts",
          "negative prompts: expected one, or one for each of "
              + prompts.count()
              + " prompts, found "
              + negatives);
    }
  }

  private void checkSeeds() {
    if (seeds.values().size() > 1 && seeds.values().size() != images()) {
      throw InvalidRequestException.of(
          "seeds",
          "seeds: expected one, or one for each of "
              + images()
              + " images, found "
              + seeds.values().size());
    }
    if (seeds.part().isPresent()) {
      Seeds.Part part = seeds.part().get();
      if (images() > part.of() - part.first()) {
        throw InvalidRequestException.of(
            "seed_images",
            "images of one seed: expected "
                + images()
                + " from number "
                + part.first()
                + " on, found "
                + part.of()
                + " in all");
      }
    }
  }

  private void checkStart(Start from) {
    if (from instanceof InitialLatents given && given.latents().shape().dimension(0) != images()) {
      throw InvalidRequestException.of(
          "start.latents",
          "latents: expected float32 ["
              + images()
              + ", tokens, 64], found "
              + given.latents().type()
              + given.latents().shape());
    }
  }

  private static void atLeastOne(String parameter, String name, OptionalInt value) {
    if (value.isPresent() && value.getAsInt() < 1) {
      throw InvalidRequestException.of(
          parameter, name + ": expected 1 or more, found " + value.getAsInt());
    }
  }

  /**
   * Starts a request for one prompt.
   *
   * @param prompt what to draw
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
    return new Builder().prompts(prompts);
  }

  /**
   * Starts a request for prompts that were encoded before.
   *
   * @param embeddings from the same checkpoint's text encoders
   * @return a builder with nothing else set
   */
  public static Builder builder(PromptEmbeddings embeddings) {
    return new Builder().embeddings(embeddings);
  }

  /**
   * Reads what {@link #toJson()} writes. Keys that are not known, and values of another type, are
   * refused; what may be left out when a request is built may be left out here.
   *
   * @param json at most 2^28 characters
   * @return the request
   * @throws InvalidRequestException if the text is no such JSON, or the request not possible; the
   *     message names the key
   */
  public static GenerationRequest fromJson(String json) {
    return new RequestJson(GenerationRecord.Inputs.NONE).read(JsonFields.parse(json));
  }

  /**
   * Returns the request that draws a picture again, from what {@link GeneratedImage#save} wrote
   * into the file. Model, adapters, device and element type are the pipeline's: {@link
   * GenerationRecord#read(Path)} tells them.
   *
   * @param picture a PNG, JPEG, TIFF or WebP file
   * @return the request for that picture alone
   * @throws IOException if the file cannot be read
   * @throws io.github.urae.FileFormatException if the file is damaged or tells of no request
   * @throws InvalidRequestException if the picture was drawn from another picture, from latents or
   *     from embeddings, which such files only name: {@link GenerationRecord#read(Path,
   *     GenerationRecord.Inputs)} takes them
   */
  public static GenerationRequest of(Path picture) throws IOException {
    return GenerationRecord.read(picture).request();
  }

  /**
   * Returns this request as JSON: an object with a {@code version}, keys in {@code snake_case} and
   * seeds as numbers from 0 to 2^64 - 1. A picture to start from stands in it as PNG, tensors as
   * their bytes, both in base 64.
   *
   * @return the text
   * @throws InvalidRequestException if it would have more than 2^28 characters
   */
  public String toJson() {
    return RequestJson.text(RequestJson.write(this, true));
  }

  /** Returns the request as JSON that names pictures and tensors by their SHA-256. */
  @Override
  public String toString() {
    return RequestJson.text(RequestJson.write(this, false));
  }

  /**
   * Returns a builder that makes this request again, for one that differs in a few things.
   *
   * @return a new builder with everything set as here
   */
  public Builder toBuilder() {
    Builder builder = new Builder();
    if (prompts instanceof TextPrompts text) {
      builder.prompts = text.prompts();
      builder.secondPrompts = text.secondPrompts();
      builder.maxSequenceLength = text.maxSequenceLength();
    } else {
      builder.embeddings = (PromptEmbeddings) prompts;
    }
    builder.width = width;
    builder.height = height;
    builder.steps = steps;
    builder.guidance = guidance;
    builder.seeds = seeds;
    builder.imagesPerPrompt = imagesPerPrompt;
    builder.batchSize = batchSize;
    builder.profile = profile;
    builder.sampling = sampling;
    builder.start = start.orElse(null);
    builder.trueGuidance = trueGuidance.orElse(null);
    builder.vaeTiling = vaeTiling;
    return builder;
  }

  /**
   * Returns what to draw.
   *
   * @return in words or encoded
   */
  public Prompts prompts() {
    return prompts;
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
   * Returns where the noise comes from.
   *
   * @return the seeds; without effect where latents are given
   */
  public Seeds seeds() {
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
   * Returns the number of images in all.
   *
   * @return prompts times images of each
   */
  public int images() {
    return Math.multiplyExact(prompts.count(), imagesPerPrompt);
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
   * Returns which profile is used, with the numbers that replace its own.
   *
   * @return never null
   */
  public Profile.Settings profile() {
    return profile;
  }

  /**
   * Returns what stands in the place of the checkpoint's scheduler.
   *
   * @return never null
   */
  public Sampling sampling() {
    return sampling;
  }

  /**
   * Returns what the generation starts from.
   *
   * @return empty for noise drawn from the seeds
   */
  public Optional<Start> start() {
    return start;
  }

  /**
   * Returns what the picture is guided away from.
   *
   * @return empty unless that was set; it may have no effect, see {@link TrueGuidance#active()}
   */
  public Optional<TrueGuidance> trueGuidance() {
    return trueGuidance;
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
   * Returns the request for one of the images alone. Where this one's seeds are set, it draws the
   * same picture; up to rounding if images were denoised {@link #batchSize() several at once}.
   *
   * @param index from 0, less than {@link #images()}
   * @return a request for one image
   */
  public GenerationRequest image(int index) {
    Objects.checkIndex(index, images());
    if (images() == 1) {
      return this;
    }
    int prompt = index / imagesPerPrompt;
    Builder builder = toBuilder().imagesPerPrompt(1).seeds(seeds.only(index, images()));
    if (prompts instanceof TextPrompts text) {
      TextPrompts own = text.only(prompt);
      builder.prompts = own.prompts();
      builder.secondPrompts = own.secondPrompts();
    } else {
      builder.embeddings = ((PromptEmbeddings) prompts).only(prompt);
    }
    trueGuidance.ifPresent(away -> builder.trueGuidance(away.only(prompt)));
    if (builder.start instanceof InitialLatents given) {
      builder.latents(TensorContent.row(given.latents(), index));
    }
    return builder.build();
  }

  /** Tells whether all settings are the same, pictures and tensors by what they hold. */
  @Override
  public boolean equals(Object other) {
    return other instanceof GenerationRequest request && values().equals(request.values());
  }

  @Override
  public int hashCode() {
    return values().hashCode();
  }

  private List<Object> values() {
    return List.of(
        prompts,
        width,
        height,
        steps,
        guidance,
        seeds,
        imagesPerPrompt,
        batchSize,
        profile,
        sampling,
        start,
        trueGuidance,
        vaeTiling);
  }

  /** Collects the settings of a request. Not thread-safe. */
  public static final class Builder {

    private List<String> prompts = List.of();
    private List<String> secondPrompts = List.of();
    private OptionalInt maxSequenceLength = OptionalInt.empty();
    private PromptEmbeddings embeddings;
    private OptionalInt width = OptionalInt.empty();
    private OptionalInt height = OptionalInt.empty();
    private OptionalInt steps = OptionalInt.empty();
    private OptionalDouble guidance = OptionalDouble.empty();
    private Seeds seeds = Seeds.RANDOM;
    private int imagesPerPrompt = 1;
    private int batchSize = 1;
    private Profile.Settings profile = Profile.Settings.AUTO;
    private Sampling sampling = Sampling.AUTO;
    private Start start;
    private TrueGuidance trueGuidance;
    private VaeTiling vaeTiling = VaeTiling.AUTO;

    private Builder() {}

    /**
     * Sets what to draw, in place of all prompts and embeddings set before.
     *
     * @param value one or more; read by CLIP, and by T5 unless it gets {@link #secondPrompts}
     * @return this
     */
    public Builder prompts(List<String> value) {
      prompts = List.copyOf(value);
      secondPrompts = List.of();
      embeddings = null;
      return this;
    }

    /**
     * Gives T5 prompts of its own; CLIP keeps the first ones.
     *
     * @param value one for each prompt
     * @return this
     * @throws InvalidRequestException if embeddings were set
     */
    public Builder secondPrompts(String... value) {
      checkInWords("second_prompts", "second prompts");
      secondPrompts = List.of(value);
      return this;
    }

    /**
     * Sets the number of text tokens that T5 and the transformer see.
     *
     * @param value at least 1, at most the checkpoint's limit (512 for FLUX.1-dev, 256 for
     *     -schnell)
     * @return this
     * @throws InvalidRequestException if embeddings were set
     */
    public Builder maxSequenceLength(int value) {
      checkInWords("max_sequence_length", "T5 sequence length");
      maxSequenceLength = OptionalInt.of(value);
      return this;
    }

    private void checkInWords(String parameter, String setting) {
      if (embeddings != null) {
        throw InvalidRequestException.of(
            parameter, setting + ": expected prompts in words, found embeddings, which settle it");
      }
    }

    /**
     * Sets what to draw, encoded before, in place of all prompts set before.
     *
     * @param value from the same checkpoint's text encoders
     * @return this
     */
    public Builder embeddings(PromptEmbeddings value) {
      embeddings = Objects.requireNonNull(value, "embeddings");
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
      return width(widthInPixels).height(heightInPixels);
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
     * @param value 1 to {@link Schedule#MAX_STEPS}
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
      return guidance(OptionalDouble.of(value));
    }

    /**
     * Sets the guidance scale, or leaves it open.
     *
     * @param value as for {@link #guidance(double)}; empty for the default
     * @return this
     */
    public Builder guidance(OptionalDouble value) {
      guidance = Objects.requireNonNull(value, "guidance");
      return this;
    }

    /**
     * Sets the seeds.
     *
     * @param value one for all images, or one for each; {@link Seeds} tells the range
     * @return this
     */
    public Builder seed(long... value) {
      return seeds(Seeds.of(value));
    }

    /**
     * Sets the seeds.
     *
     * @param value {@link Seeds#RANDOM}, one for all images or some of those that it draws, or one
     *     for each
     * @return this
     */
    public Builder seeds(Seeds value) {
      seeds = Objects.requireNonNull(value, "seeds");
      return this;
    }

    /**
     * Sets the number of images of each prompt.
     *
     * @param value at least 1; of all prompts at most {@link Seeds#MAX_IMAGES}
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
     * Chooses a profile with its own numbers; by default ultra resolution is used above the
     * checkpoint's native area.
     *
     * @param value the choice
     * @return this
     */
    public Builder profile(Profile.Choice value) {
      return profile(Profile.Settings.of(value));
    }

    /**
     * Chooses a profile, and numbers that replace its own.
     *
     * @param value the choice and the numbers
     * @return this
     */
    public Builder profile(Profile.Settings value) {
      profile = Objects.requireNonNull(value, "profile");
      return this;
    }

    /**
     * Sets what stands in the place of the checkpoint's scheduler.
     *
     * @param value how noise levels are spaced, and how steps are made
     * @return this
     */
    public Builder sampling(Sampling value) {
      sampling = Objects.requireNonNull(value, "sampling");
      return this;
    }

    /**
     * Sets what to start from, in place of what was set before.
     *
     * @param value latents, a picture, or a draft; empty for noise drawn from the seeds
     * @return this
     */
    public Builder start(Optional<? extends Start> value) {
      start = value.orElse(null);
      return this;
    }

    /**
     * Starts from given noise instead of drawing it from the seed.
     *
     * @param value packed, float32 [images, tokens, 64]; prompts vary slowest
     * @return this
     * @throws InvalidRequestException if type or rank are others
     */
    public Builder latents(Tensor value) {
      start = new InitialLatents(value);
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
    public Builder initialImage(BufferedImage image, double strength) {
      return initialImage(RgbImage.of(image), strength);
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
    public Builder initialImage(Path file, double strength) throws IOException {
      return initialImage(RgbImage.read(file), strength);
    }

    /**
     * Starts from a picture instead of noise.
     *
     * @param image of any size
     * @param strength how much of the schedule runs, in (0, 1]
     * @return this
     * @throws InvalidRequestException if the strength is out of range
     */
    public Builder initialImage(RgbImage image, double strength) {
      start = new InitialImage(image, strength);
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
      start = Objects.requireNonNull(value, "coarseToFine");
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
