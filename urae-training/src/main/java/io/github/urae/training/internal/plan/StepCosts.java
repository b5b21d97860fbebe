package io.github.urae.training.internal.plan;

import io.github.urae.flux.model.internal.TransformerConfig;
import io.github.urae.training.TrainingPlan;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What a step takes.
 *
 * <p>Operations: a linear layer runs forward, forward again where activations are recomputed, and
 * backward for its input only, since it is not trained; attention runs backward at two and a half
 * times its forward pass, as memory-saving kernels compute the scores again. Adapters are too thin
 * to count.
 *
 * <p>Memory: what autograd keeps of a block was measured on blocks of FLUX.1-dev's size: 109.2 kB a
 * token in a double block and 98.8 kB in a single one in bfloat16, so 17.8 and 16.1 times the
 * width.
 *
 * @param config the transformer
 * @param parameters numbers that are trained
 * @param prodigy whether the optimizer is Prodigy, which keeps twice as much as AdamW
 * @param batch pictures that are computed at once, at least 1
 * @param workers threads that these are divided among, each with gradients of its own
 * @param choices what can be chosen
 */
public record StepCosts(
    TransformerConfig config,
    long parameters,
    boolean prodigy,
    int batch,
    int workers,
    Choices choices) {

  private static final double DOUBLE_BLOCK_WIDTHS = 17.8;
  private static final double SINGLE_BLOCK_WIDTHS = 16.1;

  /** Of a block's widths that are alive beside those that autograd keeps, while gradients flow. */
  private static final double GRADIENT_WIDTHS = 10;

  /** Latents, noise, target and their packed forms, in float32, on Java's side and libtorch's. */
  private static final int INPUT_COPIES = 10;

  /** libtorch's code, its allocator and Java's heap beside all that. */
  private static final long FIXED_BYTES = 500L << 20;

  private static final int FLOAT_BYTES = 4;

  private static final String BLOCK_INPUTS = "what enters each block";

  /**
   * What decides the memory.
   *
   * @param bfloat16Base whether weights and activations are bfloat16, otherwise float32
   * @param bfloat16State the same of adapters and the optimizer's state
   * @param recomputation whether one block's activations are kept, not all
   * @param blockInputsOnHost whether what enters blocks waits in host memory
   * @param host whether the device is the processor, where weights are pages of files
   */
  public record Choices(
      boolean bfloat16Base,
      boolean bfloat16State,
      boolean recomputation,
      boolean blockInputsOnHost,
      boolean host) {

    int baseBytes() {
      return bfloat16Base ? 2 : FLOAT_BYTES;
    }

    int stateBytes() {
      return bfloat16State ? 2 : FLOAT_BYTES;
    }
  }

  /** Returns the same with other choices. */
  StepCosts with(Choices other) {
    return new StepCosts(config, parameters, prodigy, batch, workers, other);
  }

  /** Returns the same for another number of pictures at once. */
  StepCosts withBatch(int other) {
    return new StepCosts(config, parameters, prodigy, other, Math.min(workers, other), choices);
  }

  /**
   * Returns the number of the transformer's weights, biases and small vectors left out.
   *
   * @return numbers
   */
  public long weights() {
    long width = config.width();
    long doubleBlock = 2 * (6 + 4 + 8) * width * width;
    long singleBlock = (3 + 3 + 4 + 5) * width * width;
    long ends =
        width * (config.inputChannels() + config.outputChannels() + config.textDim() + 2 * width);
    long embedders = width * (config.pooledDim() + width + 2 * (256 + width));
    return config.doubleBlocks() * doubleBlock
        + config.singleBlocks() * singleBlock
        + ends
        + embedders;
  }

  /**
   * Returns the operations of a picture's forward and backward pass.
   *
   * @param textTokens of its caption
   * @param imageTokens of the picture
   * @return floating-point operations
   */
  public double flops(long textTokens, long imageTokens) {
    double tokens = textTokens + imageTokens;
    double width = config.width();
    int blocks = config.doubleBlocks() + config.singleBlocks();
    double linear =
        blocks * 2 * tokens * 12 * width * width
            + 2.0 * imageTokens * width * (config.inputChannels() + config.outputChannels())
            + 2.0 * textTokens * width * config.textDim();
    double attention = blocks * 4 * tokens * tokens * width;
    int forwards = choices.recomputation() ? 2 : 1;
    return linear * (forwards + 1) + attention * (forwards + 2.5);
  }

  /**
   * Returns what takes memory.
   *
   * @param textTokens of a caption
   * @param imageTokens of a picture
   * @return parts, for a batch of such pictures
   */
  public List<TrainingPlan.Part> parts(long textTokens, long imageTokens) {
    long tokens = batch * (textTokens + imageTokens);
    long row = tokens * config.width() * choices.baseBytes();
    List<TrainingPlan.Part> parts = new ArrayList<>();
    add(parts, "base weights", weights() * choices.baseBytes(), choices.host());
    add(parts, "adapters", parameters * choices.stateBytes(), false);
    // Those of the pictures at hand, and the sum over an update's.
    add(parts, "their gradients", (1L + workers) * parameters * choices.stateBytes(), false);
    add(parts, "optimizer's state", parameters * choices.stateBytes() * (prodigy ? 4 : 2), false);
    double kept =
        choices.recomputation()
            ? Math.max(
                config.doubleBlocks() > 0 ? DOUBLE_BLOCK_WIDTHS : 0,
                config.singleBlocks() > 0 ? SINGLE_BLOCK_WIDTHS : 0)
            : config.doubleBlocks() * DOUBLE_BLOCK_WIDTHS
                + config.singleBlocks() * SINGLE_BLOCK_WIDTHS;
    if (choices.recomputation() && (choices.host() || !choices.blockInputsOnHost())) {
      long blocks = (long) config.doubleBlocks() + config.singleBlocks();
      add(parts, BLOCK_INPUTS, blocks * row, false);
    }
    String activations = choices.recomputation() ? "one block's activations" : "all activations";
    add(parts, activations, (long) ((kept + GRADIENT_WIDTHS) * row), false);
    add(
        parts,
        "latents and noise",
        (long) INPUT_COPIES * batch * imageTokens * config.inputChannels() * FLOAT_BYTES,
        false);
    add(parts, "libraries and Java", FIXED_BYTES, false);
    return parts;
  }

  private static void add(List<TrainingPlan.Part> parts, String name, long bytes, boolean inFiles) {
    parts.add(new TrainingPlan.Part(name, bytes, inFiles));
  }

  /**
   * Returns the memory that is not pages of files.
   *
   * @param textTokens of a caption
   * @param imageTokens of a picture
   * @return bytes
   */
  public long bytes(long textTokens, long imageTokens) {
    return parts(textTokens, imageTokens).stream()
        .filter(part -> !part.inFiles())
        .mapToLong(TrainingPlan.Part::bytes)
        .sum();
  }

  /**
   * Returns the memory that measuring a picture's loss takes, which is one at a time and has no
   * gradients.
   *
   * @param textTokens of a caption
   * @param imageTokens of the picture
   * @return bytes that are not pages of files, what training keeps meanwhile included
   */
  public long measuringBytes(long textTokens, long imageTokens) {
    Choices alone =
        new Choices(choices.bfloat16Base(), choices.bfloat16State(), true, true, choices.host());
    long inputs =
        withBatch(1).with(alone).parts(textTokens, imageTokens).stream()
            .filter(part -> part.name().equals(BLOCK_INPUTS))
            .mapToLong(TrainingPlan.Part::bytes)
            .sum();
    return withBatch(1).with(alone).bytes(textTokens, imageTokens) - inputs;
  }

  /**
   * Returns the most image tokens that fit.
   *
   * @param textTokens of a caption
   * @param available bytes
   * @return tokens; empty if even one does not fit
   */
  Optional<Long> mostImageTokens(long textTokens, long available) {
    if (bytes(textTokens, 1) > available) {
      return Optional.empty();
    }
    long fits = 1;
    long fails = 2;
    while (bytes(textTokens, fails) <= available && fails < 1L << 40) {
      fits = fails;
      fails *= 2;
    }
    while (fails - fits > 1) {
      long middle = (fits + fails) / 2;
      if (bytes(textTokens, middle) <= available) {
        fits = middle;
      } else {
        fails = middle;
      }
    }
    return Optional.of(fits);
  }
}
