package io.github.urae.cli.train;

import io.github.urae.cli.CheckpointOptions;
import io.github.urae.cli.OutputOptions;
import io.github.urae.cli.Progress;
import io.github.urae.cli.SizeConverter;
import io.github.urae.device.Device;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.internal.PrintableText;
import io.github.urae.tensor.ElementType;
import io.github.urae.training.FluxTraining;
import io.github.urae.training.LearningRateSchedule;
import io.github.urae.training.TrainingData;
import io.github.urae.training.TrainingOptimizer;
import io.github.urae.training.TrainingPlan;
import io.github.urae.training.TrainingResult;
import io.github.urae.training.TrainingStage;
import io.github.urae.training.WeightingScheme;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** What both stages are told, and how they run. */
@Command
abstract class StageCommand implements Callable<Integer> {

  /** What {@code --resume} takes in place of a folder. */
  private static final String LATEST = "latest";

  private final long start = System.nanoTime();

  @Spec CommandSpec spec;
  @ParentCommand TrainCommand train;

  @Mixin CheckpointOptions model;

  @Option(
      names = "--data",
      required = true,
      paramLabel = "DIR",
      description = "Folder of pictures, after 'urae train prepare' or URAE's own cache scripts.")
  Path data;

  @Option(
      names = "--caches",
      paramLabel = "DIR",
      description = "Where the caches are (default: beside the pictures).")
  Path caches;

  @Option(
      names = "--output",
      required = true,
      paramLabel = "DIR",
      description =
          "Where adapter.safetensors, checkpoints, metrics.csv, loss.png, tensorboard/ and samples/"
              + " go.")
  Path output;

  @Option(
      names = "--adapter",
      paramLabel = "FILE[=SCALE]",
      description =
          "Merged into the base first; repeatable, applied in order. minor: the 2K adapter"
              + " (bundled: demo:2k).")
  List<String> adapters = List.of();

  @Option(names = "--rank", paramLabel = "N", description = "Of the adapters (default: 16).")
  Integer rank;

  @Option(
      names = "--alpha",
      paramLabel = "F",
      description = "Of a LoRA: its update counts alpha / rank (default: the rank).")
  Double alpha;

  @Option(
      names = "--target",
      paramLabel = "NAMES",
      split = ",",
      description =
          "Layers to train, by their names' endings, * for any text (default:"
              + " attn.to_q,attn.to_k,attn.to_v,attn.to_out.0).")
  List<String> targets = List.of();

  @Option(
      names = "--steps",
      paramLabel = "N",
      description = "Updates in all (default: lora 2000, minor 10000).")
  Long steps;

  @Option(
      names = "--batch",
      paramLabel = "N",
      description = "Pictures that are computed at once, where of one size (default: 1).")
  Integer batch;

  @Option(
      names = "--accumulate",
      paramLabel = "N",
      description = "Batches of an update (default: 1).")
  Integer accumulate;

  @Option(
      names = "--optimizer",
      paramLabel = "NAME",
      description = "prodigy or adamw (default: prodigy).")
  TrainingOptimizer optimizer;

  @Option(
      names = "--learning-rate",
      paramLabel = "F",
      description = "Default: prodigy 1, adamw 1e-4.")
  Double learningRate;

  @Option(
      names = "--schedule",
      paramLabel = "NAME",
      description =
          "constant, or how the learning rate falls to 0 at the last step: linear or cosine"
              + " (default: constant).")
  LearningRateSchedule schedule = LearningRateSchedule.CONSTANT;

  @Option(
      names = "--warm-up",
      paramLabel = "N",
      description = "Updates over which the learning rate rises (default: ${DEFAULT-VALUE}).")
  long warmUp;

  @Option(
      names = "--weight-decay",
      paramLabel = "F",
      description = "Decoupled from gradients (default: 1e-4).")
  Double weightDecay;

  @Option(
      names = "--max-gradient-norm",
      paramLabel = "F",
      description = "Gradients are scaled down to that (default: 1).")
  Double maxGradientNorm;

  @Option(
      names = "--weighting-scheme",
      paramLabel = "NAME",
      description =
          "How noise levels are drawn: none (uniform), logit_normal or mode; or how losses count:"
              + " sigma_sqrt or cosmap (default: none).")
  WeightingScheme weightingScheme;

  @Option(names = "--logit-mean", paramLabel = "F", description = "Of logit_normal (default: 0).")
  double logitMean;

  @Option(names = "--logit-std", paramLabel = "F", description = "Of logit_normal (default: 1).")
  double logitDeviation = 1;

  @Option(
      names = "--mode-scale",
      paramLabel = "F",
      description = "Of mode, -1 to 1.75 (default: 1.29).")
  Double modeScale;

  @Option(
      names = "--shift",
      paramLabel = "F",
      description = "Moves noise levels up (default: 1, not at all).")
  Double shift;

