package io.github.urae.onnx.internal.generation;

import io.github.urae.CancellationToken;
import io.github.urae.InvalidRequestException;
import io.github.urae.ProgressListener;
import io.github.urae.flux.CoarseToFine;
import io.github.urae.flux.GeneratedImage;
import io.github.urae.flux.GenerationPlan;
import io.github.urae.flux.GenerationRecord;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.InitialImage;
import io.github.urae.flux.InitialLatents;
import io.github.urae.flux.Profile;
import io.github.urae.flux.PromptEmbeddings;
import io.github.urae.flux.Seeds;
import io.github.urae.flux.Start;
import io.github.urae.flux.TextPrompts;
import io.github.urae.flux.TrueGuidance;
import io.github.urae.flux.VaeTiling;
import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.flux.arithmetic.LatentLayout;
import io.github.urae.flux.arithmetic.Schedule;
import io.github.urae.flux.arithmetic.TorchGenerator;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.Checkpoint;
import io.github.urae.image.RgbImage;
import io.github.urae.onnx.internal.image.ImageDecoder;
import io.github.urae.onnx.internal.image.ImageEncoder;
import io.github.urae.onnx.internal.image.LatentPreview;
import io.github.urae.onnx.internal.image.Plane;
import io.github.urae.onnx.internal.image.VaeMemory;
import io.github.urae.onnx.internal.model.Networks;
import io.github.urae.onnx.internal.session.NetworkUse;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.concurrent.ThreadLocalRandom;
import java.util.stream.Stream;

/** One generation, in numbered steps. */
public final class Generation {

  private final Networks networks;
  private final Checkpoint checkpoint;
  private final GenerationRequest request;
  private final Denoiser.StepObserver observer;
  private final ProgressListener listener;
  private final CancellationToken cancellation;
  private final LatentGrid grid;
  private final int textTokens;
  private final int images;
  private final Optional<Pass> draft;
  private final Pass full;
  private final OptionalDouble guidance;
  private final VaeTiling tiling;

  /**
   * One way through a schedule at one size.
   *
   * @param whole the schedule from noise on
   * @param schedule the part that runs
   */
  private record Pass(LatentGrid grid, Profile profile, Schedule whole, Schedule schedule) {}

  /** Settles everything that the request leaves to the checkpoint, and checks that it fits. */
  public Generation(Networks networks, GenerationRequest request) {
    this(networks, request, ProgressListener.NONE, new CancellationToken());
  }

  /** The same with somebody who is told of the steps, and what cancels this generation alone. */
  public Generation(
      Networks networks,
      GenerationRequest request,
      ProgressListener listener,
      CancellationToken cancellation) {
    this(networks, request, listener, cancellation, (step, latents, velocity) -> {});
  }

  /** The same with somebody who sees the latents after every step. */
  public Generation(Networks networks, GenerationRequest request, Denoiser.StepObserver observer) {
    this(networks, request, ProgressListener.NONE, new CancellationToken(), observer);
  }

  private Generation(
      Networks networks,
      GenerationRequest request,
      ProgressListener listener,
      CancellationToken cancellation,
      Denoiser.StepObserver observer) {
    this.listener = listener;
    this.cancellation = cancellation;
    this.observer = observer;
    this.networks = networks;
    this.checkpoint = networks.checkpoint();
    this.request = request;
    int nativeSize = checkpoint.nativeSize();
    LatentLayout layout = checkpoint.family().latents();
    grid =
        new LatentGrid(
            layout, request.width().orElse(nativeSize), request.height().orElse(nativeSize));
    textTokens =
        request.prompts() instanceof TextPrompts text
            ? textTokens(networks, text.maxSequenceLength())
            : embeddedTokens((PromptEmbeddings) request.prompts());
    images = request.images();
    boolean aboveNative = (long) grid.width() * grid.height() > (long) nativeSize * nativeSize;
    Profile profile =
        checkpoint.scheduler().profile(request.profile(), networks.nativeTokens(), aboveNative);
    int steps = request.steps().orElse(checkpoint.defaultSteps());
    full = pass(grid, profile, steps, request.start().map(Start::strength).orElse(1.0));
    draft =
        start(CoarseToFine.class)
            .map(
                settings ->
                    pass(
                        grid.draft(nativeSize),
                        checkpoint.scheduler().standard(networks.nativeTokens()),
                        settings.draftSteps().orElse(steps),
                        1));
    guidance =
        checkpoint.transformer().guidance()
            ? OptionalDouble.of(request.guidance().orElse(checkpoint.family().guidanceScale()))
            : OptionalDouble.empty();
    checkSize();
    tiling = tiling();
    start(InitialLatents.class).map(InitialLatents::latents).ifPresent(this::checkLatents);
  }

