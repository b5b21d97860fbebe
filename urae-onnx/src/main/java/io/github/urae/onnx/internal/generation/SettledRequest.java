package io.github.urae.onnx.internal.generation;

import io.github.urae.InvalidRequestException;
import io.github.urae.flux.CoarseToFine;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.InitialImage;
import io.github.urae.flux.InitialLatents;
import io.github.urae.flux.Profile;
import io.github.urae.flux.PromptEmbeddings;
import io.github.urae.flux.Start;
import io.github.urae.flux.TextPrompts;
import io.github.urae.flux.TrueGuidance;
import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.flux.arithmetic.Schedule;
import io.github.urae.flux.model.internal.Checkpoint;
import io.github.urae.onnx.internal.model.Networks;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;

/**
 * A request with everything settled that it leaves to the checkpoint, and checked against it.
 *
 * @param images pictures in all
 * @param draft the first pass of coarse to fine, if there is one
 * @param full the pass at the pictures' own size
 * @param guidance empty where the transformer takes none
 * @param work what runs
 */
record SettledRequest(
    GenerationRequest request,
    int textTokens,
    int images,
    Optional<Pass> draft,
    Pass full,
    OptionalDouble guidance,
    Workload work) {

  /**
   * Settles a request.
   *
   * @throws InvalidRequestException if it does not fit the checkpoint
   */
  static SettledRequest of(Networks networks, GenerationRequest request) {
    Checkpoint checkpoint = networks.checkpoint();
    int nativeSize = checkpoint.nativeSize();
    LatentGrid grid =
        new LatentGrid(
            checkpoint.family().latents(),
            request.width().orElse(nativeSize),
            request.height().orElse(nativeSize));
    checkHeap(grid, request.images());
    int textTokens =
        request.prompts() instanceof TextPrompts text
            ? textTokens(networks, text.maxSequenceLength())
            : embeddedTokens(networks, (PromptEmbeddings) request.prompts());
    int images = request.images();
    boolean aboveNative = (long) grid.width() * grid.height() > (long) nativeSize * nativeSize;
    Profile profile =
        checkpoint.scheduler().profile(request.profile(), networks.nativeTokens(), aboveNative);
    int steps = request.steps().orElse(checkpoint.defaultSteps());
    double strength = request.start().map(Start::strength).orElse(1.0);
    Pass full =
        Pass.of(grid, profile, schedule(networks, request, profile, grid, steps), strength, false);
    Optional<Pass> draft =
        start(request, CoarseToFine.class)
            .map(
                settings -> {
                  LatentGrid small = grid.draft(nativeSize);
                  Profile standard = checkpoint.scheduler().standard(networks.nativeTokens());
                  int draftSteps = settings.draftSteps().orElse(steps);
                  return Pass.of(
                      small,
                      standard,
                      schedule(networks, request, standard, small, draftSteps),
                      1,
                      true);
                });
    OptionalDouble guidance =
        checkpoint.transformer().guidance()
            ? OptionalDouble.of(request.guidance().orElse(checkpoint.family().guidanceScale()))
            : OptionalDouble.empty();
    Workload asked = workload(request, textTokens, images, draft, full);
    checkSize(asked, checkpoint);
    start(request, InitialLatents.class)
        .ifPresent(given -> checkLatents(given.latents(), images, grid));
    Workload work = MemoryBudget.of(networks).tiledIfNeeded(asked);
    return new SettledRequest(request, textTokens, images, draft, full, guidance, work);
  }

  private static Schedule schedule(
      Networks networks, GenerationRequest request, Profile profile, LatentGrid grid, int steps) {
    return networks
        .checkpoint()
        .scheduler()
        .schedule(request.sampling(), profile.shift(), steps, grid.tokens());
  }

  private static Workload workload(
      GenerationRequest request, int textTokens, int images, Optional<Pass> draft, Pass full) {
    int prompts = request.prompts() instanceof TextPrompts text ? text.count() : 0;
    Optional<TrueGuidance> away = trueGuidance(request);
    int negative = away.map(guidance -> guidance.negativePrompts().size()).orElse(0);
    return new Workload(
        full.grid(),
        prompts + negative,
        textTokens,
        full.schedule().steps(),
        evaluations(full),
        images,
        Math.min(request.batchSize(), images),
        away.isPresent() ? 2 : 1,
        draft.map(pass -> new Workload.Draft(pass.grid(), evaluations(pass))),
        draft.isPresent() ? images : start(request, InitialImage.class).isPresent() ? 1 : 0,
        request.vaeTiling());
  }

  private static int evaluations(Pass pass) {
    return pass.schedule().evaluations(pass.schedule().steps());
  }

  private static <S extends Start> Optional<S> start(GenerationRequest request, Class<S> kind) {
    return request.start().filter(kind::isInstance).map(kind::cast);
  }

  /** Returns what pictures start from, if it is of a kind. */
  <S extends Start> Optional<S> start(Class<S> kind) {
    return start(request, kind);
  }

  private static Optional<TrueGuidance> trueGuidance(GenerationRequest request) {
    return request.trueGuidance().filter(TrueGuidance::active);
  }

  /** Returns what pictures are guided away from, if that changes anything. */
  Optional<TrueGuidance> trueGuidance() {
    return trueGuidance(request);
  }

  LatentGrid grid() {
    return full.grid();
  }

  /** Returns the number of denoising steps over all batches and passes. */
  int steps() {
    int batches = (images + work.batch() - 1) / work.batch();
    int each = full.schedule().steps() + draft.map(pass -> pass.schedule().steps()).orElse(0);
    return Math.multiplyExact(batches, each);
  }

  /** Settles the number of text tokens. */
  static int textTokens(Networks networks, OptionalInt requested) {
    int most = networks.maxTextTokens();
    int tokens = requested.orElse(most);
    if (tokens < 1 || tokens > most) {
      throw InvalidRequestException.of(
          "max_sequence_length",
          "T5 sequence length: expected 1 to " + most + " tokens, found " + tokens);
    }
    return tokens;
  }

  private static int embeddedTokens(Networks networks, PromptEmbeddings embeddings) {
    Checkpoint checkpoint = networks.checkpoint();
    Shape pooled = embeddings.pooled().shape();
    Shape sequence = embeddings.sequence().shape();
    if (pooled.dimension(1) != checkpoint.transformer().pooledDim()
        || sequence.dimension(2) != checkpoint.transformer().textDim()) {
      throw InvalidRequestException.of(
          "embeddings",
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

  /** What all pictures take in any case: their noise, their latents and the pixels. */
  private static void checkHeap(LatentGrid grid, int images) {
    double latents = (double) grid.tokens() * grid.layout().packedChannels() * images;
    double pixels = (double) grid.width() * grid.height() * images;
    double bytes = (2 * latents + pixels) * Float.BYTES;
    long heap = Runtime.getRuntime().maxMemory();
    if (latents > Integer.MAX_VALUE - 8 || bytes > heap) {
      throw InvalidRequestException.of(
          "size",
          String.format(
              Locale.ROOT,
              "%d images of %dx%d: their noise and pixels take %.0f MB, more than Java's %d;"
                  + " draw fewer at once, smaller ones, or allow more with -Xmx",
              images,
              grid.width(),
              grid.height(),
              bytes / (1 << 20),
              heap >> 20));
    }
  }

  /** ONNX Runtime counts the elements of a tensor in 32 bits in places. */
  private static void checkSize(Workload work, Checkpoint checkpoint) {
    LatentGrid grid = work.grid();
    long width = 5L * checkpoint.transformer().width();
    long elements = Math.multiplyExact(work.batch() * (work.textTokens() + grid.tokens()), width);
    if (elements > Integer.MAX_VALUE) {
      throw InvalidRequestException.of(
          "size",
          grid.width()
              + "x"
              + grid.height()
              + " pixels, "
              + work.batch()
              + " at once: too large, the transformer's widest activation would have "
              + elements
              + " elements, more than "
              + Integer.MAX_VALUE);
    }
  }

  private static void checkLatents(Tensor latents, int images, LatentGrid grid) {
    Shape expected = Shape.of(images, grid.tokens(), grid.layout().packedChannels());
    if (!latents.shape().equals(expected)) {
      throw InvalidRequestException.of(
          "start.latents",
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
}