  @Option(
      names = "--guidance",
      paramLabel = "F",
      description = "What the transformer is told (default: 1: guidance switched off).")
  Double guidance;

  @Option(
      names = "--ntk-factor",
      paramLabel = "F",
      description = "Factor on the rotary base frequency (default: lora 1, minor 10).")
  Double ntkFactor;

  @Option(
      names = "--proportional-attention",
      negatable = true,
      description = "Sharpen attention by the number of tokens (default: lora no, minor yes).")
  Boolean proportionalAttention;

  @Option(
      names = "--native-tokens",
      paramLabel = "N",
      description = "Token count at which attention is not sharpened (default: the checkpoint's).")
  Long nativeTokens;

  @Option(
      names = "--original-prompt-ratio",
      paramLabel = "F",
      description =
          "How often the original caption is taken where there is a generated one (default: 0.2).")
  Double originalPromptRatio;

  @Option(
      names = "--seed",
      paramLabel = "N",
      description = "Of everything that is drawn (default: 0).")
  Long seed;

  @Option(
      names = "--save-every",
      paramLabel = "N",
      description = "Updates between checkpoints (default: ${DEFAULT-VALUE}).")
  long saveEvery = 1000;

  @Option(
      names = "--keep",
      paramLabel = "N",
      description = "Checkpoints that stay (default: ${DEFAULT-VALUE}).")
  int keep = 3;

  @Option(
      names = "--resume",
      paramLabel = "latest|DIR",
      description =
          "Continue from the last checkpoint of --output, or begin where there is none; or from a"
              + " checkpoint's folder.")
  String resume;

  @Option(
      names = "--held-out",
      paramLabel = "N",
      description = "Keep as many pictures from training and measure their loss.")
  Integer heldOut;

  @Option(
      names = "--held-out-every",
      paramLabel = "N",
      description = "Updates between measurements (default: ${DEFAULT-VALUE}).")
  long heldOutEvery = 100;

  @Option(
      names = "--sample",
      paramLabel = "PROMPT",
      description = "Draw samples of it with the adapter as it is; repeatable.")
  List<String> samples = List.of();

  @Option(
      names = "--sample-every",
      paramLabel = "N",
      description = "Updates between samples (default: as --save-every).")
  Long sampleEvery;

  @Option(
      names = "--sample-width",
      paramLabel = "PIXELS",
      description = "Default: the checkpoint's native size.")
  Integer sampleWidth;

  @Option(
      names = "--sample-height",
      paramLabel = "PIXELS",
      description = "Default: the checkpoint's native size.")
  Integer sampleHeight;

  @Option(
      names = "--sample-steps",
      paramLabel = "N",
      description = "Denoising steps of samples (default: the checkpoint's).")
  Integer sampleSteps;

  @Option(
      names = "--sample-seed",
      paramLabel = "N",
      description = "Of all samples (default: ${DEFAULT-VALUE}).")
  long sampleSeed;

  @Option(
      names = "--base",
      paramLabel = "TYPE",
      converter = TypeConverter.class,
      description =
          "f32, or bf16 for half the memory: what frozen weights are multiplied in (default: f32).")
  ElementType base;

  @Option(
      names = "--state",
      paramLabel = "TYPE",
      converter = TypeConverter.class,
      description =
          "f32, or bf16 to compare with URAE's runs: adapters and optimizer (default: f32).")
  ElementType state;

  @Option(
      names = "--recomputation",
      negatable = true,
      defaultValue = "true",
      fallbackValue = "true",
      description =
          "Keep one block's activations at a time, and compute them again (default: yes).")
  boolean recomputation;

  @Option(
      names = "--block-inputs-on-host",
      description = "With a GPU: what enters blocks waits in host memory.")
  boolean blockInputsOnHost;

