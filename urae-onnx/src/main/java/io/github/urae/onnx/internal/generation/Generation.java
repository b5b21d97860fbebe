package io.github.urae.onnx.internal.generation;

import io.github.urae.CancellationToken;
import io.github.urae.Stage;
import io.github.urae.StageProgress.Unit;
import io.github.urae.flux.GeneratedImage;
import io.github.urae.flux.GenerationPlan;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.InitialImage;
import io.github.urae.flux.InitialLatents;
import io.github.urae.flux.PromptEmbeddings;
import io.github.urae.flux.RunOptions;
import io.github.urae.flux.Seeds;
import io.github.urae.flux.TextPrompts;
import io.github.urae.flux.TrueGuidance;
import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.Checkpoint;
import io.github.urae.image.RgbImage;
import io.github.urae.onnx.internal.image.ImageDecoder;
import io.github.urae.onnx.internal.image.ImageEncoder;
import io.github.urae.onnx.internal.image.LatentPreview;
import io.github.urae.onnx.internal.model.Networks;
import io.github.urae.onnx.internal.session.NetworkUse;
import io.github.urae.tensor.Tensor;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import java.util.stream.Stream;

/** One generation, in numbered steps. */
public final class Generation {

  private final Networks networks;
  private final Checkpoint checkpoint;
  private final GenerationRequest request;
  private final SettledRequest settled;
  private final RunOptions options;
  private final CancellationToken cancellation;
  private final Planner planner;
  private final GenerationProgress progress;
  private int stepsDone;

  /** Settles everything that the request leaves to the checkpoint, and checks that it fits. */
  public Generation(Networks networks, GenerationRequest request) {
    this(networks, request, RunOptions.NONE, new WorkRates());
  }

  /**
   * The same for somebody who is told of it.
   *
   * @param rates how fast networks have worked before; added to
   */
  public Generation(
      Networks networks, GenerationRequest request, RunOptions options, WorkRates rates) {
    this.networks = networks;
    this.checkpoint = networks.checkpoint();
    this.request = request;
    this.options = options;
    this.cancellation = options.cancellation().orElseGet(CancellationToken::new);
    settled = SettledRequest.of(networks, request);
    planner = Planner.of(networks);
    progress =
        new GenerationProgress(
            options.listener(), rates, System::nanoTime, planner.plan(settled.work()).phases());
  }

  /** Returns what this generation is expected to take. */
  public GenerationPlan plan() {
    return planner.plan(settled.work());
  }

  /** Refuses what would exceed the memory limit, and names what would not. */
  public void checkMemory() {
    MemoryBudget.of(networks).check(settled.work());
  }

  public List<GeneratedImage> run() throws IOException {
    // 1. Encode the prompts.
    Conditioning conditioning = conditioning();

    // 2. Find the pictures to start from: one for all, a draft of each, or none.
    Seeds seeds = seeds();
    List<RgbImage> starts =
        settled.start(InitialImage.class).map(InitialImage::image).stream().toList();
    if (settled.draft().isPresent()) {
      starts = draft(settled.draft().get(), seeds, conditioning);
    }

    // 3. Draw the noise, of all images in one go, and mix it into those pictures.
    float[] noise = startLatents(settled.full(), seeds, starts);

    // 4. Denoise, a batch at a time.
    float[] latents = denoise(settled.full(), noise, conditioning);

    // 5. Decode, an image at a time.
    List<GeneratedImage> result = new ArrayList<>();
    PictureRecords records = new PictureRecords(networks, settled, seeds);
    decode(
        settled.full(),
        latents,
        (own, pixels) -> {
          LatentGrid grid = settled.grid();
          int index = result.size();
          result.add(
              new GeneratedImage(
                  RgbImage.wrap(grid.width(), grid.height(), pixels),
                  Tensor.ofFloats(own, 1, grid.tokens(), grid.layout().packedChannels()),
                  records.of(index)));
          options.onImage().accept(result.get(index), index);
        });
    return List.copyOf(result);
  }

  private Conditioning conditioning() throws IOException {
    double scale = settled.trueGuidance().map(TrueGuidance::scale).orElse(1.0);
    List<String> negative =
        settled.trueGuidance().map(TrueGuidance::negativePrompts).orElse(List.of());
    if (request.prompts() instanceof TextPrompts text) {
      // All at once: where networks do not stay, each encoder is loaded once.
      PromptEmbeddings all =
          encode(joined(text.prompts(), negative), joined(text.t5Prompts(), negative));
      return Conditioning.of(all, text.count(), scale);
    }
    PromptEmbeddings given = (PromptEmbeddings) request.prompts();
    return negative.isEmpty()
        ? new Conditioning(given, Optional.empty(), scale)
        : new Conditioning(given, Optional.of(encode(negative, negative)), scale);
  }

  private static List<String> joined(List<String> first, List<String> second) {
    return Stream.concat(first.stream(), second.stream()).toList();
  }

  private PromptEmbeddings encode(List<String> clipPrompts, List<String> t5Prompts)
      throws IOException {
    return TextEncoders.of(networks)
        .encode(
            clipPrompts,
            t5Prompts,
            settled.textTokens(),
            cancellation,
            progress,
            options.onTruncatedPrompt());
  }

  private NetworkUse use(Component component) throws IOException {
    return networks.use(component, options.listener(), cancellation);
  }

