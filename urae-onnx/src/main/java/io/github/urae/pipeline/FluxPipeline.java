package io.github.urae.pipeline;

import io.github.urae.CancellationToken;
import io.github.urae.InvalidRequestException;
import io.github.urae.ProgressListener;
import io.github.urae.StepProgress;
import io.github.urae.cache.WeightCache;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.LatentGrid;
import io.github.urae.flux.Profile;
import io.github.urae.flux.PromptEmbeddings;
import io.github.urae.flux.Schedule;
import io.github.urae.flux.TorchGenerator;
import io.github.urae.session.Device;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import java.io.Closeable;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.concurrent.ThreadLocalRandom;

/**
 * FLUX.1 text to image.
 *
 * <pre>{@code
 * try (FluxPipeline pipeline = FluxPipeline.builder().model(Path.of("FLUX.1-dev")).build()) {
 *   pipeline.generate("An astronaut riding a green horse", 2048, 2048).save(Path.of("a.png"));
 * }
 * }</pre>
 *
 * <p>Thread-safe: any number of threads may generate at once, each needing its own working memory.
 * Owns native memory and open files until {@link #close()}.
 */
public final class FluxPipeline implements Closeable {

  /** Guidance scale where a request sets none, as in diffusers. */
  private static final double DEFAULT_GUIDANCE = 3.5;

  private final Shared<Networks> networks;
  private final FluxCheckpoint checkpoint;