  @Option(
      names = "--device",
      paramLabel = "DEVICE",
      defaultValue = "cpu",
      converter = DeviceConverter.class,
      description = "cpu or cuda[:N] (default: ${DEFAULT-VALUE}).")
  Device device;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "On the CPU (default: one a core); as many give the same bits.")
  Integer threads;

  @Option(
      names = "--memory-limit",
      paramLabel = "SIZE",
      converter = SizeConverter.class,
      description = "Refuse what is expected to take more, as in 6G (default: what is free).")
  Long memoryLimit;

  @Option(
      names = "--plan",
      description = "Print tokens, memory by part, work and time; train nothing.")
  boolean planOnly;

  @Option(names = "--json", description = "Print JSON.")
  boolean json;

  @Mixin OutputOptions verbosity;

  abstract TrainingStage stage();

  @Override
  public Integer call() throws IOException {
    try (Progress progress = verbosity.progress()) {
      TrainingOutput printed = new TrainingOutput(spec, json, verbosity.quiet(), train.urae);
      FluxTraining training = training(progress, printed);
      if (planOnly) {
        TrainingPlan plan = training.plan();
        printed.print(plan);
        return plan.refusal().isEmpty() ? ExitCode.OK : ExitCode.SOFTWARE;
      }
      TrainingResult result = training.run();
      printed.print(result, (System.nanoTime() - start) / 1e9);
      return result.isComplete() ? ExitCode.OK : ExitCode.SOFTWARE;
    }
  }

  private FluxTraining training(Progress progress, TrainingOutput printed) throws IOException {
    FluxTraining.Builder builder = FluxTraining.builder().stage(stage()).output(output);
    model.applyTo(builder);
    for (String adapter : adapters) {
      builder.adapters(List.of(model.adapter(adapter)));
    }
    builder
        .listener(progress)
        .trainingListener(printed)
        .cancellation(train.urae.cancellation())
        .device(device);
    TrainingData all = TrainingData.open(data, caches == null ? data : caches);
    printed.noteSkipped(all.skipped());
    try {
      applyData(builder, all);
      applyNumbers(builder);
      applySamples(builder);
      return builder.build();
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), PrintableText.of(e.getMessage()), e);
    }
  }

  private void applyData(FluxTraining.Builder builder, TrainingData all) {
    if (heldOut == null) {
      builder.data(all);
    } else {
      TrainingData.Split split = all.split(heldOut, 0);
      builder.data(split.training()).heldOut(split.heldOut(), heldOutEvery);
    }
  }

  private void applyNumbers(FluxTraining.Builder builder) {
    if (rank != null) {
      builder.rank(rank);
    }
    if (alpha != null) {
      builder.alpha(alpha);
    }
    if (!targets.isEmpty()) {
      builder.targetModules(targets);
    }
    if (steps != null) {
      builder.steps(steps);
    }
    if (batch != null) {
      builder.batch(batch);
    }
    if (accumulate != null) {
      builder.accumulate(accumulate);
    }
    if (optimizer != null) {
      builder.optimizer(optimizer);
    }
    if (learningRate != null) {
      builder.learningRate(learningRate);
    }
    builder.schedule(schedule, warmUp);
    if (weightDecay != null) {
      builder.weightDecay(weightDecay);
    }
    if (maxGradientNorm != null) {
      builder.maxGradientNorm(maxGradientNorm);
    }
    applyNoise(builder);
    if (nativeTokens != null) {
      builder.nativeTokens(nativeTokens);
    }
    if (originalPromptRatio != null) {
      builder.originalPromptRatio(originalPromptRatio);
    }
    if (seed != null) {
      builder.seed(seed);
    }
    if (base != null) {
      builder.baseType(base);
    }
    if (state != null) {
      builder.stateType(state);
    }
    builder.recomputation(recomputation).blockInputsOnHost(blockInputsOnHost);
    builder.checkpoints(saveEvery, keep);
    if (threads != null) {
      builder.threads(threads);
    }
    if (memoryLimit != null) {
      builder.memoryLimit(memoryLimit);
    }
    if (LATEST.equals(resume)) {
      builder.resumeLatest();
    } else if (resume != null) {
      builder.resume(Path.of(resume));
    }
  }

  private void applyNoise(FluxTraining.Builder builder) {
    if (weightingScheme != null) {
      builder.weightingScheme(weightingScheme);
    }
    builder.logitNormal(logitMean, logitDeviation);
    if (modeScale != null) {
      builder.modeScale(modeScale);
    }
    if (shift != null) {
      builder.shift(shift);
    }
    if (guidance != null) {
      builder.guidance(guidance);
    }
    if (ntkFactor != null) {
      builder.ntkFactor(ntkFactor);
    }
    if (proportionalAttention != null) {
      builder.proportionalAttention(proportionalAttention);
    }
  }

  private void applySamples(FluxTraining.Builder builder) {
    if (samples.isEmpty()) {
      return;
    }
    GenerationRequest.Builder request = GenerationRequest.builder(samples).seed(sampleSeed);
    if (sampleWidth != null) {
      request.width(sampleWidth);
    }
    if (sampleHeight != null) {
      request.height(sampleHeight);
    }
    if (sampleSteps != null) {
      request.steps(sampleSteps);
    }
    builder.samples(List.of(request.build()), sampleEvery == null ? saveEvery : sampleEvery);
  }

  /** Reads an element type. */
  static final class TypeConverter implements ITypeConverter<ElementType> {
    @Override
    public ElementType convert(String value) {
      return switch (value) {
        case "bf16" -> ElementType.BF16;
        case "f32" -> ElementType.F32;
        default -> throw new TypeConversionException("expected f32 or bf16, found '" + value + "'");
      };
    }
  }

  /** Reads a device. */
  static final class DeviceConverter implements ITypeConverter<Device> {
    @Override
    public Device convert(String value) {
      try {
        return Device.parse(value);
      } catch (IllegalArgumentException e) {
        throw new TypeConversionException(e.getMessage());
      }
    }
  }
}
