package io.github.urae.flux;

import io.github.urae.CancellationToken;
import io.github.urae.ProgressListener;
import java.util.Objects;
import java.util.Optional;

/**
 * What belongs to one call of {@code generate} and not to what is drawn: who is told of progress,
 * and what may end it. Immutable; may be used for several calls, also at the same time, if its
 * listener may.
 */
public final class RunOptions {

  /** Tells nobody; only interrupting the thread ends the call. */
  public static final RunOptions NONE = builder().build();

  private final ProgressListener listener;
  private final CancellationToken cancellation;

  private RunOptions(Builder builder) {
    listener = builder.listener;
    cancellation = builder.cancellation;
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
   * Returns who is told of progress.
   *
   * @return never null
   */
  public ProgressListener listener() {
    return listener;
  }

  /**
   * Returns what cancels the calls that these options are given to.
   *
   * @return empty if nothing was set
   */
  public Optional<CancellationToken> cancellation() {
    return Optional.ofNullable(cancellation);
  }

  /** Collects options. Not thread-safe. */
  public static final class Builder {

    private ProgressListener listener = ProgressListener.NONE;
    private CancellationToken cancellation;

    private Builder() {}

    /**
     * Sets who is told of progress.
     *
     * @param value called on the thread that generates
     * @return this
     */
    public Builder listener(ProgressListener value) {
      listener = Objects.requireNonNull(value, "listener");
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
     * Completes the options.
     *
     * @return the options
     */
    public RunOptions build() {
      return new RunOptions(this);
    }
  }
}
