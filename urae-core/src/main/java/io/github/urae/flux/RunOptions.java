package io.github.urae.flux;

import io.github.urae.CancellationToken;
import io.github.urae.ProgressListener;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.Executor;
import java.util.function.Consumer;
import java.util.function.ObjIntConsumer;

/**
 * What belongs to one call of {@code generate} and not to what is drawn: who is told of progress,
 * steps and pictures, what may end it, and where it runs. Everything that is told is told on the
 * thread that generates, and an exception thrown from there ends the generation. Immutable; may be
 * used for several calls, also at the same time, if what it calls may.
 */
public final class RunOptions {

  /** Tells nobody; only interrupting the thread ends the call. */
  public static final RunOptions NONE = builder().build();

  private final ProgressListener listener;
  private final Consumer<DenoisingStep> onStep;
  private final StepCallback onStepEnd;
  private final ObjIntConsumer<GeneratedImage> onImage;
  private final Consumer<TruncatedPrompt> onTruncatedPrompt;
  private final CancellationToken cancellation;
  private final Executor executor;

  private RunOptions(Builder builder) {
    listener = builder.listener;
    onStep = builder.onStep;
    onStepEnd = builder.onStepEnd;
    onImage = builder.onImage;
    onTruncatedPrompt = builder.onTruncatedPrompt;
    cancellation = builder.cancellation;
    executor = builder.executor;
  }

  /**
   * Starts with {@link #NONE}.
   *
   * @return a builder
   */
  public static Builder builder() {
    return new Builder();
  }

  /**
   * Starts with these options.
   *
   * @return a builder
   */
  public Builder toBuilder() {
    Builder builder = new Builder();
    builder.listener = listener;
    builder.onStep = onStep;
    builder.onStepEnd = onStepEnd;
    builder.onImage = onImage;
    builder.onTruncatedPrompt = onTruncatedPrompt;
    builder.cancellation = cancellation;
    builder.executor = executor;
    return builder;
  }

  /**
   * Returns who is told of progress.
   *
   * @return never null
   */
  public ProgressListener listener() {
    return listener;
  }

  /**
   * Returns who sees the steps.
   *
   * @return never null
   */
  public Consumer<DenoisingStep> onStep() {
    return onStep;
  }

  /**
   * Returns what changes latents between steps.
   *
   * @return empty if nothing was set
   */
  public Optional<StepCallback> onStepEnd() {
    return Optional.ofNullable(onStepEnd);
  }

  /**
   * Returns who is handed the pictures one by one.
   *
   * @return never null
   */
  public ObjIntConsumer<GeneratedImage> onImage() {
    return onImage;
  }

  /**
   * Returns who is told of prompts that are too long.
   *
   * @return never null
   */
  public Consumer<TruncatedPrompt> onTruncatedPrompt() {
    return onTruncatedPrompt;
  }

  /**
   * Returns what cancels the calls that these options are given to.
   *
   * @return empty if nothing was set
   */
  public Optional<CancellationToken> cancellation() {
    return Optional.ofNullable(cancellation);
  }

  /**
   * Returns where asynchronous calls run.
   *
   * @return empty for a thread of its own for each call
   */
  public Optional<Executor> executor() {
    return Optional.ofNullable(executor);
  }

  /** Collects options. Not thread-safe. */
  public static final class Builder {

    private ProgressListener listener = ProgressListener.NONE;
    private Consumer<DenoisingStep> onStep = step -> {};
    private StepCallback onStepEnd;
    private ObjIntConsumer<GeneratedImage> onImage = (image, index) -> {};
    private Consumer<TruncatedPrompt> onTruncatedPrompt = prompt -> {};
    private CancellationToken cancellation;
    private Executor executor;

    private Builder() {}

    /**
     * Sets who is told of progress, stage by stage.
     *
     * @param value called on the thread that generates
     * @return this
     */
    public Builder listener(ProgressListener value) {
      listener = Objects.requireNonNull(value, "listener");
      return this;
    }

    /**
     * Sets who sees each denoising step, with a preview where it asks for one.
     *
     * @param value called after each step and what {@link #onStepEnd} made of it
     * @return this
     */
    public Builder onStep(Consumer<DenoisingStep> value) {
      onStep = Objects.requireNonNull(value, "onStep");
      return this;
    }

    /**
     * Sets what may change the latents after each denoising step.
     *
     * @param value called after each step
     * @return this
     */
    public Builder onStepEnd(StepCallback value) {
      onStepEnd = Objects.requireNonNull(value, "onStepEnd");
      return this;
    }

    /**
     * Sets who is handed each picture as soon as it is decoded, while others are not yet. The call
     * returns them all the same.
     *
     * @param value takes the picture and its index among those that the call returns, from 0
     * @return this
     */
    public Builder onImage(ObjIntConsumer<GeneratedImage> value) {
      onImage = Objects.requireNonNull(value, "onImage");
      return this;
    }

    /**
     * Sets who is told of prompts of which a text encoder reads only the beginning. They are logged
     * as warnings, too.
     *
     * @param value called once for each such prompt and encoder
     * @return this
     */
    public Builder onTruncatedPrompt(Consumer<TruncatedPrompt> value) {
      onTruncatedPrompt = Objects.requireNonNull(value, "onTruncatedPrompt");
      return this;
    }

    /**
     * Sets what cancels the call from another thread.
     *
     * @param value may be shared by several calls, all of which it cancels; cancelled for good once
     *     it is
     * @return this
     */
    public Builder cancellation(CancellationToken value) {
      cancellation = Objects.requireNonNull(value, "cancellation");
      return this;
    }

    /**
     * Sets where {@link ImagePipeline#generateAsync} runs. By default each call has a daemon thread
     * of its own, since a generation takes its thread for as long as it lasts, and while it waits
     * for its turn.
     *
     * @param value runs one task a call
     * @return this
     */
    public Builder executor(Executor value) {
      executor = Objects.requireNonNull(value, "executor");
      return this;
    }

    /**
     * Completes the options.
     *
     * @return the options
     */
    public RunOptions build() {
      return new RunOptions(this);
    }
  }
}
