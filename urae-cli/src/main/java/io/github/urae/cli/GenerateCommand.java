package io.github.urae.cli;

import io.github.urae.FileFormatException;
import io.github.urae.InvalidRequestException;
import io.github.urae.flux.CoarseToFine;
import io.github.urae.flux.GeneratedImage;
import io.github.urae.flux.GenerationPlan;
import io.github.urae.flux.GenerationRecord;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.InitialImage;
import io.github.urae.flux.Profile;
import io.github.urae.flux.RunOptions;
import io.github.urae.flux.Sampling;
import io.github.urae.flux.Seeds;
import io.github.urae.flux.Start;
import io.github.urae.flux.TrueGuidance;
import io.github.urae.flux.TruncatedPrompt;
import io.github.urae.flux.VaeTiling;
import io.github.urae.flux.arithmetic.SigmaSpacing;
import io.github.urae.flux.arithmetic.Solver;
import io.github.urae.flux.arithmetic.TimestepShift;
import io.github.urae.flux.model.Component;
import io.github.urae.image.ImageFormat;
import io.github.urae.image.RgbImage;
import io.github.urae.internal.PrintableText;
import io.github.urae.internal.SpecialFile;
import io.github.urae.pipeline.FluxPipeline;
import io.github.urae.tensor.Tensor;
import io.github.urae.weights.SafetensorsFile;
import io.github.urae.weights.SafetensorsWriter;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.function.Consumer;
import java.util.stream.Stream;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** {@code urae generate}: draws pictures from prompts. */
@Command(
    name = "generate",
    description = "Draw pictures from prompts.",
    mixinStandardHelpOptions = true,
    sortOptions = false)
final class GenerateCommand implements Callable<Integer> {

  /** Strength of an initial image unless told otherwise, as in diffusers. */
  private static final double DEFAULT_STRENGTH = 0.6;

  /** Name of the tensor in files of latents. */
  private static final String LATENTS = "latents";

  @Spec CommandSpec spec;
  @ParentCommand UraeCommand urae;

  @Parameters(arity = "0..*", paramLabel = "PROMPT", description = "What to draw.")
  List<String> prompts = List.of();

  @Option(
      names = "--from",
      paramLabel = "FILE",
      description =
          "Draw a picture made here again, as its file tells; other options, and PROMPT, override"
              + " that. Model, adapters and device are to be given as then; differences are told.")
  Path from;

  @Mixin ModelOptions model;

  @Option(
      names = "--adapter",
      paramLabel = "FILE[=SCALE]",
      description =
          "LoRA or URAE's minor components; repeatable, applied in order (bundled: demo:2k,"
              + " demo:4k).")
  List<String> adapters = List.of();

  @Mixin MatchingOptions matching;

  @Option(
      names = "--memory-limit",
      paramLabel = "SIZE",
      converter = SizeConverter.class,
      description = "Refuse what is expected to take more memory, as in 6G or 800M.")
  Long memoryLimit;

  @Option(names = "--plan", description = "Print tokens, work and memory by stage; draw nothing.")
  boolean planOnly;

  @Mixin OffloadOption offload;

  @Option(
      names = "--prompt-2",
      paramLabel = "TEXT",
      description = "Prompt for T5 alone; CLIP keeps PROMPT. Once for each PROMPT.")
  List<String> secondPrompts = List.of();

  @Option(
      names = "--width",
      paramLabel = "PIXELS",
      description = "A multiple of 16 (default: the checkpoint's native size).")
  Integer width;

  @Option(
      names = "--height",
      paramLabel = "PIXELS",
      description = "A multiple of 16 (default: the checkpoint's native size).")
  Integer height;

  @Option(
      names = "--steps",
      paramLabel = "N",
      description = "Denoising steps (default: 28, or 4 for -schnell).")
  Integer steps;

  @Option(
      names = "--guidance",
      paramLabel = "F",
      description = "Guidance scale (default: 3.5; -schnell has none).")
  Double guidance;

  @Option(
      names = "--seed",
      paramLabel = "N",
      split = ",",
      converter = SeedConverter.class,
      description =
          "One for all pictures, or one each, with commas; -2^63 to 2^64 - 1 (default: random).")
  List<Long> seeds = List.of();