  /** None if latents are given, else one for all images or one for each. */
  private Seeds seeds() {
    if (settled.start(InitialLatents.class).isPresent()) {
      return Seeds.RANDOM;
    }
    // 32 bits, since PyTorch's generator uses no more.
    return request.seeds().values().isEmpty()
        ? Seeds.of(ThreadLocalRandom.current().nextLong(1L << 32))
        : request.seeds();
  }

  /** Draws all images at a smaller size. */
  private List<RgbImage> draft(Pass pass, Seeds seeds, Conditioning conditioning)
      throws IOException {
    float[] latents = denoise(pass, startLatents(pass, seeds, List.of()), conditioning);
    List<RgbImage> drafts = new ArrayList<>();
    LatentGrid grid = pass.grid();
    decode(
        pass,
        latents,
        (own, pixels) -> drafts.add(RgbImage.wrap(grid.width(), grid.height(), pixels)));
    return drafts;
  }

  /** Returns what the first step of a pass starts from, [images, tokens, packed channels]. */
  private float[] startLatents(Pass pass, Seeds seeds, List<RgbImage> starts) throws IOException {
    Optional<InitialLatents> given = settled.start(InitialLatents.class);
    if (given.isPresent()) {
      return given.get().latents().toFloats();
    }
    StartLatents start = new StartLatents(pass, settled.images(), seeds);
    if (starts.isEmpty()) {
      return start.noise();
    }
    try (NetworkUse vae = use(Component.VAE_ENCODER)) {
      NetworkCosts costs = planner.costs();
      int runs = costs.encoderRuns(pass.grid(), settled.work().tiling());
      double flops = costs.encoderFlops(pass.grid(), settled.work().tiling()) / runs;
      GenerationProgress.Running stage =
          beginPictures(Stage.ENCODING_IMAGE, Component.VAE_ENCODER, starts.size(), runs);
      ImageEncoder encoder = new ImageEncoder(vae, checkpoint.vae(), () -> stage.advance(flops));
      return start.noised(
          starts, settled.draft().isPresent(), encoder, settled.work().tiling(), cancellation);
    }
  }

  private float[] denoise(Pass pass, float[] noise, Conditioning conditioning) throws IOException {
    try (NetworkUse transformer = use(Component.TRANSFORMER)) {
      Denoiser denoiser =
          new Denoiser(
              transformer,
              checkpoint,
              pass.grid(),
              settled.textTokens(),
              pass.profile(),
              pass.schedule(),
              settled.guidance().orElse(0),
              () -> LikelyCauses.ofTransformer(networks, pass.profile(), settled.guidance()));
      GenerationProgress.Running stage =
          progress.begin(
              Stage.DENOISING, Component.TRANSFORMER, stepsDone, settled.steps(), Unit.STEPS);
      int images = settled.images();
      float[] latents = new float[noise.length];
      for (int first = 0; first < images; first += request.batchSize()) {
        int begin = first;
        int count = Math.min(request.batchSize(), images - first);
        float[] denoised =
            denoiser.denoise(
                pass.part(noise, begin, count),
                conditioning.ofImages(begin, count, request.imagesPerPrompt()),
                cancellation,
                (index, current, velocity) ->
                    afterStep(
                        new GenerationStep(
                            pass,
                            checkpoint.previews().map(LatentPreview::new),
                            ++stepsDone,
                            settled.steps(),
                            index,
                            begin,
                            current,
                            velocity,
                            cancellation),
                        stage,
                        count));
        System.arraycopy(
            denoised, 0, latents, first * pass.grid().latentElements(), denoised.length);
      }
      return latents;
    }
  }

  /** Tells everybody of a step; returns the latents to go on with. */
  private float[] afterStep(GenerationStep made, GenerationProgress.Running stage, int images) {
    GenerationStep step = options.onStepEnd().map(made::after).orElse(made);
    long tokens = step.pass().grid().tokens();
    double flops = planner.costs().transformerFlops(settled.textTokens(), tokens);
    int runs = settled.work().passes() * (step.pass().schedule().corrects(step.index()) ? 2 : 1);
    stage.advance(flops * images * runs);
    options.onStep().accept(step);
    return step.packed();
  }

  /** Takes a picture: its packed latents, and its pixels as 0xRRGGBB, row by row. */
  @FunctionalInterface
  private interface DecodedPicture {
    void accept(float[] latents, int[] pixels);
  }

  private void decode(Pass pass, float[] latents, DecodedPicture sink) throws IOException {
    try (NetworkUse vae = use(Component.VAE_DECODER)) {
      NetworkCosts costs = planner.costs();
      int runs = costs.decoderRuns(pass.grid(), settled.work().tiling());
      double flops = costs.decoderFlops(pass.grid(), settled.work().tiling()) / runs;
      GenerationProgress.Running stage =
          beginPictures(Stage.DECODING, Component.VAE_DECODER, settled.images(), runs);
      ImageDecoder decoder = new ImageDecoder(vae, checkpoint.vae(), () -> stage.advance(flops));
      for (int i = 0; i < settled.images(); i++) {
        float[] own = pass.part(latents, i, 1);
        int[] pixels = decoder.decode(pass.grid(), own, settled.work().tiling(), cancellation);
        sink.accept(own, pixels);
      }
    }
  }

  /** Begins a stage of the autoencoder, told by tiles where a picture takes several runs. */
  private GenerationProgress.Running beginPictures(
      Stage stage, Component half, int pictures, int runs) {
    return progress.begin(stage, half, (long) pictures * runs, runs > 1 ? Unit.TILES : Unit.IMAGES);
  }
}
