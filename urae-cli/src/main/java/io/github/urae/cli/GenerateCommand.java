package io.github.urae.cli;

import io.github.urae.FileFormatException;
import io.github.urae.InvalidRequestException;
import io.github.urae.device.Offload;
import io.github.urae.flux.CoarseToFine;
import io.github.urae.flux.GeneratedImage;
import io.github.urae.flux.GenerationPlan;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.GenerationSettings;
import io.github.urae.flux.Profile;
import io.github.urae.flux.RunOptions;
import io.github.urae.flux.TimestepShift;
import io.github.urae.flux.TrueGuidance;
import io.github.urae.flux.VaeTiling;
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
import java.util.concurrent.Callable;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** {@code urae generate}: draws pictures from prompts. */
@Command(
    name = "generate",
    description = "Draw pictures from prompts.",
    mixinStandardHelpOptions = true,
    sortOptions = false)
final class GenerateCommand implements Callable<Integer> {

  /** Strength of a start image unless told otherwise, as in diffusers. */
  private static final double DEFAULT_STRENGTH = 0.6;

  /** Name of the tensor in files of latents. */
  private static final String LATENTS = "latents";

  @Spec CommandSpec spec;

  @Parameters(arity = "1..*", paramLabel = "PROMPT", description = "What to draw.")
  List<String> prompts;

  @Mixin ModelOptions model;

  @Option(
      names = "--adapter",
      paramLabel = "FILE[=SCALE]",
      description =
          "LoRA or URAE's minor components; repeatable, applied in order (bundled: demo:2k,"
              + " demo:4k).")
  List<String> adapters = List.of();

  @Mixin MatchingOptions matching;
  @Mixin TransformerOption transformer;

  @Option(
      names = "--memory-limit",
      paramLabel = "SIZE",
      converter = SizeConverter.class,
      description = "Refuse what is expected to take more memory, as in 6G or 800M.")
  Long memoryLimit;

  @Option(names = "--plan", description = "Print tokens, work and memory by stage; draw nothing.")
  boolean planOnly;