  private FluxPipeline(Networks networks) {
    this.networks = new Shared<>(networks);
    this.checkpoint = networks.checkpoint();
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
   * @throws IllegalStateException if this pipeline is closed
   */
  public GeneratedImage generate(String prompt, int width, int height) {
    return generate(GenerationRequest.builder(prompt).size(width, height).build()).get(0);
  }

  /**
   * Draws pictures.
   *
   * @param request what to draw, and how
   * @return one picture for each prompt and image, prompts varying slowest
   * @throws InvalidRequestException if the request does not fit the checkpoint
   * @throws io.github.urae.GenerationCancelledException if it was cancelled, or the thread
   *     interrupted
   * @throws io.github.urae.InferenceException if ONNX Runtime fails, for want of memory for
   *     instance
   * @throws IllegalStateException if this pipeline is closed
   */
  public List<GeneratedImage> generate(GenerationRequest request) {
    try (Shared.Lease<Networks> lease = lease()) {
      return new Generation(lease.get(), request).run();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * Encodes prompts, to be used in several requests.
   *
   * @param prompts one or more
   * @param textTokens number of text tokens; empty for the checkpoint's own
   * @return their embeddings
   * @throws InvalidRequestException if there is no prompt, or there are too many tokens
   * @throws IllegalStateException if this pipeline is closed
   */
  public PromptEmbeddings encode(List<String> prompts, OptionalInt textTokens) {
    if (prompts.isEmpty()) {
      throw new InvalidRequestException("prompt: expected one or more, found none");
    }
    try (Shared.Lease<Networks> lease = lease()) {
      Networks open = lease.get();
      int tokens = textTokens(open, textTokens);
      return open.encoders().encode(prompts, prompts, tokens, new CancellationToken());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private Shared.Lease<Networks> lease() {
    try {
      return networks.lease();
    } catch (IllegalStateException e) {
      throw new IllegalStateException("this FluxPipeline is closed", e);
    }
  }

  private static int textTokens(Networks networks, OptionalInt requested) {
    int most = networks.maxTextTokens();
    int tokens = requested.orElse(most);
    if (tokens < 1 || tokens > most) {
      throw new InvalidRequestException(
          "T5 sequence length: expected 1 to " + most + " tokens, found " + tokens);
    }
    return tokens;
  }

  /**
   * Returns the checkpoint.
   *
   * @return its configurations
   */
  public FluxCheckpoint checkpoint() {
    return checkpoint;
  }

  /**
   * Returns where this pipeline runs.
   *
   * @return a processor or GPU
   */
  public Device device() {
    try (Shared.Lease<Networks> lease = lease()) {
      return lease.get().device();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * Returns how long this pipeline has spent inside ONNX Runtime, for monitoring.
   *
   * @return the sum over all networks and threads
   */
  public Duration timeInRuntime() {
    try (Shared.Lease<Networks> lease = lease()) {
      return Duration.ofNanos(lease.get().nanosInRuntime());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * Closes the pipeline. Generations that are going on are completed first, on their own threads;
   * the last one releases the memory. Closing twice is harmless.
   *
   * @throws IOException if something cannot be closed
   */
  @Override
  public void close() throws IOException {
    networks.retire();
  }

  /** One generation, in numbered steps. */
  private static final class Generation {

    private final Networks networks;
    private final FluxCheckpoint checkpoint;
    private final GenerationRequest request;
    private final CancellationToken cancellation;
    private final LatentGrid grid;
    private final int textTokens;
    private final int images;
    private final Profile profile;
    private final Schedule schedule;
    private final OptionalDouble guidance;

    /** Settles everything that the request leaves to the checkpoint, and checks that it fits. */
    Generation(Networks networks, GenerationRequest request) {
      this.networks = networks;
      this.checkpoint = networks.checkpoint();
      this.request = request;
      this.cancellation = request.cancellation();
      int nativeSize = checkpoint.nativeSize();
      grid =
          new LatentGrid(request.width().orElse(nativeSize), request.height().orElse(nativeSize));
      textTokens =
          request.embeddings().isPresent()
              ? embeddedTokens(request.embeddings().get())
              : textTokens(networks, request.maxSequenceLength());
      images = Math.multiplyExact(request.promptCount(), request.imagesPerPrompt());
      boolean aboveNative = (long) grid.width() * grid.height() > (long) nativeSize * nativeSize;
      profile = request.profile(checkpoint.scheduler(), networks.nativeTokens(), aboveNative);
      int steps = request.steps().orElse(checkpoint.defaultSteps());
      schedule = Schedule.of(steps, profile.shift(), grid.tokens());
      guidance =
          checkpoint.transformer().guidance()
              ? OptionalDouble.of(request.guidance().orElse(DEFAULT_GUIDANCE))
              : OptionalDouble.empty();
      checkSize();
      request.latents().ifPresent(this::checkLatents);
    }

    private int embeddedTokens(PromptEmbeddings embeddings) {
      Shape pooled = embeddings.pooled().shape();
      Shape sequence = embeddings.sequence().shape();
      if (pooled.dimension(1) != checkpoint.transformer().pooledDim()
          || sequence.dimension(2) != checkpoint.transformer().textDim()) {
        throw new InvalidRequestException(
            "embeddings: this checkpoint takes [prompts, "
                + checkpoint.transformer().pooledDim()
                + "] and [prompts, tokens, "
                + checkpoint.transformer().textDim()
                + "], found "
                + pooled
                + " and "
                + sequence);
      }
      int tokens = Math.toIntExact(sequence.dimension(1));
      return textTokens(networks, OptionalInt.of(tokens));
    }

    /** ONNX Runtime counts the elements of a tensor in 32 bits in places. */
    private void checkSize() {
      long width = 5L * checkpoint.transformer().width();
      int batch = Math.min(request.batchSize(), images);
      long elements = Math.multiplyExact(batch * (textTokens + grid.tokens()), width);
      if (elements > Integer.MAX_VALUE) {
        throw new InvalidRequestException(
            grid.width()
                + "x"
                + grid.height()
                + " pixels, "
                + batch
                + " at once: too large, the transformer's widest activation would have "
                + elements
                + " elements, more than "
                + Integer.MAX_VALUE);
      }
    }

    private void checkLatents(Tensor latents) {
      Shape expected = Shape.of(images, grid.tokens(), LatentGrid.PACKED_CHANNELS);
      if (!latents.shape().equals(expected)) {
        throw new InvalidRequestException(
            "latents: expected "
                + expected
                + " for "
                + images
                + " images of "
                + grid.width()
                + "x"
                + grid.height()
                + ", found "
                + latents.shape());
      }
    }

    List<GeneratedImage> run() {
      // 1. Encode the prompts.
      PromptEmbeddings embeddings = request.embeddings().orElseGet(this::encode);

      // 2. Draw the noise, of all images in one go.
      List<Long> seeds = seeds();
      float[] noise = request.latents().map(Tensor::toFloats).orElseGet(() -> noise(seeds));

      // 3. Denoise, a batch at a time.
      float[] latents = denoise(noise, embeddings);

      // 4. Decode, an image at a time.
      ImageDecoder decoder = networks.decoder();
      List<GeneratedImage> result = new ArrayList<>();
      for (int i = 0; i < images; i++) {
        float[] own = part(latents, i, 1);
        int[] pixels = decoder.decode(grid, own, cancellation);
        result.add(new GeneratedImage(grid, pixels, own, settings(i, seeds)));
      }
      return result;
    }

    private PromptEmbeddings encode() {
      List<String> second =
          request.secondPrompts().isEmpty() ? request.prompts() : request.secondPrompts();
      return networks.encoders().encode(request.prompts(), second, textTokens, cancellation);
    }

    /** None if latents are given, else one for all images or one for each. */
    private List<Long> seeds() {
      if (request.latents().isPresent()) {
        return List.of();
      }
      // 32 bits, since PyTorch's generator uses no more.
      return request.seeds().isEmpty()
          ? List.of(ThreadLocalRandom.current().nextLong(1L << 32))
          : request.seeds();
    }

    private float[] noise(List<Long> seeds) {
      int elements = grid.latentElements();
      if (seeds.size() == 1) {
        return grid.pack(
            new TorchGenerator(seeds.get(0)).randn(Math.multiplyExact(images, elements)));
      }
      float[] all = new float[Math.multiplyExact(images, elements)];
      for (int i = 0; i < images; i++) {
        float[] own = new TorchGenerator(seeds.get(i)).randn(elements);
        System.arraycopy(own, 0, all, i * elements, elements);
      }
      return grid.pack(all);
    }

    private float[] denoise(float[] noise, PromptEmbeddings embeddings) {
      Denoiser denoiser =
          new Denoiser(
              networks.transformer(),
              checkpoint.transformer(),
              grid,
              textTokens,
              profile,
              schedule,
              guidance.orElse(0));
      float[] latents = new float[noise.length];
      int batches = (images + request.batchSize() - 1) / request.batchSize();
      long start = System.nanoTime();
      for (int batch = 0; batch < batches; batch++) {
        int first = batch * request.batchSize();
        int count = Math.min(request.batchSize(), images - first);
        int stepsBefore = batch * schedule.steps();
        float[] denoised =
            denoiser.denoise(
                part(noise, first, count),
                embeddingsOf(embeddings, first, count),
                cancellation,
                (step, current) ->
                    request
                        .listener()
                        .onStep(
                            new StepProgress(
                                stepsBefore + step + 1,
                                batches * schedule.steps(),
                                schedule.sigma(step),
                                schedule.sigma(step + 1),
                                Duration.ofNanos(System.nanoTime() - start),
                                cancellation)));
        System.arraycopy(denoised, 0, latents, first * grid.latentElements(), denoised.length);
      }
      return latents;
    }

    private float[] part(float[] all, int first, int count) {
      int elements = grid.latentElements();
      return Arrays.copyOfRange(all, first * elements, (first + count) * elements);
    }

    /** Embeddings of a range of images, the prompt's repeated for each of its images. */
    private PromptEmbeddings embeddingsOf(PromptEmbeddings prompts, int first, int count) {
      return new PromptEmbeddings(
          rowsOf(prompts.pooled(), first, count), rowsOf(prompts.sequence(), first, count));
    }

    private Tensor rowsOf(Tensor prompts, int first, int count) {
      long[] dimensions = prompts.shape().toArray();
      int row = Math.toIntExact(prompts.shape().elementCount() / dimensions[0]);
      float[] rows = new float[Math.multiplyExact(count, row)];
      for (int i = 0; i < count; i++) {
        int prompt = (first + i) / request.imagesPerPrompt();
        prompts.toFloats((long) prompt * row, rows, i * row, row);
      }
      dimensions[0] = count;
      return Tensor.ofFloats(rows, dimensions);
    }

    private GenerationSettings settings(int image, List<Long> seeds) {
      int prompt = image / request.imagesPerPrompt();
      boolean together = seeds.size() == 1;
      return new GenerationSettings(
          checkpoint.name(),
          at(request.prompts(), prompt),
          at(request.secondPrompts(), prompt),
          grid.width(),
          grid.height(),
          schedule.steps(),
          guidance,
          seeds.isEmpty() ? OptionalLong.empty() : OptionalLong.of(seeds.get(together ? 0 : image)),
          together ? image : 0,
          together ? images : 1,
          textTokens,
          profile,
          networks.device().toString(),
          networks.elementType().toString());
    }

    private static Optional<String> at(List<String> texts, int index) {
      return texts.isEmpty() ? Optional.empty() : Optional.of(texts.get(index));
    }
  }

  /** Collects the settings of a pipeline. Not thread-safe. */
  public static final class Builder {

    private Path model;
    private Device device = Device.auto();
    private Path cacheFolder = WeightCache.defaultFolder();
    private long cacheBytes = WeightCache.DEFAULT_MAX_BYTES;
    private OptionalInt threads = OptionalInt.empty();
    private boolean prepacking;
    private ProgressListener listener = ProgressListener.NONE;
    private CancellationToken cancellation = new CancellationToken();

    private Builder() {}

    /**
     * Sets the checkpoint. Required.
     *
     * @param folder a FLUX.1 checkpoint in diffusers layout, also in a Hugging Face cache
     * @return this
     */
    public Builder model(Path folder) {
      model = Objects.requireNonNull(folder, "model");
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
     * Sets the folder for derived files: weights in another element type, and native libraries. May
     * be shared by any number of pipelines and processes, and deleted when none is starting.
     *
     * @param folder made when needed; by default {@code $XDG_CACHE_HOME/urae} or {@code
     *     ~/.cache/urae}
     * @return this
     */
    public Builder cacheFolder(Path folder) {
      cacheFolder = Objects.requireNonNull(folder, "cacheFolder");
      return this;
    }

    /**
     * Bounds the size of derived weights in the cache folder; the least recently used are deleted.
     *
     * @param bytes positive; by default 100 GiB
     * @return this
     */
    public Builder cacheLimit(long bytes) {
      cacheBytes = bytes;
      return this;
    }

    /**
     * Sets the number of threads of each operator on the processor.
     *
     * @param count at least 1; by default one a core
     * @return this
     */
    public Builder threads(int count) {
      if (count < 1) {
        throw new IllegalArgumentException("expected 1 thread or more, got " + count);
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

    /**
     * Sets who hears of long work while the pipeline is built: converting weights.
     *
     * @param value called on the thread that builds
     * @return this
     */
    public Builder listener(ProgressListener value) {
      listener = Objects.requireNonNull(value, "listener");
      return this;
    }

    /**
     * Sets what cancels that work from another thread.
     *
     * @param value a token
     * @return this
     */
    public Builder cancellation(CancellationToken value) {
      cancellation = Objects.requireNonNull(value, "cancellation");
      return this;
    }

    /**
     * Opens the checkpoint, checks it, converts weights if need be, and loads all networks.
     *
     * @return the pipeline; the caller closes it
     * @throws IOException if a file is missing or cannot be read or written
     * @throws io.github.urae.FileFormatException if a file is damaged
     * @throws io.github.urae.ModelException if the checkpoint is not one of FLUX.1, or incomplete
     * @throws io.github.urae.InferenceException if ONNX Runtime refuses
     * @throws IllegalStateException if no model is set
     */
    public FluxPipeline build() throws IOException {
      if (model == null) {
        throw new IllegalStateException("expected a model; call model(Path)");
      }
      WeightCache cache = new WeightCache(cacheFolder, cacheBytes);
      return new FluxPipeline(
          Networks.open(model, device, cache, threads, prepacking, listener, cancellation));
    }
  }
}
