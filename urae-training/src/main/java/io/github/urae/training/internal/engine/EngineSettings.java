package io.github.urae.training.internal.engine;

import io.github.urae.tensor.ElementType;
import java.util.Objects;
import java.util.OptionalInt;

/**
 * How the network computes and what is trained of it.
 *
 * @param stage what is trained
 * @param optimizer how gradients change it
 * @param ntkFactor factor on the rotary base frequency, positive; URAE trains 2K with 1, 4K with 10
 * @param proportionalAttention whether attention's logits grow with the logarithm of the number of
 *     tokens; in URAE in 4K's training only
 * @param nativeTokens number of tokens, text and image, at which proportional attention changes
 *     nothing, at least 2; FLUX.1: 4608
 * @param weightType what the frozen weights are held and multiplied in: F32 or BF16
 * @param adapterType what adapters, their gradients and the optimizer's state are: F32; BF16 as in
 *     URAE's published runs, where the state's slow decay is lost to rounding
 * @param recomputation whether activations are kept for one block only, and computed again for each
 *     when its gradient is: the memory of a block in place of the whole network, for a third more
 *     time
 * @param blockInputsOnHost whether what goes into each block waits in host memory for the gradient,
 *     where another device computes; with recomputation only
 * @param device {@code "cpu"}, {@code "cuda"} or {@code "cuda:N"}
 * @param threads threads of libtorch and OpenBLAS, which are the whole process's and not set back;
 *     results depend on them in their last bits. Empty leaves them as they are, which is by default
 *     one for each core
 * @param workers threads that pictures of one call are divided among, at least 1; with more than
 *     one each computes on its own, on the CPU, and {@code threads} must be as many or empty
 */
public record EngineSettings(
    AdapterStage stage,
    OptimizerSettings optimizer,
    double ntkFactor,
    boolean proportionalAttention,
    long nativeTokens,
    ElementType weightType,
    ElementType adapterType,
    boolean recomputation,
    boolean blockInputsOnHost,
    String device,
    OptionalInt threads,
    int workers) {

  /** Tokens of FLUX.1 at its native size: 512 of text and 64 x 64 of the picture. */
  public static final long FLUX_NATIVE_TOKENS = 512 + 64 * 64;

  /** Checks the ranges. */
  public EngineSettings {
    Objects.requireNonNull(stage, "stage");
    Objects.requireNonNull(optimizer, "optimizer");
    Objects.requireNonNull(device, "device");
    if (!(ntkFactor > 0) || Double.isInfinite(ntkFactor)) {
      throw new IllegalArgumentException(
          "NTK factor: expected a positive number, found " + ntkFactor);
    }
    if (nativeTokens < 2) {
      throw new IllegalArgumentException(
          "native tokens: expected 2 or more, found " + nativeTokens + "; FLUX.1 has 4608");
    }
    checkType("weights", weightType);
    checkType("adapters", adapterType);
    if (threads.isPresent() && threads.getAsInt() < 1) {
      throw new IllegalArgumentException(
          "threads: expected at least 1, found " + threads.getAsInt());
    }
    if (workers < 1) {
      throw new IllegalArgumentException("workers: expected at least 1, found " + workers);
    }
  }

  private static void checkType(String what, ElementType type) {
    if (type != ElementType.F32 && type != ElementType.BF16) {
      throw new IllegalArgumentException(what + ": expected F32 or BF16, found " + type);
    }
  }

  /**
   * Returns URAE's settings for a stage, on the CPU: Prodigy, float32, recomputation, and for minor
   * components an NTK factor of 10 and proportional attention.
   *
   * @param stage what is trained
   * @return the settings; the {@code with} methods change one each
   */
  public static EngineSettings of(AdapterStage stage) {
    boolean minor = stage instanceof AdapterStage.Minor;
    return new EngineSettings(
        stage,
        OptimizerSettings.Prodigy.URAE,
        minor ? 10 : 1,
        minor,
        FLUX_NATIVE_TOKENS,
        ElementType.F32,
        ElementType.F32,
        true,
        false,
        "cpu",
        OptionalInt.empty(),
        1);
  }

  /** Returns the same with another optimizer. */
  public EngineSettings withOptimizer(OptimizerSettings value) {
    return new EngineSettings(
        stage,
        value,
        ntkFactor,
        proportionalAttention,
        nativeTokens,
        weightType,
        adapterType,
        recomputation,
        blockInputsOnHost,
        device,
        threads,
        workers);
  }

  /** Returns the same with another NTK factor, proportional attention and native tokens. */
  public EngineSettings withPositions(double ntk, boolean proportional, long tokens) {
    return new EngineSettings(
        stage,
        optimizer,
        ntk,
        proportional,
        tokens,
        weightType,
        adapterType,
        recomputation,
        blockInputsOnHost,
        device,
        threads,
        workers);
  }

  /** Returns the same with other element types of weights and adapters. */
  public EngineSettings withTypes(ElementType weights, ElementType adapters) {
    return new EngineSettings(
        stage,
        optimizer,
        ntkFactor,
        proportionalAttention,
        nativeTokens,
        weights,
        adapters,
        recomputation,
        blockInputsOnHost,
        device,
        threads,
        workers);
  }

  /** Returns the same with or without recomputation, and with block inputs here or there. */
  public EngineSettings withRecomputation(boolean value, boolean inputsOnHost) {
    return new EngineSettings(
        stage,
        optimizer,
        ntkFactor,
        proportionalAttention,
        nativeTokens,
        weightType,
        adapterType,
        value,
        inputsOnHost,
        device,
        threads,
        workers);
  }

  /** Returns the same on another device, with a number of threads. */
  public EngineSettings withDevice(String value, OptionalInt threadCount) {
    return new EngineSettings(
        stage,
        optimizer,
        ntkFactor,
        proportionalAttention,
        nativeTokens,
        weightType,
        adapterType,
        recomputation,
        blockInputsOnHost,
        value,
        threadCount,
        workers);
  }

  /** Returns the same with pictures divided among a number of threads. */
  public EngineSettings withWorkers(int value) {
    return new EngineSettings(
        stage,
        optimizer,
        ntkFactor,
        proportionalAttention,
        nativeTokens,
        weightType,
        adapterType,
        recomputation,
        blockInputsOnHost,
        device,
        threads,
        value);
  }
}