  @Option(
      names = "--images",
      paramLabel = "N",
      description = "Pictures of each prompt (default: 1).")
  Integer images;

  @Option(
      names = "--batch-size",
      paramLabel = "N",
      description = "Pictures denoised at once (default: 1).")
  Integer batchSize;

  @Option(
      names = "--max-sequence-length",
      paramLabel = "N",
      description = "Text tokens (default: the checkpoint's).")
  Integer maxSequenceLength;

  @Option(
      names = "--profile",
      paramLabel = "NAME",
      description = "standard, ultra, or auto: ultra above the native area (default: auto).")
  Profile.Choice profile;

  @Option(
      names = "--ntk-factor",
      paramLabel = "F",
      description = "Factor on the rotary base frequency (default: 10 in ultra, else 1).")
  Double ntkFactor;

  @Option(
      names = "--native-tokens",
      paramLabel = "N",
      description = "Token count at which attention is not sharpened (default: the checkpoint's).")
  Long nativeTokens;

  @Option(
      names = "--shift",
      paramLabel = "F",
      description = "Static timestep shift (default: as the profile and checkpoint say).")
  Double shift;

  @Option(
      names = "--sigmas",
      paramLabel = "NAME",
      description =
          "Spacing of noise levels: even, karras, exponential or beta (default: the checkpoint's).")
  SigmaSpacing sigmas;

  @Option(
      names = "--solver",
      paramLabel = "NAME",
      description =
          "euler, or heun: two runs of the transformer a step (default: the checkpoint's).")
  Solver solver;

  @Option(
      names = "--image",
      paramLabel = "FILE",
      description = "Start from this picture, resized, instead of noise.")
  Path image;

  @Option(
      names = "--coarse-to-fine",
      description =
          "Draw at the native size first, enlarge, and run the last part of the schedule at full"
              + " size.")
  boolean coarseToFine;

  @Option(
      names = "--strength",
      paramLabel = "F",
      description =
          "How much of the schedule runs after --image (default: 0.6) or --coarse-to-fine (default:"
              + " 0.2), above 0, at most 1.")
  Double strength;

  @ArgGroup(exclusive = false)
  TrueGuidanceOptions trueGuidance;

  /** What belongs together. */
  static final class TrueGuidanceOptions {

    @Option(
        names = "--negative-prompt",
        required = true,
        paramLabel = "TEXT",
        description = "What not to draw; doubles the time. Once, or once for each PROMPT.")
    List<String> negativePrompts;

    @Option(
        names = "--true-cfg",
        paramLabel = "F",
        description =
            "Scale of true classifier-free guidance, away from --negative-prompt; above 1, or it"
                + " has no effect (default: 2, or what --from tells).")
    Double scale;
  }

  @Option(
      names = "--vae-tiling",
      paramLabel = "WHEN",
      description =
          "Decode tile by tile: on, off, or auto: where the whole picture would take more than 4"
              + " GiB (default: auto).")
  VaeTiling vaeTiling;

  @Option(
      names = "--latents-in",
      paramLabel = "FILE",
      description = "Start from this noise: safetensors, tensor 'latents', [B, tokens, 64].")
  Path latentsIn;

  @Option(
      names = "--latents-out",
      paramLabel = "FILE",
      description = "Save the final latents, in the same form.")
  Path latentsOut;

  @Option(
      names = "--output",
      paramLabel = "FILE",
      defaultValue = "image.png",
      description =
          "Picture to write: .png, .jpg, .tif or .webp; -0, -1, ... are appended where there are"
              + " several (default: ${DEFAULT-VALUE}). A device, a pipe or /dev/stdout takes them"
              + " one after the other, as PNG.")
  Path output;

  @Mixin OutputOptions verbosity;

