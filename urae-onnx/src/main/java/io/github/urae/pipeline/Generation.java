package io.github.urae.pipeline;

import io.github.urae.CancellationToken;
import io.github.urae.InvalidRequestException;
import io.github.urae.StepProgress;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.LatentGrid;
import io.github.urae.flux.Profile;
import io.github.urae.flux.PromptEmbeddings;
import io.github.urae.flux.Schedule;
import io.github.urae.flux.TorchGenerator;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.concurrent.ThreadLocalRandom;

/** One generation, in numbered steps. */
final class Generation {

  /** Guidance scale where a request sets none, as in diffusers. */
  private static final double DEFAULT_GUIDANCE = 3.5;

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
    grid = new LatentGrid(request.width().orElse(nativeSize), request.height().orElse(nativeSize));
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

  /** Settles the number of text tokens. */
  static int textTokens(Networks networks, OptionalInt requested) {
    int most = networks.maxTextTokens();
    int tokens = requested.orElse(most);
    if (tokens < 1 || tokens > most) {
      throw new InvalidRequestException(
          "T5 sequence length: expected 1 to " + most + " tokens, found " + tokens);
    }
    return tokens;
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

  List<GeneratedImage> run() throws IOException {
    // 1. Encode the prompts.
    PromptEmbeddings embeddings =
        request.embeddings().isPresent() ? request.embeddings().get() : encode();

    // 2. Draw the noise, of all images in one go.
    List<Long> seeds = seeds();
    float[] noise = request.latents().map(Tensor::toFloats).orElseGet(() -> noise(seeds));

    // 3. Denoise, a batch at a time.
    float[] latents = denoise(noise, embeddings);

    // 4. Decode, an image at a time.
    List<GeneratedImage> result = new ArrayList<>();
    try (NetworkUse vae = networks.use(Part.VAE_DECODER)) {
      ImageDecoder decoder = new ImageDecoder(vae, checkpoint.vae());
      for (int i = 0; i < images; i++) {
        float[] own = part(latents, i, 1);
        int[] pixels = decoder.decode(grid, own, cancellation);
        result.add(new GeneratedImage(grid, pixels, own, settings(i, seeds)));
      }
    }
    return result;
  }

  private PromptEmbeddings encode() throws IOException {
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

  private float[] denoise(float[] noise, PromptEmbeddings embeddings) throws IOException {
    try (NetworkUse transformer = networks.use(Part.TRANSFORMER)) {
      return denoise(transformer, noise, embeddings);
    }
  }

  private float[] denoise(NetworkUse transformer, float[] noise, PromptEmbeddings embeddings) {
    Denoiser denoiser =
        new Denoiser(
            transformer,
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
        networks.adapters().stream().map(GenerationSettings.AdapterUse::of).toList(),
        networks.device().toString(),
        networks.elementType().toString());
  }

  private static Optional<String> at(List<String> texts, int index) {
    return texts.isEmpty() ? Optional.empty() : Optional.of(texts.get(index));
  }
}
