package io.github.urae.pipeline;

import io.github.urae.CancellationToken;
import io.github.urae.InvalidRequestException;
import io.github.urae.ProgressListener;
import io.github.urae.adapter.AdapterSpec;
import io.github.urae.adapter.ModelBuilder;
import io.github.urae.adapter.UnmatchedKey;
import io.github.urae.adapter.internal.match.AdapterOptions;
import io.github.urae.device.Device;
import io.github.urae.device.Offload;
import io.github.urae.device.Precision;
import io.github.urae.flux.GeneratedImage;
import io.github.urae.flux.GenerationPlan;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.ImagePipeline;
import io.github.urae.flux.LatentPosterior;
import io.github.urae.flux.PromptEmbeddings;
import io.github.urae.flux.RunOptions;
import io.github.urae.flux.VaeTiling;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.ModelInfo;
import io.github.urae.flux.model.internal.Checkpoint;
import io.github.urae.flux.model.internal.ModelFamily;
import io.github.urae.flux.model.internal.ModelLocation;
import io.github.urae.image.RgbImage;
import io.github.urae.internal.HuggingFaceCache;
import io.github.urae.internal.Lease;
import io.github.urae.internal.NativeLibraries;
import io.github.urae.internal.recording.FlightRecording;
import io.github.urae.onnx.internal.generation.Generation;
import io.github.urae.onnx.internal.generation.GenerationQueue;
import io.github.urae.onnx.internal.generation.PictureEncoding;
import io.github.urae.onnx.internal.generation.TextEncoders;
import io.github.urae.onnx.internal.generation.WorkRates;
import io.github.urae.onnx.internal.graph.Arithmetic;
import io.github.urae.onnx.internal.model.ModelSource;
import io.github.urae.onnx.internal.model.Networks;
import io.github.urae.onnx.internal.model.PipelineSettings;
import io.github.urae.onnx.internal.session.NativeHeap;
import io.github.urae.onnx.internal.session.OnnxEngine;
import io.github.urae.onnx.internal.session.OnnxLibrary;
import io.github.urae.onnx.internal.session.SessionSettings;
import io.github.urae.onnx.internal.tokenizer.TokenizerLibrary;
import io.github.urae.weights.internal.WeightCache;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.NoSuchFileException;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * FLUX.1 text to image.
 *
 * <pre>{@code
 * try (FluxPipeline pipeline = FluxPipeline.builder().model(Path.of("FLUX.1-dev")).build()) {
 *   pipeline.generate("An astronaut riding a green horse", 2048, 2048).save(Path.of("a.png"));
 * }
 * }</pre>
 *
 * <p>Thread-safe: any number of threads may generate at once, each needing its own working memory,
 * unless {@link Builder#maxConcurrent} bounds it. Owns native memory and open files until {@link
 * #close()}.
 */
public final class FluxPipeline implements ImagePipeline {

  private final ModelInfo model;
  private final GenerationQueue queue;
  private final WorkRates rates = new WorkRates();

  /** Held while adapters are changed, so that one change follows the other. */
  private final Object adapting = new Object();

  /** Guards the two fields below; held for moments only. */
  private final Object lock = new Object();

  private Lease<Networks> networks;
  private boolean closed;

  private FluxPipeline(Networks networks, int maxConcurrent) {
    this.networks = Lease.of(networks);
    this.model = networks.info();
    this.queue = new GenerationQueue(maxConcurrent);
  }

  /**
   * Starts a pipeline.
   *
   * @return a builder with nothing but defaults
   */
  public static Builder builder() {
    return new Builder();
  }

  /**
   * Draws a picture with the checkpoint's defaults and a random seed.
   *
   * @param prompt what to draw
   * @param width pixels, a positive multiple of 16
   * @param height pixels, a positive multiple of 16
   * @return the picture
   * @throws InvalidRequestException if the size is not possible
   * @throws io.github.urae.InferenceException if ONNX Runtime fails, for want of memory for
   *     instance
   * @throws UncheckedIOException if a file of the model cannot be read
   * @throws IllegalStateException if this pipeline is closed
   */
  public GeneratedImage generate(String prompt, int width, int height) {
    return generate(GenerationRequest.builder(prompt).size(width, height).build()).get(0);
  }

  /**
   * Draws pictures.
   *
   * <p>Where {@link Builder#maxConcurrent} generations go on already, the call waits for its turn,
   * in the order in which calls came, and tells how many turns are ahead ({@link
   * io.github.urae.Stage#WAITING}).
   *
   * <p>Cancelling returns at once. The native work ends at its next operator and frees its memory
   * then; until it has, the next call waits.
   *
   * @throws InvalidRequestException if the request does not fit the checkpoint
   * @throws io.github.urae.GenerationCancelledException if it was cancelled, or the thread
   *     interrupted
   * @throws io.github.urae.InferenceException if ONNX Runtime fails, for want of memory for
   *     instance
   * @throws UncheckedIOException if a file of the model cannot be read
   * @throws IllegalStateException if this pipeline is closed, also while the call waits
   */
  @Override
  public List<GeneratedImage> generate(GenerationRequest request, RunOptions options) {
    // A token of this call's own, so that a listener that cancels it cancels no other.
    CancellationToken cancellation = new CancellationToken();
    RunOptions own = options.toBuilder().cancellation(cancellation).build();
    CancellationToken given = options.cancellation().orElseGet(CancellationToken::new);
    CancellationToken.Registration linked = given.onCancel(cancellation::cancel);
    int side = model.nativeSize();
    FlightRecording.Span recorded =
        FlightRecording.generation(
            model.name(),
            request.width().orElse(side),
            request.height().orElse(side),
            request.images());
    String outcome = "drawn";
    try {
      // What cannot run need not wait.
      with(open -> checked(open, request, own));
      return queue.inTurn(
          own.listener(),
          cancellation,
          () ->
              with(
                  open -> {
                    Generation generation = checked(open, request, own);
                    open.awaitCancelledRuns(cancellation);
                    return generation.run();
                  }));
    } catch (RuntimeException | Error e) {
      outcome = e.getClass().getSimpleName();
      throw e;
    } finally {
      recorded.end(outcome);
      linked.close();
      NativeHeap.trimNowAndThen();
    }
  }

  private Generation checked(Networks open, GenerationRequest request, RunOptions options) {
    Generation generation = new Generation(open, request, options, rates);
    generation.checkMemory();
    return generation;
  }

  /**
   * Encodes prompts with the checkpoint's own number of text tokens, telling nobody.
   *
   * @param prompts one or more
   * @return their embeddings
   * @throws InvalidRequestException if there is no prompt
   * @throws UncheckedIOException if a file of the model cannot be read
   * @throws IllegalStateException if this pipeline is closed
   * @see #encode(List, int, RunOptions)
   */
  public PromptEmbeddings encode(List<String> prompts) {
    return encode(prompts, OptionalInt.empty(), RunOptions.NONE);
  }

  /**
   * Encodes prompts, to be used in several requests. Does not wait for a turn.
   *
   * @param prompts one or more
   * @param textTokens number of text tokens, at least 1
   * @param options who is told of progress and of prompts that are too long, and what cancels this
   *     call; the rest is not used
   * @return their embeddings
   * @throws InvalidRequestException if there is no prompt, or there are too many tokens
   * @throws io.github.urae.GenerationCancelledException if it was cancelled, or the thread
   *     interrupted
   * @throws UncheckedIOException if a file of the model cannot be read
   * @throws IllegalStateException if this pipeline is closed
   */
  public PromptEmbeddings encode(List<String> prompts, int textTokens, RunOptions options) {
    return encode(prompts, OptionalInt.of(textTokens), options);
  }

  private PromptEmbeddings encode(
      List<String> prompts, OptionalInt textTokens, RunOptions options) {
    if (prompts.isEmpty()) {
      throw InvalidRequestException.of("prompts", "prompt: expected one or more, found none");
    }
    CancellationToken cancellation = options.cancellation().orElseGet(CancellationToken::new);
    return with(
        open -> {
          open.awaitCancelledRuns(cancellation);
          return TextEncoders.of(open).encode(prompts, textTokens, options, cancellation, rates);
        });
  }

  /**
   * Encodes a picture with the autoencoder: what latents to train on are drawn from. Does not wait
   * for a turn. The network is loaded when it is first needed and, with {@link Offload#ALL}, stays.
   *
   * @param image its sides are multiples of {@link
   *     io.github.urae.flux.arithmetic.LatentLayout#pixelsPerToken}, 16 for FLUX.1
   * @param tiling whether as a whole or tile by tile
   * @param options who is told of progress, and what cancels this call; the rest is not used
   * @return means and standard deviations, [16, H/8, W/8], neither shifted nor scaled
   * @throws InvalidRequestException if a side is no such multiple
   * @throws io.github.urae.GenerationCancelledException if it was cancelled, or the thread
   *     interrupted
   * @throws io.github.urae.InferenceException if ONNX Runtime fails, for want of memory for
   *     instance, or the result is not finite
   * @throws UncheckedIOException if a file of the model cannot be read
   * @throws IllegalStateException if this pipeline is closed
   */
  public LatentPosterior encode(RgbImage image, VaeTiling tiling, RunOptions options) {
    CancellationToken cancellation = options.cancellation().orElseGet(CancellationToken::new);
    return with(
        open -> {
          open.awaitCancelledRuns(cancellation);
          return PictureEncoding.encode(open, image, tiling, options, cancellation, rates);
        });
  }

  /**
   * Returns what tells the weights of a network from others, to be kept beside what was computed
   * with them: a digest of a sample of the values as the checkpoint has them, without adapters. It
   * is the same for one file or several, and for bfloat16 or float32 of the same values.
   *
   * @param network a text encoder, the transformer, or a half of the autoencoder
   * @return 40 hexadecimal digits
   * @throws IllegalArgumentException if the component is a tokenizer
   * @throws UncheckedIOException if a file of the model cannot be read
   * @throws IllegalStateException if this pipeline is closed
   */
  public String fingerprint(Component network) {
    if (network == Component.TOKENIZER || network == Component.TOKENIZER_2) {
      throw new IllegalArgumentException(network.id() + " has no weights");
    }
    return with(open -> open.fingerprint(network));
  }

  /**
   * Works out what a picture will take, before anything runs.
   *
   * @param width pixels, a positive multiple of 16
   * @param height pixels, a positive multiple of 16
   * @param steps denoising steps, at least 1
   * @return tokens, floating-point operations and memory by stage
   * @throws InvalidRequestException if the size is not possible
   * @throws UncheckedIOException if a file of the model cannot be read
   * @throws IllegalStateException if this pipeline is closed
   */
  public GenerationPlan plan(int width, int height, int steps) {
    return plan(GenerationRequest.builder("").size(width, height).steps(steps).build());
  }

  /**
   * Works out what a request will take, before anything runs; the memory limit is left aside.
   *
   * @param request what would be drawn
   * @return tokens, floating-point operations and memory by stage
   * @throws InvalidRequestException if the request does not fit the checkpoint
   * @throws UncheckedIOException if a file of the model cannot be read
   * @throws IllegalStateException if this pipeline is closed
   */
  @Override
  public GenerationPlan plan(GenerationRequest request) {
    return with(open -> new Generation(open, request).plan());
  }

  /** Works on the present networks, which stay open meanwhile, whatever happens to the pipeline. */
  private <R> R with(NetworkWork<R> work) {
    return Holding.on(lease(), lease -> work.on(lease.get()));
  }

  /** Work that may read files. */
  @FunctionalInterface
  private interface NetworkWork<R> {
    R on(Networks open) throws IOException;
  }

  /** Keeps the present networks until the lease is closed, whatever happens to the pipeline. */
  Lease<Networks> lease() {
    synchronized (lock) {
      checkOpen();
      return networks.another();
    }
  }

  private void checkOpen() {
    if (closed) {
      throw new IllegalStateException("this FluxPipeline is closed");
    }
  }

  /**
   * Exchanges the adapters, without a listener or cancellation.
   *
   * @param adapters applied in this order; none for the checkpoint as it is
   * @throws IOException as below
   * @see #setAdapters(List, ProgressListener, CancellationToken)
   */
  public void setAdapters(List<AdapterSpec> adapters) throws IOException {
    setAdapters(adapters, ProgressListener.NONE, new CancellationToken());
  }

  /**
   * Exchanges the adapters. Only networks whose weights change are loaded anew. Generations that
   * are going on finish with the adapters that they began with; later ones use the new. Where this
   * fails, everything is as before.
   *
   * <p>While it goes on, old and new networks exist side by side: on the processor their weights
   * are mapped files, on a GPU both need room there, unless networks are loaded {@link
   * Offload#ONE_AT_A_TIME one at a time} and no generation goes on.
   *
   * @param adapters applied in this order; none for the checkpoint as it is
   * @param listener hears of the merging
   * @param cancellation ends the merging
   * @throws IOException if a file is missing or cannot be read or written
   * @throws io.github.urae.FileFormatException if a file is damaged
   * @throws io.github.urae.AdapterException if an adapter does not fit
   * @throws io.github.urae.GenerationCancelledException if it was cancelled
   * @throws io.github.urae.InferenceException if ONNX Runtime refuses
   * @throws IllegalStateException if this pipeline is closed
   */
  public void setAdapters(
      List<AdapterSpec> adapters, ProgressListener listener, CancellationToken cancellation)
      throws IOException {
    synchronized (adapting) {
      try (Lease<Networks> present = lease()) {
        replace(present.get().with(adapters, listener, cancellation));
      }
    }
  }

  private void replace(Networks next) throws IOException {
    Lease<Networks> previous;
    synchronized (lock) {
      previous = closed ? Lease.of(next) : networks;
      if (!closed) {
        networks = Lease.of(next);
      }
    }
    previous.close();
    synchronized (lock) {
      checkOpen();
    }
  }

  /**
   * Returns the adapters that generations use from now on.
   *
   * @return immutable, in the order in which they are applied
   * @throws IllegalStateException if this pipeline is closed
   */
  public List<AdapterSpec> adapters() {
    return with(open -> open.adapters());
  }

  /**
   * Returns the keys of the present adapters that change nothing in this model, with the reason:
   * for parts that FLUX does not use, the same change under another name, and with {@link
   * ModelBuilder#ignoreUnmatched} all others.
   *
   * @return immutable
   * @throws IllegalStateException if this pipeline is closed
   */
  public List<UnmatchedKey> unmatchedAdapterKeys() {
    return with(open -> open.unmatched());
  }

  @Override
  public ModelInfo model() {
    return model;
  }

  /**
   * Returns where this pipeline runs.
   *
   * @return a processor or GPU
   * @throws IllegalStateException if this pipeline is closed
   */
  public Device device() {
    return with(open -> open.device());
  }

  /**
   * Returns how long this pipeline has spent inside ONNX Runtime, for monitoring.
   *
   * @return the sum over all networks and threads
   * @throws IllegalStateException if this pipeline is closed
   */
  public Duration timeInRuntime() {
    return with(open -> Duration.ofNanos(open.nanosInRuntime()));
  }

  /**
   * Closes the pipeline. Generations that are going on are completed first, on their own threads;
   * the last one releases the memory. Those that wait for their turn end with an {@link
   * IllegalStateException}. Closing twice is harmless.
   *
   * @throws IOException if something cannot be closed
   */
  @Override
  public void close() throws IOException {
    Lease<Networks> last;
    synchronized (lock) {
      closed = true;
      last = networks;
    }
    queue.close();
    last.close();
    NativeHeap.trim();
  }

  /** Collects the settings of a pipeline. Not thread-safe. */
  public static final class Builder extends ModelBuilder<Builder> {

    /** Each network has its own. */
    private static final int MAX_THREADS = 1024;

    private Device device = Device.auto();
    private long cacheBytes = WeightCache.DEFAULT_MAX_BYTES;
    private boolean verifyCache;
    private OptionalInt threads = OptionalInt.empty();
    private boolean prepacking;
    private Precision precision = Precision.AUTO;
    private Offload offload = Offload.ALL;
    private boolean loadWhenNeeded;
    private OptionalLong memoryLimit = OptionalLong.empty();
    private int maxConcurrent = Integer.MAX_VALUE;

    private List<ModelFamily> families = Checkpoint.FAMILIES;

    private Builder() {}

    /**
     * Refuses generations that are expected to take more memory, before they run, and lets the
     * autoencoder work in tiles where it would. Counted is what {@link FluxPipeline#plan} counts.
     *
     * @param bytes positive
     * @return this
     */
    public Builder memoryLimit(long bytes) {
      if (bytes < 1) {
        throw new IllegalArgumentException("expected a positive memory limit, got " + bytes);
      }
      memoryLimit = OptionalLong.of(bytes);
      return this;
    }

    /**
     * Bounds how many generations go on at once; others wait for their turn, in the order in which
     * they came.
     *
     * @param value at least 1; by default any number
     * @return this
     */
    public Builder maxConcurrent(int value) {
      if (value < 1) {
        throw new IllegalArgumentException("expected 1 generation or more, got " + value);
      }
      maxConcurrent = value;
      return this;
    }

    /**
     * Sets which networks are in memory at a time.
     *
     * @param value by default all
     * @return this
     */
    public Builder offload(Offload value) {
      offload = Objects.requireNonNull(value, "offload");
      return this;
    }

    /**
     * Converts and loads each network when a call first needs it, not all of them when the pipeline
     * is built: for encoding alone, which needs no transformer. With {@link Offload#ALL} it stays
     * from then on. Networks that adapters change are made at once all the same, and files that are
     * missing or no networks of FLUX.1 are told of at once.
     *
     * @param value by default false
     * @return this
     */
    public Builder loadWhenNeeded(boolean value) {
      loadWhenNeeded = value;
      return this;
    }

    /**
     * Sets the element type of weights and arithmetic.
     *
     * @param value by default what suits the device
     * @return this
     */
    public Builder precision(Precision value) {
      precision = Objects.requireNonNull(value, "precision");
      return this;
    }

    /**
     * Sets where the networks run.
     *
     * @param value by default the first GPU if it can be used, else the processor
     * @return this
     */
    public Builder device(Device value) {
      device = Objects.requireNonNull(value, "device");
      return this;
    }

    /**
     * Bounds the size of derived weights in the cache folder; the least recently used are deleted.
     *
     * @param bytes positive; by default 100 GiB
     * @return this
     */
    public Builder cacheLimit(long bytes) {
      if (bytes < 1) {
        throw new IllegalArgumentException("expected a positive cache limit, got " + bytes);
      }
      cacheBytes = bytes;
      return this;
    }

    /**
     * Reads derived weights in the cache folder whole before they are used, and makes damaged ones
     * again. Otherwise files of more than 16 MiB are checked in parts: damage to the disk or to
     * much of a file is found, that of a single byte rarely.
     *
     * @param value by default false
     * @return this
     */
    public Builder verifyCache(boolean value) {
      verifyCache = value;
      return this;
    }

    /**
     * Sets the number of threads of each operator on the processor.
     *
     * @param count 1 to 1024; by default one a core
     * @return this
     * @throws IllegalArgumentException if it is none of these; the system would run out of threads
     */
    public Builder threads(int count) {
      if (count < 1 || count > MAX_THREADS) {
        throw new IllegalArgumentException(
            "expected 1 to " + MAX_THREADS + " threads, got " + count);
      }
      threads = OptionalInt.of(count);
      return this;
    }

    /**
     * Lets ONNX Runtime copy weights into the layout that its matrix products like best: somewhat
     * faster on the processor, for a second copy of all weights in memory.
     *
     * @param value by default false
     * @return this
     */
    public Builder prepacking(boolean value) {
      prepacking = value;
      return this;
    }

    /** Sets the families that the model may be of. */
    Builder families(List<ModelFamily> value) {
      families = List.copyOf(value);
      return this;
    }

    /**
     * Opens checkpoint and adapters, checks them, converts and merges weights if need be, and loads
     * the networks.
     *
     * @return the pipeline; the caller closes it
     * @throws IOException if a file is missing or cannot be read or written
     * @throws io.github.urae.FileFormatException if a file is damaged
     * @throws io.github.urae.ModelException if the checkpoint is not one of FLUX.1, or incomplete
     * @throws io.github.urae.AdapterException if an adapter does not fit
     * @throws InvalidRequestException if the device has no arithmetic of this precision
     * @throws io.github.urae.InferenceException if ONNX Runtime refuses
     * @throws IllegalStateException if no model is set
     */
    public FluxPipeline build() throws IOException {
      ModelSource source = ModelSource.at(new ModelLocation(model(), parts()), families);
      NativeLibraries.unpackInto(cacheFolder());
      TokenizerLibrary.loadAhead();
      OnnxLibrary.load();
      Device resolved = OnnxEngine.resolve(device);
      Arithmetic arithmetic = OnnxEngine.arithmetic(resolved, precision);
      PipelineSettings settings =
          new PipelineSettings(
              new SessionSettings(
                  resolved, threads, prepacking || arithmetic.linear().needsPrepacking()),
              arithmetic,
              offload,
              new WeightCache(cacheFolder(), cacheBytes, verifyCache),
              memoryLimit,
              new AdapterOptions(ignoresUnmatched(), allowsBareMinorComponents()));
      try {
        return new FluxPipeline(
            Networks.open(source, settings, adapters(), loadWhenNeeded, listener(), cancellation()),
            maxConcurrent);
      } catch (NoSuchFileException e) {
        throw HuggingFaceCache.explained(e);
      }
    }
  }
}