  @Override
  public Integer call() throws IOException {
    checkOptions();
    Optional<GenerationRecord> recorded = recorded();
    if (planOnly) {
      return printPlan(recorded);
    }
    if (!SpecialFile.is(output)) {
      OutputFile.checkWritable(output);
    }
    if (latentsOut != null) {
      OutputFile.checkWritable(latentsOut);
    }
    long start = System.nanoTime();
    try (Progress progress = verbosity.progress()) {
      List<GeneratedImage> pictures;
      try (FluxPipeline pipeline = pipeline(progress).build()) {
        recorded.ifPresent(record -> tellDifferences(record, pipeline));
        pictures = pipeline.generate(request(recorded), options(progress));
      }
      save(pictures, (System.nanoTime() - start) / 1e9, progress);
    }
    return 0;
  }

  private void checkOptions() {
    if (prompts.isEmpty() && from == null) {
      throw wrong("Missing required parameter: 'PROMPT', or --from");
    }
    try {
      if (!SpecialFile.is(output)) {
        ImageFormat.of(output);
      }
    } catch (InvalidRequestException e) {
      throw new ParameterException(spec.commandLine(), "--output: " + e.getMessage(), e);
    }
    long starts =
        Stream.of(latentsIn != null, image != null, coarseToFine).filter(given -> given).count();
    if (starts > 1) {
      throw wrong("expected one of --latents-in, --image and --coarse-to-fine");
    }
    if (strength != null && image == null && !coarseToFine && from == null) {
      throw wrong("--strength: expected --image or --coarse-to-fine beside it");
    }
  }

  private ParameterException wrong(String message) {
    return new ParameterException(spec.commandLine(), message);
  }

  /** Reads what the picture of {@code --from} was made with; what it only names, from options. */
  private Optional<GenerationRecord> recorded() throws IOException {
    if (from == null) {
      return Optional.empty();
    }
    GenerationRecord.Inputs inputs =
        new GenerationRecord.Inputs(
            image == null ? Optional.empty() : Optional.of(RgbImage.read(image)),
            latentsIn == null ? Optional.empty() : Optional.of(readLatents()),
            Optional.empty());
    try {
      return Optional.of(GenerationRecord.read(from, inputs));
    } catch (InvalidRequestException e) {
      boolean missing = image == null && latentsIn == null;
      throw missing
          ? e.withMessage(e.getMessage() + " (a picture with --image, latents with --latents-in)")
          : e;
    }
  }

  /** Says in what the pipeline is not the one that drew the picture; drawing goes on. */
  private void tellDifferences(GenerationRecord record, FluxPipeline pipeline) {
    record.changedInputs().forEach(name -> note(name + " is not what " + from + " was drawn from"));
    tell("model", record.model(), pipeline.model().name());
    tell(
        "adapters",
        record.adapters().toString(),
        pipeline.adapters().stream()
            .map(adapter -> GenerationRecord.AdapterUse.of(adapter.path(), adapter.scale()))
            .toList()
            .toString());
    tell("device", record.device(), pipeline.device().toString());
  }

  private void tell(String what, String then, String now) {
    if (!then.equals(now)) {
      note(from + " was drawn with " + what + " " + then + ", now " + now);
    }
  }

  private void note(String message) {
    if (!verbosity.quiet) {
      spec.commandLine().getErr().println("urae: note: " + PrintableText.of(message));
    }
  }

  private RunOptions options(Progress progress) {
    return RunOptions.builder()
        .listener(progress)
        .cancellation(urae.cancellation())
        .onTruncatedPrompt(this::tellTruncated)
        .build();
  }

  private void tellTruncated(TruncatedPrompt prompt) {
    note(
        (prompt.encoder() == Component.TEXT_ENCODER ? "CLIP" : "T5")
            + " reads "
            + prompt.maxTokens()
            + " tokens of a prompt at most; not read: "
            + PrintableText.shortened(prompt.lost()));
  }