  @Option(
      names = {"--offload", "--residency"},
      paramLabel = "WHEN",
      defaultValue = "all",
      converter = OffloadConverter.class,
      description =
          "Networks in memory: all, one-at-a-time, or block by block (default: ${DEFAULT-VALUE}).")
  Offload offload;

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
      description = "One for all pictures, or one each, with commas (default: random).")
  List<Long> seeds = List.of();

  @Option(names = "--images", paramLabel = "N", description = "Pictures of each prompt.")
  int images = 1;

  @Option(
      names = "--batch-size",
      paramLabel = "N",
      description = "Pictures denoised at once (default: 1).")
  int batchSize = 1;

  @Option(
      names = "--max-sequence-length",
      paramLabel = "N",
      description = "Text tokens (default: the checkpoint's).")
  Integer maxSequenceLength;

  @Option(
      names = "--profile",
      paramLabel = "NAME",
      defaultValue = "auto",
      description =
          "standard, ultra, or auto: ultra above the native area (default: ${DEFAULT-VALUE}).")
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
        description = "What not to draw; with --true-cfg. Once, or once for each PROMPT.")
    List<String> negativePrompts;

    @Option(
        names = "--true-cfg",
        required = true,
        paramLabel = "F",
        description = "Scale of true classifier-free guidance; above 1, or it has no effect.")
    double scale;
  }

  @Option(
      names = "--vae-tiling",
      paramLabel = "WHEN",
      defaultValue = "auto",
      description =
          "Decode tile by tile: on, off, or auto: where the whole picture would take more than 4 GiB"
              + " (default: ${DEFAULT-VALUE}).")
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
      paramLabel = "FILE.png",
      defaultValue = "image.png",
      description = "Picture to write; -0, -1, ... are appended where there are several.")
  Path output;

  @Mixin OutputOptions verbosity;

  @Override
  public Integer call() throws IOException {
    if (!output.getFileName().toString().toLowerCase(Locale.ROOT).endsWith(".png")) {
      throw new ParameterException(
          spec.commandLine(), "--output: expected a name that ends in .png, found " + output);
    }
    if (strength != null && image == null && !coarseToFine) {
      throw new ParameterException(
          spec.commandLine(), "--strength: expected --image or --coarse-to-fine beside it");
    }
    if (planOnly) {
      return printPlan();
    }
    OutputFile.checkWritable(output);
    if (latentsOut != null) {
      OutputFile.checkWritable(latentsOut);
    }
    long start = System.nanoTime();
    List<GeneratedImage> pictures;
    try (Progress progress = verbosity.progress();
        FluxPipeline pipeline = pipeline().listener(progress).build()) {
      pictures = pipeline.generate(request(), RunOptions.builder().listener(progress).build());
    }
    save(pictures, (System.nanoTime() - start) / 1e9);
    return 0;
  }

  private int printPlan() throws IOException {
    GenerationPlan plan;
    try (Progress progress = verbosity.progress();
        FluxPipeline pipeline = pipeline().listener(progress).build()) {
      plan = pipeline.plan(request());
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
    for (GenerationPlan.Stage stage : plan.stages()) {
      out.printf(
          Locale.ROOT,
          "%-16s %10.3f TFLOP %8d MB%n",
          stage.name(),
          stage.flops() / 1e12,
          stage.peakBytes() >> 20);
    }
    out.printf(
        Locale.ROOT,
        "%-16s %10.3f TFLOP %8d MB at once%n",
        "all",
        plan.flops() / 1e12,
        plan.peakBytes() >> 20);
    out.flush();
    if (memoryLimit != null && plan.peakBytes() > memoryLimit) {
      throw new InvalidRequestException(
          "the plan takes "
              + (plan.peakBytes() >> 20)
              + " MB, more than the memory limit of "
              + (memoryLimit >> 20)
              + " MB");
    }
    return 0;
  }

  private FluxPipeline.Builder pipeline() throws IOException {
    FluxPipeline.Builder builder = model.pipeline().offload(offload);
    matching.applyTo(builder);
    transformer.applyTo(builder);
    model.addAdapters(adapters, builder);
    if (memoryLimit != null) {
      builder.memoryLimit(memoryLimit);
    }
    return builder;
  }

  private GenerationRequest request() throws IOException {
    GenerationRequest.Builder request =
        GenerationRequest.builder(prompts)
            .secondPrompts(secondPrompts.toArray(new String[0]))
            .seed(seeds.stream().mapToLong(Long::longValue).toArray())
            .imagesPerPrompt(images)
            .batchSize(batchSize)
            .profile(profile)
            .vaeTiling(vaeTiling);
    if (width != null) {
      request.width(width);
    }
    if (height != null) {
      request.height(height);
    }
    if (steps != null) {
      request.steps(steps);
    }
    if (guidance != null) {
      request.guidance(guidance);
    }
    if (maxSequenceLength != null) {
      request.maxSequenceLength(maxSequenceLength);
    }
    if (ntkFactor != null) {
      request.ntkFactor(ntkFactor);
    }
    if (nativeTokens != null) {
      request.nativeTokens(nativeTokens);
    }
    if (shift != null) {
      request.shift(new TimestepShift.Static(shift));
    }
    if (latentsIn != null) {
      request.latents(readLatents());
    }
    if (image != null) {
      request.startImage(image, strength == null ? DEFAULT_STRENGTH : strength);
    }
    if (coarseToFine) {
      request.coarseToFine(
          strength == null ? CoarseToFine.defaults() : CoarseToFine.ofStrength(strength));
    }
    if (trueGuidance != null) {
      request.trueGuidance(new TrueGuidance(trueGuidance.negativePrompts, trueGuidance.scale));
    }
    return request.build();
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

  private void save(List<GeneratedImage> pictures, double seconds) throws IOException {
    List<Path> files = new ArrayList<>();
    for (int i = 0; i < pictures.size(); i++) {
      Path file = pictures.size() == 1 ? output : numbered(i);
      pictures.get(i).save(file);
      files.add(file);
    }
    if (latentsOut != null) {
      SafetensorsWriter.write(latentsOut, Map.of(), Map.of(LATENTS, stacked(pictures)));
    }
    if (!verbosity.quiet) {
      GenerationSettings settings = pictures.get(0).settings();
      String seed = settings.seed().isPresent() ? ", seed " + settings.seed().getAsLong() : "";
      for (Path file : files) {
        spec.commandLine().getOut().println(file);
      }
      spec.commandLine()
          .getErr()
          .printf(
              Locale.ROOT,
              "%dx%d, %d steps, %s profile%s, %.1f s on %s%n",
              settings.width(),
              settings.height(),
              settings.steps(),
              settings.profile().name(),
              seed,
              seconds,
              settings.device());
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

  /** Reads a number of bytes with an optional unit. */
  static final class SizeConverter implements ITypeConverter<Long> {
    @Override
    public Long convert(String value) {
      Matcher size = Pattern.compile("(\\d{1,9})([KMGT]?)").matcher(value.toUpperCase(Locale.ROOT));
      if (!size.matches() || Long.parseLong(size.group(1)) == 0) {
        throw new TypeConversionException(
            "expected a positive number and K, M, G or T, found '" + value + "'");
      }
      int unit = size.group(2).isEmpty() ? 0 : 1 + "KMGT".indexOf(size.group(2));
      return Long.parseLong(size.group(1)) << (10 * unit);
    }
  }

  /** Reads an offload. */
  static final class OffloadConverter implements ITypeConverter<Offload> {
    @Override
    public Offload convert(String value) {
      try {
        return Offload.parse(value);
      } catch (IllegalArgumentException e) {
        throw new TypeConversionException(e.getMessage());
      }
    }
  }
}
