package io.github.urae.training.internal.engine;

import io.github.urae.flux.model.internal.TransformerConfig;

/**
 * What a step over one picture takes, from sizes alone: nothing is loaded.
 *
 * <p>Multiplications count as two operations with their additions. Bytes of activations are those
 * that PyTorch's autograd was measured to keep for a token in FLUX.1's blocks in bfloat16, 109.2 kB
 * in a double and 98.8 kB in a single one, in proportion to width and element size.
 *
 * @param tokens text and image
 * @param weightBytes all frozen weights of the transformer; on the CPU they are pages of files
 * @param adapterNumbers trained numbers
 * @param adapterBytes those, their gradients twice, and the optimizer's state
 * @param blockInputBytes what enters all blocks, kept with recomputation; on the host where asked
 * @param blockBytes activations of the largest block
 * @param networkBytes activations of all blocks, kept without recomputation
 * @param linearOperations of the linear layers, forward
 * @param attentionOperations of attention's two products, forward
 * @param stepOperations of a whole step, backward and recomputation included
 */
public record TrainingCost(
    long tokens,
    long weightBytes,
    long adapterNumbers,
    long adapterBytes,
    long blockInputBytes,
    long blockBytes,
    long networkBytes,
    double linearOperations,
    double attentionOperations,
    double stepOperations) {

  /** Elements that autograd keeps for each token and channel of a block's width. */
  private static final double KEPT_IN_DOUBLE = 109_200.0 / (3072 * 2);

  private static final double KEPT_IN_SINGLE = 98_800.0 / (3072 * 2);

  /** Channels of all linear layers' weights of a block, for each channel squared of the width. */
  private static final double SQUARES_A_BLOCK = 12;

  /** The backward pass of attention makes five products, the forward pass two. */
  private static final double ATTENTION_BACKWARD = 2.5;

  /**
   * Computes the cost of a step.
   *
   * @param config the transformer's sizes
   * @param settings what is trained, and how
   * @param weightCount numbers of the transformer's weights
   * @param adapterNumbers numbers that are trained
   * @param textTokens of T5; 512
   * @param imageTokens of the picture
   * @return the cost
   */
  public static TrainingCost of(
      TransformerConfig config,
      EngineSettings settings,
      long weightCount,
      long adapterNumbers,
      long textTokens,
      long imageTokens) {
    long tokens = Math.addExact(textTokens, imageTokens);
    double width = config.width();
    int blocks = config.doubleBlocks() + config.singleBlocks();
    long element = settings.weightType().byteSize(1);
    double channelBytes = (double) tokens * width * element;
    double inDouble = KEPT_IN_DOUBLE * channelBytes;
    double inSingle = KEPT_IN_SINGLE * channelBytes;
    double linear = 2 * SQUARES_A_BLOCK * width * width * tokens * blocks;
    double attention = 4.0 * tokens * tokens * width * blocks;
    double forwards = settings.recomputation() ? 2 : 1;
    return new TrainingCost(
        tokens,
        Math.multiplyExact(weightCount, element),
        adapterNumbers,
        Math.multiplyExact(adapterNumbers, settings.adapterType().byteSize(copies(settings))),
        (long) (blocks * channelBytes),
        (long) (config.doubleBlocks() > 0 ? inDouble : inSingle),
        (long) (config.doubleBlocks() * inDouble + config.singleBlocks() * inSingle),
        linear,
        attention,
        linear * (forwards + 1) + attention * (forwards + ATTENTION_BACKWARD));
  }

  /** Values, accumulated and latest gradients, and as many numbers again as an optimizer keeps. */
  private static int copies(EngineSettings settings) {
    return 3 + (settings.optimizer() instanceof OptimizerSettings.Prodigy ? 4 : 2);
  }

  /**
   * Returns how many numbers adapters have.
   *
   * @param rank of each
   * @param in inputs of a layer
   * @param out outputs of a layer
   * @return rank times both
   */
  public static long adapterNumbers(int rank, long in, long out) {
    return Math.multiplyExact(rank, Math.addExact(in, out));
  }

  /**
   * Returns what a step holds in memory on the device, weights and adapters included.
   *
   * @param settings as for {@link #of}
   * @return bytes at the step's peak, without the library's own
   */
  public long deviceBytes(EngineSettings settings) {
    long held = weightBytes + adapterBytes;
    if (!settings.recomputation()) {
      return held + networkBytes;
    }
    boolean elsewhere = settings.blockInputsOnHost() && !settings.device().equals("cpu");
    return held + blockBytes + (elsewhere ? 0 : blockInputBytes);
  }

  /**
   * Returns how long a step takes on a machine of a known rate.
   *
   * @param operationsPerSecond measured, such as 4e14 of a data centre's GPU in bfloat16
   * @return seconds
   */
  public double seconds(double operationsPerSecond) {
    return stepOperations / operationsPerSecond;
  }
}