  private static Pass pass(LatentGrid grid, Profile profile, int steps, double strength) {
    Schedule whole = Schedule.of(steps, profile.shift(), grid.tokens());
    return new Pass(grid, profile, whole, whole.lastPart(strength));
  }

  private <S extends Start> Optional<S> start(Class<S> kind) {
    return request.start().filter(kind::isInstance).map(kind::cast);
  }

  private Optional<TrueGuidance> trueGuidance() {
    return request.trueGuidance().filter(TrueGuidance::active);
  }

  /** Settles the number of text tokens. */
  public static int textTokens(Networks networks, OptionalInt requested) {
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

  /** Left to itself, the autoencoder works in tiles where it would exceed the memory limit. */
  private VaeTiling tiling() {
    OptionalLong limit = networks.memoryLimit();
    boolean tooMuch =
        limit.isPresent()
            && plan(grid, batchSize(), request.vaeTiling()).peakBytes() > limit.getAsLong();
    return tooMuch && request.vaeTiling() == VaeTiling.AUTO ? VaeTiling.ON : request.vaeTiling();
  }

  /** Returns what this generation is expected to take. */
  public GenerationPlan plan() {
    return plan(grid, batchSize(), tiling);
  }

  private int batchSize() {
    return Math.min(request.batchSize(), images);
  }

  private GenerationPlan plan(LatentGrid size, int batch, VaeTiling vaeTiling) {
    int passes = trueGuidance().isPresent() ? 2 : 1;
    return networks
        .planner()
        .plan(size, textTokens, full.schedule().steps(), batch, images, passes, vaeTiling);
  }

  /** Refuses what would exceed the memory limit, and names what would not. */
  public void checkMemory() {
    OptionalLong limit = networks.memoryLimit();
    if (limit.isEmpty() || plan().peakBytes() <= limit.getAsLong()) {
      return;
    }
    throw new InvalidRequestException(
        grid.width()
            + "x"
            + grid.height()
            + " pixels: the "
            + plan().largest().name()
            + " is expected to take "
            + megabytes(plan().peakBytes())
            + ", more than the memory limit of "
            + megabytes(limit.getAsLong())
            + "; "
            + whatFits(limit.getAsLong()));
  }

  private String whatFits(long limit) {
    if (plan(grid, batchSize(), VaeTiling.ON).peakBytes() <= limit) {
      return "with VAE tiling on it fits";
    }
    if (plan(grid, 1, VaeTiling.ON).peakBytes() <= limit) {
      return "with a batch size of 1 it fits";
    }
    int unit = grid.layout().pixelsPerToken();
    for (int parts = 63; parts > 0; parts--) {
      int width = grid.columns() * parts / 64 * unit;
      int height = grid.rows() * parts / 64 * unit;
      if (width > 0
          && height > 0
          && plan(new LatentGrid(grid.layout(), width, height), 1, VaeTiling.ON).peakBytes()
              <= limit) {
        return "a size of "
            + width
            + "x"
            + height
            + (images > 1 ? " in batches of 1" : "")
            + " fits";
      }
    }
    return "no size fits; raise the limit";
  }

  private static String megabytes(long bytes) {
    return String.format(Locale.ROOT, "%d MB", bytes >> 20);
  }

  private void checkLatents(Tensor latents) {
    Shape expected = Shape.of(images, grid.tokens(), grid.layout().packedChannels());
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

  public List<GeneratedImage> run() throws IOException {
    // 1. Encode the prompts.
    Conditioning conditioning = conditioning();

    // 2. Find the pictures to start from: one for all, a draft of each, or none.
    Seeds seeds = seeds();
    StepReporter reporter = reporter();
    List<RgbImage> starts = start(InitialImage.class).map(InitialImage::image).stream().toList();
    if (draft.isPresent()) {
      starts = draft(draft.get(), seeds, conditioning, reporter);
    }

    // 3. Draw the noise, of all images in one go, and mix it into those pictures.
    float[] noise = startLatents(full, seeds, starts);

    // 4. Denoise, a batch at a time.
    float[] latents = denoise(full, noise, conditioning, reporter);

    // 5. Decode, an image at a time.
    GenerationRequest settled = settled(seeds);
    List<GeneratedImage> result = new ArrayList<>();
    try (NetworkUse vae = networks.use(Component.VAE_DECODER)) {
      ImageDecoder decoder = new ImageDecoder(vae, checkpoint.vae());
      for (int i = 0; i < images; i++) {
        float[] own = part(grid, latents, i, 1);
        int[] pixels = decoder.decode(grid, own, tiling, cancellation);
        result.add(
            new GeneratedImage(
                RgbImage.of(grid.width(), grid.height(), pixels),
                Tensor.ofFloats(own, 1, grid.tokens(), grid.layout().packedChannels()),
                record(settled.image(i))));
      }
    }
    return result;
  }

  private Conditioning conditioning() throws IOException {
    PromptEmbeddings prompts =
        request.prompts() instanceof TextPrompts text
            ? encode(text.prompts(), text.t5Prompts())
            : (PromptEmbeddings) request.prompts();
    if (trueGuidance().isEmpty()) {
      return Conditioning.of(prompts);
    }
    TrueGuidance away = trueGuidance().get();
    PromptEmbeddings negative = encode(away.negativePrompts(), away.negativePrompts());
    return new Conditioning(prompts, Optional.of(negative), away.scale());
  }

  private PromptEmbeddings encode(List<String> clipPrompts, List<String> t5Prompts)
      throws IOException {
    return networks.encoders().encode(clipPrompts, t5Prompts, textTokens, cancellation);
  }

  /** None if latents are given, else one for all images or one for each. */
  private Seeds seeds() {
    if (start(InitialLatents.class).isPresent()) {
      return Seeds.RANDOM;
    }
    // 32 bits, since PyTorch's generator uses no more.
    return request.seeds().values().isEmpty()
        ? Seeds.of(ThreadLocalRandom.current().nextLong(1L << 32))
        : request.seeds();
  }

  private StepReporter reporter() {
    int batches = (images + request.batchSize() - 1) / request.batchSize();
    StepReporter reporter =
        new StepReporter(listener, cancellation, checkpoint.transformer().width());
    draft.ifPresent(
        pass ->
            reporter.expect(batches * pass.schedule().steps(), textTokens + pass.grid().tokens()));
    reporter.expect(batches * full.schedule().steps(), textTokens + grid.tokens());
    return reporter;
  }

  /** Draws all images at a smaller size. */
  private List<RgbImage> draft(
      Pass pass, Seeds seeds, Conditioning conditioning, StepReporter reporter) throws IOException {
    float[] latents = denoise(pass, startLatents(pass, seeds, List.of()), conditioning, reporter);
    List<RgbImage> drafts = new ArrayList<>();
    try (NetworkUse vae = networks.use(Component.VAE_DECODER)) {
      ImageDecoder decoder = new ImageDecoder(vae, checkpoint.vae());
      for (int i = 0; i < images; i++) {
        float[] own = part(pass.grid(), latents, i, 1);
        int[] pixels = decoder.decode(pass.grid(), own, tiling, cancellation);
        drafts.add(RgbImage.of(pass.grid().width(), pass.grid().height(), pixels));
      }
    }
    return drafts;
  }

  /**
   * Returns what the first step of a pass starts from, [images, tokens, packed channels]. Each
   * generator first draws the encoder's sample and then the noise, as in diffusers.
   */
  private float[] startLatents(Pass pass, Seeds seeds, List<RgbImage> starts) throws IOException {
    Optional<InitialLatents> given = start(InitialLatents.class);
    if (given.isPresent()) {
      return given.get().latents().toFloats();
    }
    List<TorchGenerator> generators = seeds.values().stream().map(TorchGenerator::new).toList();
    Optional<Seeds.Part> part = seeds.part();
    if (starts.isEmpty()) {
      return pass.grid().pack(noise(pass.grid(), generators, images, part));
    }
    // One initial image is sampled once for all images, drafts once each.
    Optional<Seeds.Part> sampled = draft.isPresent() ? part : Optional.empty();
    float[] samples = noise(pass.grid(), generators, starts.size(), sampled);
    float[] clean = encoded(pass.grid(), samples, starts);
    float[] noise = noise(pass.grid(), generators, images, part);
    return pass.grid().pack(pass.schedule().noised(clean, noise));
  }

  /**
   * Draws noise for several pictures: all from one generator, which draws and drops that of the
   * others of which they are a part; or each from its own.
   */
  private static float[] noise(
      LatentGrid grid, List<TorchGenerator> generators, int count, Optional<Seeds.Part> part) {
    int elements = grid.latentElements();
    if (generators.size() == 1) {
      int before = part.map(Seeds.Part::first).orElse(0);
      int after = part.map(Seeds.Part::of).orElse(count) - before - count;
      TorchGenerator generator = generators.get(0);
      generator.skip((long) before * elements);
      float[] noise = generator.randn(Math.multiplyExact(count, elements));
      generator.skip((long) after * elements);
      return noise;
    }
    float[] all = new float[Math.multiplyExact(generators.size(), elements)];
    for (int i = 0; i < generators.size(); i++) {
      System.arraycopy(generators.get(i).randn(elements), 0, all, i * elements, elements);
    }
    return all;
  }

  /** Encodes the start pictures, resized: latents of all images, [images, 16, H/8, W/8]. */
  private float[] encoded(LatentGrid grid, float[] noise, List<RgbImage> starts)
      throws IOException {
    int elements = grid.latentElements();
    boolean oneForAll = noise.length == elements;
    float[] all = new float[Math.multiplyExact(images, elements)];
    try (NetworkUse vae = networks.use(Component.VAE_ENCODER)) {
      ImageEncoder encoder = new ImageEncoder(vae, checkpoint.vae());
      Plane encoded = null;
      for (int i = 0; i < images; i++) {
        if (i < starts.size()) {
          RgbImage resized = starts.get(i).resized(grid.width(), grid.height());
          encoded = encoder.encode(resized, tiling, cancellation);
        }
        float[] latents = encoder.sample(encoded, noise, oneForAll ? 0 : i * elements);
        System.arraycopy(latents, 0, all, i * elements, elements);
      }
    }
    return all;
  }

  private float[] denoise(
      Pass pass, float[] noise, Conditioning conditioning, StepReporter reporter)
      throws IOException {
    try (NetworkUse transformer = networks.use(Component.TRANSFORMER)) {
      Denoiser denoiser =
          new Denoiser(
              transformer,
              checkpoint,
              pass.grid(),
              textTokens,
              pass.profile(),
              pass.schedule(),
              guidance.orElse(0));
      float[] latents = new float[noise.length];
      for (int first = 0; first < images; first += request.batchSize()) {
        int begin = first;
        int count = Math.min(request.batchSize(), images - first);
        float[] denoised =
            denoiser.denoise(
                part(pass.grid(), noise, begin, count),
                conditioning.map(prompts -> embeddingsOf(prompts, begin, count)),
                cancellation,
                (step, current, velocity) -> {
                  observer.onStep(step, current, velocity);
                  reporter.done(
                      pass.schedule(),
                      step,
                      textTokens + pass.grid().tokens(),
                      () -> previews(pass, step, current, velocity));
                });
        System.arraycopy(
            denoised, 0, latents, first * pass.grid().latentElements(), denoised.length);
      }
      return latents;
    }
  }

  /**
   * Takes the remaining noise out of latents, as the velocity tells it, and maps them to colours.
   */
  private List<RgbImage> previews(Pass pass, int step, float[] latents, float[] velocity) {
    Optional<LatentPreview> map = checkpoint.previews().map(LatentPreview::new);
    if (map.isEmpty()) {
      return List.of();
    }
    float sigma = pass.schedule().sigma(step + 1);
    float[] clean = new float[latents.length];
    for (int i = 0; i < clean.length; i++) {
      clean[i] = latents[i] - sigma * velocity[i];
    }
    List<RgbImage> previews = new ArrayList<>();
    for (int i = 0; i < clean.length / pass.grid().latentElements(); i++) {
      previews.add(map.get().preview(pass.grid(), part(pass.grid(), clean, i, 1)));
    }
    return previews;
  }

  private static float[] part(LatentGrid grid, float[] all, int first, int count) {
    int elements = grid.latentElements();
    return Arrays.copyOfRange(all, first * elements, (first + count) * elements);
  }

  /** Embeddings of a range of images, the prompt's repeated for each of its images. */
  private PromptEmbeddings embeddingsOf(PromptEmbeddings prompts, int first, int count) {
    return new PromptEmbeddings(
        rowsOf(prompts.pooled(), first, count), rowsOf(prompts.sequence(), first, count));
  }

  /** One row is for all images. */
  private Tensor rowsOf(Tensor prompts, int first, int count) {
    long[] dimensions = prompts.shape().toArray();
    int row = Math.toIntExact(prompts.shape().elementCount() / dimensions[0]);
    float[] rows = new float[Math.multiplyExact(count, row)];
    for (int i = 0; i < count; i++) {
      int prompt = dimensions[0] == 1 ? 0 : (first + i) / request.imagesPerPrompt();
      prompts.toFloats((long) prompt * row, rows, i * row, row);
    }
    dimensions[0] = count;
    return Tensor.ofFloats(rows, dimensions);
  }

  /** Returns the request with everything that the checkpoint and this generation added. */
  private GenerationRequest settled(Seeds seeds) {
    GenerationRequest.Builder settled =
        request.toBuilder()
            .size(grid.width(), grid.height())
            .steps(full.whole().steps())
            .guidance(guidance)
            .seeds(seeds)
            .profile(full.profile().settings())
            .vaeTiling(tiling);
    if (request.prompts() instanceof TextPrompts) {
      settled.maxSequenceLength(textTokens);
    }
    return settled.build();
  }

  private GenerationRecord record(GenerationRequest image) {
    return new GenerationRecord(
        image,
        checkpoint.name(),
        networks.adapters().stream()
            .map(adapter -> GenerationRecord.AdapterUse.of(adapter.path(), adapter.scale()))
            .toList(),
        networks.device().toString(),
        networks.elementType().toString(),
        Stream.concat(draft.stream(), Stream.of(full)).map(Generation::ran).toList(),
        VaeMemory.decodesInTiles(checkpoint.vae(), grid.latentHeight(), grid.latentWidth(), tiling),
        List.of());
  }

  private static GenerationRecord.Pass ran(Pass pass) {
    return new GenerationRecord.Pass(
        pass.grid().width(), pass.grid().height(), pass.schedule().steps());
  }
}