  private int printPlan(Optional<GenerationRecord> recorded) throws IOException {
    GenerationPlan plan;
    try (Progress progress = verbosity.progress();
        FluxPipeline pipeline = pipeline(progress).build()) {
      plan = pipeline.plan(request(recorded));
    }
    PrintWriter out = spec.commandLine().getOut();
    out.printf(
        Locale.ROOT,
        "%dx%d, %d steps: %d text and %d image tokens, autoencoder %s%n",
        plan.width(),
        plan.height(),
        plan.steps(),
        plan.textTokens(),
        plan.imageTokens(),
        plan.tiled() ? "in tiles" : "as a whole");
    for (GenerationPlan.Phase phase : plan.phases()) {
      out.printf(
          Locale.ROOT,
          "%-16s %10.3f TFLOP %8d MB%s%n",
          phase.component().id(),
          phase.flops() / 1e12,
          phase.peakBytes() >> 20,
          phase.ofDraft() ? "  (draft)" : "");
    }
    out.printf(
        Locale.ROOT,
        "%-16s %10.3f TFLOP %8d MB at once%n",
        "all",
        plan.flops() / 1e12,
        plan.peakBytes() >> 20);
    out.flush();
    if (memoryLimit != null && plan.peakBytes() > memoryLimit) {
      throw InvalidRequestException.of(
          "size",
          "the plan takes "
              + (plan.peakBytes() >> 20)
              + " MB, more than the memory limit of "
              + (memoryLimit >> 20)
              + " MB");
    }
    return 0;
  }

  private FluxPipeline.Builder pipeline(Progress progress) throws IOException {
    FluxPipeline.Builder builder =
        model.pipeline().listener(progress).cancellation(urae.cancellation());
    offload.applyTo(builder);
    matching.applyTo(builder);
    model.addAdapters(adapters, builder);
    if (memoryLimit != null) {
      builder.memoryLimit(memoryLimit);
    }
    return builder;
  }

  private GenerationRequest request(Optional<GenerationRecord> recorded) throws IOException {
    Optional<GenerationRequest> before = recorded.map(GenerationRecord::request);
    GenerationRequest.Builder request =
        before
            .map(GenerationRequest::toBuilder)
            .orElseGet(() -> GenerationRequest.builder(prompts));
    if (!prompts.isEmpty()) {
      request.prompts(prompts);
    }
    if (!secondPrompts.isEmpty()) {
      request.secondPrompts(secondPrompts.toArray(new String[0]));
    }
    setIfGiven(width, request::width);
    setIfGiven(height, request::height);
    setIfGiven(steps, request::steps);
    setIfGiven(guidance, request::guidance);
    setIfGiven(images, request::imagesPerPrompt);
    setIfGiven(batchSize, request::batchSize);
    setIfGiven(maxSequenceLength, request::maxSequenceLength);
    setIfGiven(vaeTiling, request::vaeTiling);
    setSeeds(before.map(GenerationRequest::seeds), request);
    request.profile(profile(before.map(GenerationRequest::profile)));
    request.sampling(sampling(before.map(GenerationRequest::sampling)));
    setStart(before.flatMap(GenerationRequest::start), request);
    if (trueGuidance != null) {
      double scale =
          before
              .flatMap(GenerationRequest::trueGuidance)
              .filter(TrueGuidance::active)
              .map(TrueGuidance::scale)
              .orElse(TrueGuidance.DEFAULT_SCALE);
      request.trueGuidance(
          new TrueGuidance(
              trueGuidance.negativePrompts, Objects.requireNonNullElse(trueGuidance.scale, scale)));
    }
    return request.build();
  }

  private static <T> void setIfGiven(T option, Consumer<T> setting) {
    if (option != null) {
      setting.accept(option);
    }
  }

  /** Another number of pictures makes another batch: its noise begins with the first picture's. */
  private void setSeeds(Optional<Seeds> before, GenerationRequest.Builder request) {
    if (!seeds.isEmpty()) {
      request.seed(seeds.stream().mapToLong(Long::longValue).toArray());
    } else if (before.isPresent() && (images != null || prompts.size() > 1)) {
      request.seed(before.get().values().stream().mapToLong(Long::longValue).toArray());
    }
  }

  /** The profile goes by the size: where that is another, it is chosen anew. */
  private Profile.Settings profile(Optional<Profile.Settings> before) {
    boolean resized = width != null || height != null;
    Profile.Settings settings =
        profile == null
            ? before.filter(settled -> !resized).orElse(Profile.Settings.AUTO)
            : Profile.Settings.of(profile);
    if (ntkFactor != null) {
      settings = settings.withNtkFactor(ntkFactor);
    }
    if (nativeTokens != null) {
      settings = settings.withNativeTokens(nativeTokens);
    }
    if (shift != null) {
      settings = settings.withShift(new TimestepShift.Static(shift));
    }
    return settings;
  }

  private Sampling sampling(Optional<Sampling> before) {
    Sampling sampling = before.orElse(Sampling.AUTO);
    if (sigmas != null) {
      sampling = sampling.withSigmas(sigmas);
    }
    return solver == null ? sampling : sampling.withSolver(solver);
  }

  private void setStart(Optional<Start> before, GenerationRequest.Builder request)
      throws IOException {
    if (latentsIn != null) {
      request.latents(readLatents());
    } else if (coarseToFine) {
      request.coarseToFine(
          strength == null ? CoarseToFine.defaults() : CoarseToFine.ofStrength(strength));
    } else if (image != null) {
      Optional<Double> then = before.filter(InitialImage.class::isInstance).map(Start::strength);
      request.initialImage(image, strength == null ? then.orElse(DEFAULT_STRENGTH) : strength);
    } else if (strength != null) {
      Start start =
          before
              .filter(CoarseToFine.class::isInstance)
              .orElseThrow(() -> wrong("--strength: expected --image or --coarse-to-fine"));
      request.coarseToFine(new CoarseToFine(strength, ((CoarseToFine) start).draftSteps()));
    }
  }

  private Tensor readLatents() throws IOException {
    try (SafetensorsFile file = SafetensorsFile.open(latentsIn)) {
      if (file.find(LATENTS).isEmpty()) {
        throw new FileFormatException(
            latentsIn + ": expected a tensor '" + LATENTS + "', found " + file.tensors().keySet());
      }
      Tensor stored = file.tensor(LATENTS);
      return Tensor.ofFloats(stored.toFloats(), stored.shape().toArray());
    }
  }

  private void save(List<GeneratedImage> pictures, double seconds, Progress progress)
      throws IOException {
    List<Path> files = new ArrayList<>();
    progress.saving(0, pictures.size());
    for (int i = 0; i < pictures.size(); i++) {
      Path file = pictures.size() == 1 || SpecialFile.is(output) ? output : numbered(i);
      pictures.get(i).save(file);
      if (!SpecialFile.is(file)) {
        files.add(file); // Standard output may be where the picture went.
      }
      progress.saving(i + 1, pictures.size());
    }
    if (latentsOut != null) {
      SafetensorsWriter.write(latentsOut, Map.of(), Map.of(LATENTS, stacked(pictures)));
    }
    if (!verbosity.quiet) {
      GenerationRecord record = pictures.get(0).record();
      Map<String, String> settings = record.asText();
      String seed = settings.containsKey("seed") ? ", seed " + settings.get("seed") : "";
      for (Path file : files) {
        spec.commandLine().getOut().println(file);
      }
      spec.commandLine()
          .getErr()
          .printf(
              Locale.ROOT,
              "%sx%s, %s steps, %s profile%s, %.1f s on %s%n",
              settings.get("width"),
              settings.get("height"),
              settings.get("steps"),
              settings.get("profile"),
              seed,
              seconds,
              record.device());
    }
  }

  private Path numbered(int index) {
    String name = output.getFileName().toString();
    int suffix = name.lastIndexOf('.');
    return output.resolveSibling(name.substring(0, suffix) + "-" + index + name.substring(suffix));
  }

  private static Tensor stacked(List<GeneratedImage> pictures) {
    Tensor first = pictures.get(0).latents();
    int each = Math.toIntExact(first.shape().elementCount());
    float[] all = new float[Math.multiplyExact(each, pictures.size())];
    for (int i = 0; i < pictures.size(); i++) {
      pictures.get(i).latents().toFloats(0, all, i * each, each);
    }
    return Tensor.ofFloats(
        all, pictures.size(), first.shape().dimension(1), first.shape().dimension(2));
  }

  /** Reads a seed. */
  static final class SeedConverter implements ITypeConverter<Long> {
    @Override
    public Long convert(String value) {
      try {
        return Seeds.parse(value);
      } catch (InvalidRequestException e) {
        throw new TypeConversionException(e.getMessage());
      }
    }
  }
}
