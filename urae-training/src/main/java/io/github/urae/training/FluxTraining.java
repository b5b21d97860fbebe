package io.github.urae.training;

import io.github.urae.CancellationToken;
import io.github.urae.ModelException;
import io.github.urae.ProgressListener;
import io.github.urae.TrainingException;
import io.github.urae.adapter.AdapterSpec;
import io.github.urae.adapter.ModelBuilder;
import io.github.urae.adapter.internal.match.NetworkFingerprint;
import io.github.urae.adapter.internal.merge.CheckpointWeights;
import io.github.urae.device.Device;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.Checkpoint;
import io.github.urae.flux.model.internal.ModelLocation;
import io.github.urae.flux.model.internal.NetworkWeights;
import io.github.urae.internal.OwnedResources;
import io.github.urae.internal.Sha256;
import io.github.urae.tensor.ElementType;
import io.github.urae.training.internal.checkpoint.AdapterLayout;
import io.github.urae.training.internal.checkpoint.TrainingFolder;
import io.github.urae.training.internal.data.CachedExample;
import io.github.urae.training.internal.data.DataSet;
import io.github.urae.training.internal.engine.AdapterStage;
import io.github.urae.training.internal.engine.BaseModel;
import io.github.urae.training.internal.engine.EngineSettings;
import io.github.urae.training.internal.engine.OptimizerSettings;
import io.github.urae.training.internal.engine.TargetModules;
import io.github.urae.training.internal.engine.TrainingEngine;
import io.github.urae.training.internal.loop.EndingProcess;
import io.github.urae.training.internal.loop.HeldOutPictures;
import io.github.urae.training.internal.loop.Identity;
import io.github.urae.training.internal.loop.LearningRate;
import io.github.urae.training.internal.loop.LoopSettings;
import io.github.urae.training.internal.loop.NoiseLevels;
import io.github.urae.training.internal.loop.StepMaker;
import io.github.urae.training.internal.loop.TrainingLoop;
import io.github.urae.training.internal.plan.HostMemory;
import io.github.urae.training.internal.plan.MemoryAdvice;
import io.github.urae.training.internal.plan.StepCosts;
import io.github.urae.training.internal.samples.PipelineSampler;
import io.github.urae.training.internal.torch.ComputeRate;
import io.github.urae.training.internal.torch.TorchEngine;
import io.github.urae.training.internal.torch.TrainedShapes;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.WeightCache;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Trains URAE's adapters: a LoRA for 2K, or minor components for 4K, on a FLUX.1 checkpoint and a
 * folder of pictures that was prepared. Defaults are those of URAE's scripts for the stage.
 *
 * <pre>{@code
 * FluxTraining training =
 *     FluxTraining.builder()
 *         .model(Path.of("FLUX.1-dev"))
 *         .stage(TrainingStage.LORA)
 *         .data(Path.of("pictures"))
 *         .output(Path.of("my-2k-adapter"))
 *         .build();
 * System.out.println(training.plan().stepSeconds());
 * TrainingResult result = training.run();
 * }</pre>
 *
 * <p>Into the output folder go {@code checkpoint-STEP/}, {@code metrics.csv}, {@code loss.png},
 * {@code tensorboard/}, {@code samples/}, and {@code adapter.safetensors} at the end. A training
 * that was cancelled or killed is continued from a checkpoint, and ends with the same weights, bit
 * for bit, as one that was not, on the same machine and with as many threads.
 *
 * <p>Random numbers of the n-th picture are those of {@link
 * io.github.urae.flux.arithmetic.TorchGenerator}, that is PyTorch's, with a seed mixed of the
 * training's and n by SplitMix64's finaliser: noise of the posterior, noise, then the noise level.
 *
 * <p>Immutable. Each call opens and closes what it needs; {@link #run()} is for one thread at a
 * time on one output folder. The number of threads of libtorch is the whole process's.
 *
 * @see <a href="https://arxiv.org/abs/2503.16322">Ultra-Resolution Adaptation with Ease</a>
 */
public final class FluxTraining {

  private static final Logger LOG = LoggerFactory.getLogger(FluxTraining.class);

  /** Of what is free; the rest is for what nobody counts. */
  private static final double USABLE = 0.95;

  private final TrainingOptions given;
  private final ModelLocation location;
  private final List<AdapterSpec> baseAdapters;
  private final Path cache;
  private final ProgressListener progress;
  private final CancellationToken cancellation;
  private final long steps;
  private final LearningRate learningRate;
  private final double ntkFactor;
  private final boolean proportionalAttention;

  private FluxTraining(
      TrainingOptions options,
      ModelLocation location,
      List<AdapterSpec> baseAdapters,
      Path cache,
      ProgressListener progress,
      CancellationToken cancellation) {
    this.given = options;
    this.location = location;
    this.baseAdapters = baseAdapters;
    this.cache = cache;
    this.progress = progress;
    this.cancellation = cancellation;
    boolean minor = given.stage == TrainingStage.MINOR;
    steps = given.steps.orElse(minor ? 10_000 : 2_000);
    learningRate =
        new LearningRate(
            given.learningRate == null ? given.optimizer.usualRate() : given.learningRate,
            given.schedule,
            given.warmUp,
            steps);
    ntkFactor = given.ntkFactor == null ? (minor ? 10 : 1) : given.ntkFactor;
    proportionalAttention =
        given.proportionalAttention == null ? minor : given.proportionalAttention;
  }

  /**
   * Starts with URAE's settings.
   *
   * @return a builder
   */
  public static Builder builder() {
    return new Builder();
  }

  private static CachedExample largest(DataSet data) {
    return data.examples().stream()
        .max(
            Comparator.comparingLong(
                example -> (long) example.latentHeight() * example.latentWidth()))
        .orElseThrow();
  }

  private int textTokens() {
    return textTokens(given.data);
  }

  private static int textTokens(DataSet data) {
    return data.examples().stream().mapToInt(CachedExample::textTokens).max().orElseThrow();
  }

  private Checkpoint openCheckpoint() throws IOException {
    Checkpoint checkpoint = Checkpoint.open(location, Checkpoint.FAMILIES);
    for (DataSet data : Stream.concat(Stream.of(given.data), given.heldOut.stream()).toList()) {
      data.checkModel(
          checkpoint.vae().latentChannels(),
          checkpoint.transformer().textDim(),
          checkpoint.transformer().pooledDim());
      if (data.vaeFingerprint().isPresent()) {
        checkAutoencoder(data.vaeFingerprint().get(), checkpoint);
      }
    }
    return checkpoint;
  }

  /** Latents of another autoencoder have the same shape, and would be trained on in silence. */
  private static void checkAutoencoder(String noted, Checkpoint checkpoint) throws IOException {
    Path place = checkpoint.place(Component.VAE_ENCODER);
    try (TensorSource vae =
        NetworkWeights.open(place, checkpoint.family(), Component.VAE_ENCODER)) {
      boolean hasEncoder =
          vae.tensors().keySet().stream().anyMatch(name -> name.startsWith("encoder."));
      if (hasEncoder && !NetworkFingerprint.of(Component.VAE_ENCODER, vae).equals(noted)) {
        throw new ModelException(
            "the caches were made with another autoencoder than "
                + place
                + "; give the one that they were made with (vae, --vae), or prepare the folder with"
                + " this model");
      }
    }
  }

  private AdapterStage stage() {
    return given.stage == TrainingStage.MINOR
        ? new AdapterStage.Minor(given.rank, given.targets)
        : new AdapterStage.Lora(
            given.rank, given.alpha == null ? given.rank : given.alpha, given.targets, given.seed);
  }

  private OptimizerSettings optimizer() {
    if (given.optimizer == TrainingOptimizer.ADAMW) {
      OptimizerSettings.AdamW usual = OptimizerSettings.AdamW.URAE;
      return new OptimizerSettings.AdamW(
          usual.beta1(), usual.beta2(), usual.epsilon(), given.weightDecay);
    }
    OptimizerSettings.Prodigy usual = OptimizerSettings.Prodigy.URAE;
    return new OptimizerSettings.Prodigy(
        usual.beta1(),
        usual.beta2(),
        usual.beta3(),
        usual.epsilon(),
        given.weightDecay,
        usual.decoupled(),
        usual.biasCorrection(),
        usual.safeguardWarmup(),
        usual.initialD(),
        usual.coefficient(),
        usual.growthRate());
  }

  private EngineSettings engineSettings(Checkpoint checkpoint) {
    return EngineSettings.of(stage())
        .withOptimizer(optimizer())
        .withPositions(ntkFactor, proportionalAttention, nativeTokens(checkpoint))
        .withTypes(given.base, given.state)
        .withRecomputation(given.recomputation, given.blockInputsOnHost)
        .withDevice(deviceName(), given.threads)
        .withWorkers(workers());
  }

  /**
   * With pictures for every thread, each computes some of its own: that takes no more memory, and
   * nobody waits for others in each of thousands of small operations.
   */
  private int workers() {
    int threads = given.threads.orElse(Runtime.getRuntime().availableProcessors());
    return given.batch >= threads && !(given.device instanceof Device.Cuda) ? threads : 1;
  }

  private String deviceName() {
    return given.device instanceof Device.Cuda cuda ? "cuda:" + cuda.index() : "cpu";
  }

  /** As pictures are drawn: the text's tokens and those of a picture of the native size. */
  private long nativeTokens(Checkpoint checkpoint) {
    return given.nativeTokens.orElseGet(() -> checkpoint.nativeTokens(textTokens()));
  }

  private BaseModel base() {
    return new BaseModel(
        location, baseAdapters, new WeightCache(cache, WeightCache.DEFAULT_MAX_BYTES));
  }

  /**
   * Works out what the training takes. Reads configurations and headers, and measures for about a
   * second how fast the device multiplies matrices; runs nothing else and writes nothing but native
   * libraries into the cache.
   *
   * @return the plan
   * @throws IOException if a file is missing or cannot be read
   * @throws io.github.urae.UraeException if something does not fit together
   */
  public TrainingPlan plan() throws IOException {
    return plan(openCheckpoint());
  }

  private StepCosts costs(Checkpoint checkpoint) {
    AdapterStage stage = stage();
    return new StepCosts(
        checkpoint.transformer(),
        TrainedShapes.parameters(checkpoint.transformer(), stage),
        given.optimizer == TrainingOptimizer.PRODIGY,
        given.batch,
        workers(),
        new StepCosts.Choices(
            given.base == ElementType.BF16,
            given.state == ElementType.BF16,
            given.recomputation,
            given.blockInputsOnHost,
            !(given.device instanceof Device.Cuda)));
  }

  private TrainingPlan plan(Checkpoint checkpoint) throws IOException {
    StepCosts costs = costs(checkpoint);
    CachedExample largest = largest(given.data);
    int textTokens = textTokens();
    double flops =
        given.data.examples().stream()
                .mapToDouble(example -> costs.flops(textTokens, tokens(example)))
                .average()
                .orElseThrow()
            * given.batch
            * given.accumulate;
    int pixels = checkpoint.vae().pixelsPerLatent();
    long checkpointBytes =
        costs.parts(textTokens, 1).stream()
            .filter(part -> part.name().equals("adapters") || part.name().contains("state"))
            .mapToLong(TrainingPlan.Part::bytes)
            .sum();
    return new TrainingPlan(
        given.data.examples().size(),
        largest.latentWidth() * pixels,
        largest.latentHeight() * pixels,
        textTokens,
        tokens(largest),
        costs.parameters(),
        costs.parts(textTokens, tokens(largest)),
        available(),
        flops,
        ComputeRate.measure(cache, given.base, deviceName(), given.threads),
        steps,
        checkpointBytes,
        refusal(checkpoint));
  }

  private static long tokens(CachedExample example) {
    return (long) (example.latentHeight() / 2) * (example.latentWidth() / 2);
  }

  private OptionalLong available() {
    if (given.memoryLimit.isPresent()) {
      return given.memoryLimit;
    }
    return given.device instanceof Device.Cuda ? OptionalLong.empty() : HostMemory.available();
  }

  /** A training that the system would kill after an hour is better refused. */
  private Optional<String> refusal(Checkpoint checkpoint) {
    OptionalLong available = available();
    if (available.isEmpty()) {
      return Optional.empty();
    }
    boolean limited = given.memoryLimit.isPresent();
    long usable = limited ? available.getAsLong() : (long) (available.getAsLong() * USABLE);
    String only =
        ", but only "
            + MemoryAdvice.gigabytes(usable)
            + (limited ? " are allowed; " : " are free; ");
    StepCosts costs = costs(checkpoint);
    CachedExample largest = largest(given.data);
    long needed = costs.bytes(textTokens(), tokens(largest));
    if (needed > usable) {
      int pixels = checkpoint.vae().pixelsPerLatent();
      return Optional.of(
          "training on "
              + (given.batch == 1 ? "pictures" : given.batch + " pictures at once")
              + " of "
              + size(largest, checkpoint)
              + " pixels takes about "
              + MemoryAdvice.gigabytes(needed)
              + only
              + MemoryAdvice.of(
                  costs,
                  textTokens(),
                  largest.latentWidth() * pixels,
                  largest.latentHeight() * pixels,
                  usable));
    }
    return given.heldOut.flatMap(
        heldOut -> {
          CachedExample measured = largest(heldOut);
          long bytes = costs.measuringBytes(textTokens(heldOut), tokens(measured));
          return bytes <= usable
              ? Optional.empty()
              : Optional.of(
                  "measuring held-out picture '"
                      + measured.name()
                      + "' of "
                      + size(measured, checkpoint)
                      + " pixels takes about "
                      + MemoryAdvice.gigabytes(bytes)
                      + only
                      + "hold out pictures of at most "
                      + size(largest, checkpoint)
                      + " pixels, as those that are trained on, or none");
        });
  }

  private static String size(CachedExample example, Checkpoint checkpoint) {
    int pixels = checkpoint.vae().pixelsPerLatent();
    return example.latentWidth() * pixels + "x" + example.latentHeight() * pixels;
  }

  /**
   * Trains. A process that is told to end meanwhile, by a signal or {@code System.exit} on another
   * thread, cancels the training's token and waits until it has ended its block and saved, for two
   * minutes at most.
   *
   * @return how it ended: complete, or cancelled and saved
   * @throws IOException if a file is missing, cannot be read or cannot be written; checkpoints stay
   *     whole
   * @throws TrainingException if the output folder has a training that is not to be continued, or
   *     one of something else; if memory would not do, and then with what would; or if the loss is
   *     no number: then the state before it is saved
   * @throws io.github.urae.GenerationCancelledException if it was cancelled before there was
   *     anything to save
   * @throws io.github.urae.UraeException if a file is damaged or something does not fit together
   */
  public TrainingResult run() throws IOException {
    TrainingFolder folder =
        new TrainingFolder(
            given.output,
            given.stage == TrainingStage.MINOR ? AdapterLayout.MINOR : AdapterLayout.LORA);
    Optional<Path> resumed = resumed(folder);
    Checkpoint checkpoint = openCheckpoint();
    Optional<String> refusal = refusal(checkpoint);
    if (refusal.isPresent()) {
      throw new TrainingException(refusal.get());
    }
    Identity identity = identity(checkpoint);
    if (resumed.isPresent()) {
      // Before anything is computed, which may take long.
      identity.check(resumed.get(), TrainingFolder.record(resumed.get()));
    }
    folder.create();
    try (OwnedResources owned = new OwnedResources()) {
      owned.add(new EndingProcess(cancellation));
      owned.add(folder.lock());
      TrainingEngine engine =
          owned.add(TorchEngine.open(base(), engineSettings(checkpoint), progress, cancellation));
      TrainingLoop loop =
          new TrainingLoop(
              engine,
              given.data,
              given.heldOut.map(HeldOutPictures::new),
              maker(checkpoint),
              loopSettings(),
              folder,
              identity,
              new PipelineSampler(
                  location,
                  cache,
                  baseAdapters,
                  given.samples,
                  given.output,
                  given.threads,
                  cancellation),
              given.trainingListener,
              cancellation);
      if (resumed.isPresent()) {
        loop.resume(resumed.get());
      }
      return loop.run();
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }

  private StepMaker maker(Checkpoint checkpoint) {
    return new StepMaker(
        checkpoint.family().latents(),
        checkpoint.vae().shiftFactor(),
        checkpoint.vae().scalingFactor(),
        given.levels,
        given.guidance);
  }

  private LoopSettings loopSettings() {
    return new LoopSettings(
        given.seed,
        steps,
        given.batch,
        given.accumulate,
        learningRate,
        given.maxGradientNorm,
        given.realPromptRatio,
        given.saveEvery,
        given.keep,
        given.evaluateEvery,
        given.sampleEvery);
  }

  private Optional<Path> resumed(TrainingFolder folder) throws IOException {
    Optional<Path> latest = folder.latest();
    if (given.resume != null) {
      return Optional.of(given.resume);
    }
    if (given.resumeLatest) {
      if (latest.isEmpty()) {
        LOG.info("{} has no checkpoint yet; the training begins", given.output);
      }
      return latest;
    }
    if (latest.isPresent()) {
      throw new TrainingException(
          given.output
              + ": holds a training already ("
              + latest.get().getFileName()
              + "); continue it (resume, --resume latest), or choose another output folder");
    }
    return Optional.empty();
  }

  private Identity identity(Checkpoint checkpoint) throws IOException {
    List<String> base = new ArrayList<>();
    try (OwnedResources files = new OwnedResources()) {
      CheckpointWeights weights = CheckpointWeights.open(location, files);
      base.add(
          NetworkFingerprint.of(
              Component.TRANSFORMER, weights.byNetwork().get(Component.TRANSFORMER)));
    }
    for (AdapterSpec adapter : baseAdapters) {
      base.add(digest(adapter.path()) + " x " + adapter.scale());
    }
    Map<String, String> settings = new LinkedHashMap<>();
    settings.put("stage", given.stage.name());
    settings.put("rank", Integer.toString(given.rank));
    settings.put("alpha", String.valueOf(given.alpha == null ? given.rank : given.alpha));
    settings.put("target modules", String.join(" ", given.targets.patterns()));
    settings.put("seed", Long.toString(given.seed));
    settings.put("batch", Integer.toString(given.batch));
    settings.put("accumulation", Integer.toString(given.accumulate));
    settings.put("optimizer", given.optimizer.name());
    settings.put("learning rate", Double.toString(learningRate.highest()));
    settings.put("learning rate schedule", given.schedule.name());
    settings.put("warm-up", Long.toString(given.warmUp));
    if (given.schedule != LearningRateSchedule.CONSTANT) {
      settings.put("steps, which the schedule ends with,", Long.toString(steps));
    }
    settings.put("weight decay", Double.toString(given.weightDecay));
    settings.put("most gradient norm", Double.toString(given.maxGradientNorm));
    settings.put("weighting scheme", given.levels.scheme().name());
    settings.put("logit mean", Double.toString(given.levels.logitMean()));
    settings.put("logit deviation", Double.toString(given.levels.logitDeviation()));
    settings.put("mode scale", Double.toString(given.levels.modeScale()));
    settings.put("shift", Double.toString(given.levels.shift()));
    settings.put("guidance", Double.toString(given.guidance));
    settings.put("NTK factor", Double.toString(ntkFactor));
    settings.put("proportional attention", Boolean.toString(proportionalAttention));
    settings.put("native tokens", Long.toString(nativeTokens(checkpoint)));
    settings.put("original prompt ratio", Double.toString(given.realPromptRatio));
    settings.put("base type", given.base.name());
    settings.put("state type", given.state.name());
    return new Identity(LibraryVersion.text(), base, given.data.digest(), settings);
  }

  /** Of a file, or of the files of a folder. */
  private static String digest(Path adapter) throws IOException {
    if (!Files.isDirectory(adapter)) {
      return Sha256.nameOfContent(adapter);
    }
    MessageDigest digest = Sha256.start();
    List<Path> files;
    try (Stream<Path> entries = Files.list(adapter)) {
      files = entries.filter(Files::isRegularFile).sorted().toList();
    }
    for (Path file : files) {
      digest.update(Sha256.nameOfContent(file).getBytes(StandardCharsets.UTF_8));
    }
    return Sha256.name(digest);
  }

  /** Collects what a training is. Required: model, stage, data, output. Not thread-safe. */
  public static final class Builder extends ModelBuilder<Builder> {

    private final TrainingOptions options = new TrainingOptions();

    private Builder() {}

    private static void check(boolean fine, String name, String expected, Object found) {
      if (!fine) {
        throw new IllegalArgumentException(name + ": expected " + expected + ", found " + found);
      }
    }

    private static boolean isPositive(double value) {
      return value > 0 && !Double.isInfinite(value);
    }

    /**
     * Sets what is trained. Required.
     *
     * @param value a LoRA or minor components
     * @return this
     */
    public Builder stage(TrainingStage value) {
      options.stage = Objects.requireNonNull(value, "stage");
      return this;
    }

    /**
     * Sets the pictures. Required.
     *
     * @param value pictures with caches
     * @return this
     */
    public Builder data(TrainingData value) {
      options.data = value.dataSet();
      return this;
    }

    /**
     * Sets the pictures by their folder.
     *
     * @param folder a folder that was prepared, or one with the caches of URAE's scripts
     * @return this
     * @throws IOException if it is missing or cannot be read
     * @throws io.github.urae.FileFormatException as for {@link TrainingData#open(Path)}
     */
    public Builder data(Path folder) throws IOException {
      return data(TrainingData.open(folder));
    }

    /**
     * Sets where everything is written. Required.
     *
     * @param folder made when needed; it must hold no training, unless that is continued
     * @return this
     */
    public Builder output(Path folder) {
      options.output = Objects.requireNonNull(folder, "output");
      return this;
    }

    /**
     * Sets the adapters' rank.
     *
     * @param value at least 1; by default 16
     * @return this
     * @throws IllegalArgumentException if it is less
     */
    public Builder rank(int value) {
      check(value >= 1 && value <= AdapterStage.MOST_RANK, "rank", "1 to 3072", value);
      options.rank = value;
      return this;
    }

    /**
     * Sets a LoRA's alpha: its update is multiplied by alpha / rank. In files B is multiplied by
     * that already, so that every program reads them the same.
     *
     * @param value positive; by default the rank. Minor components have none
     * @return this
     * @throws IllegalArgumentException if it is not positive
     */
    public Builder alpha(double value) {
      check(isPositive(value), "alpha", "a positive number", value);
      options.alpha = value;
      return this;
    }

    /**
     * Sets which linear layers of the transformer are trained.
     *
     * @param patterns names, or their endings after a dot, with {@code *} for any text; by default
     *     {@code attn.to_q}, {@code attn.to_k}, {@code attn.to_v} and {@code attn.to_out.0}, which
     *     are URAE's. Minor components know no others
     * @return this
     * @throws IllegalArgumentException if there are none
     */
    public Builder targetModules(List<String> patterns) {
      options.targets = new TargetModules(patterns);
      return this;
    }

    /**
     * Sets the seed of everything that is drawn.
     *
     * @param value any number; by default 0
     * @return this
     */
    public Builder seed(long value) {
      options.seed = value;
      return this;
    }

    /**
     * Sets the number of updates. A training that is complete can be continued with more.
     *
     * @param value at least 1; by default 2,000 for a LoRA and 10,000 for minor components
     * @return this
     * @throws IllegalArgumentException if it is less
     */
    public Builder steps(long value) {
      check(value >= 1, "steps", "1 or more", value);
      options.steps = OptionalLong.of(value);
      return this;
    }

    /**
     * Sets the pictures that are computed at once, as far as they are of one size and their
     * captions of one length; those that are not are computed one after the other. More of them
     * keep a processor or GPU busier where pictures or models are small, and take more memory. With
     * as many as there are threads, each thread of the processor computes some on its own.
     *
     * @param value at least 1, the default, as URAE trains
     * @return this
     * @throws IllegalArgumentException if it is less
     */
    public Builder batch(int value) {
      check(value >= 1 && value <= 1 << 10, "batch", "1 to 1024", value);
      options.batch = value;
      return this;
    }

    /**
     * Sets the batches of an update: the gradients of all their pictures are averaged. URAE trains
     * with 1 picture on each of 8 GPUs.
     *
     * @param value at least 1, the default
     * @return this
     * @throws IllegalArgumentException if it is less
     */
    public Builder accumulate(int value) {
      check(value >= 1 && value <= 1 << 16, "accumulation", "1 to 65536", value);
      options.accumulate = value;
      return this;
    }

    /**
     * Sets the optimizer.
     *
     * @param value by default Prodigy
     * @return this
     */
    public Builder optimizer(TrainingOptimizer value) {
      options.optimizer = Objects.requireNonNull(value, "optimizer");
      return this;
    }

    /**
     * Sets the learning rate, which stays the same unless {@link #schedule} is called.
     *
     * @param value positive; by default {@link TrainingOptimizer#usualRate()}
     * @return this
     * @throws IllegalArgumentException if it is not positive
     */
    public Builder learningRate(double value) {
      check(isPositive(value), "learning rate", "a positive number", value);
      options.learningRate = value;
      return this;
    }

    /**
     * Sets how the learning rate changes.
     *
     * @param value how it goes on after the warm-up; by default {@link
     *     LearningRateSchedule#CONSTANT}, as URAE trains. With another, a training cannot be
     *     continued with more steps
     * @param warmUp updates over which it rises in a straight line; by default 0
     * @return this
     * @throws IllegalArgumentException if there are less than none
     */
    public Builder schedule(LearningRateSchedule value, long warmUp) {
      check(warmUp >= 0, "warm-up", "0 or more updates", warmUp);
      options.schedule = Objects.requireNonNull(value, "schedule");
      options.warmUp = warmUp;
      return this;
    }

    /**
     * Sets the decay of the adapters' weights, decoupled from gradients.
     *
     * @param value at least 0; by default 1e-4
     * @return this
     * @throws IllegalArgumentException if it is less
     */
    public Builder weightDecay(double value) {
      check(value >= 0 && !Double.isInfinite(value), "weight decay", "0 or more", value);
      options.weightDecay = value;
      return this;
    }

    /**
     * Sets the norm to which all gradients together are scaled down.
     *
     * @param value positive, by default 1; infinity leaves them as they are
     * @return this
     * @throws IllegalArgumentException if it is not positive
     */
    public Builder maxGradientNorm(double value) {
      check(value > 0, "gradient norm", "a positive number", value);
      options.maxGradientNorm = value;
      return this;
    }

    /**
     * Sets how noise levels are drawn and losses weighted.
     *
     * @param value by default {@link WeightingScheme#NONE}
     * @return this
     */
    public Builder weightingScheme(WeightingScheme value) {
      options.levels =
          new NoiseLevels(
              Objects.requireNonNull(value, "weighting scheme"),
              options.levels.logitMean(),
              options.levels.logitDeviation(),
              options.levels.modeScale(),
              options.levels.shift());
      return this;
    }

    /**
     * Sets the normal numbers of {@link WeightingScheme#LOGIT_NORMAL}.
     *
     * @param mean by default 0
     * @param deviation positive, by default 1
     * @return this
     * @throws IllegalArgumentException if they are not such numbers
     */
    public Builder logitNormal(double mean, double deviation) {
      options.levels =
          new NoiseLevels(
              options.levels.scheme(),
              mean,
              deviation,
              options.levels.modeScale(),
              options.levels.shift());
      return this;
    }

    /**
     * Sets the strength of {@link WeightingScheme#MODE}.
     *
     * @param value -1 to 1.75, by default 1.29
     * @return this
     * @throws IllegalArgumentException if it is outside
     */
    public Builder modeScale(double value) {
      options.levels =
          new NoiseLevels(
              options.levels.scheme(),
              options.levels.logitMean(),
              options.levels.logitDeviation(),
              value,
              options.levels.shift());
      return this;
    }

    /**
     * Moves noise levels up: sigma becomes {@code shift sigma / (1 + (shift - 1) sigma)}.
     *
     * @param value positive, by default 1, which changes nothing: URAE shifts only where pictures
     *     are drawn
     * @return this
     * @throws IllegalArgumentException if it is not positive
     */
    public Builder shift(double value) {
      options.levels =
          new NoiseLevels(
              options.levels.scheme(),
              options.levels.logitMean(),
              options.levels.logitDeviation(),
              options.levels.modeScale(),
              value);
      return this;
    }

    /**
     * Sets the guidance that the transformer is told. FLUX.1-dev was distilled so that guidance 1
     * stands for none; trained with more, an adapter learns to undo it, which is one of URAE's
     * findings. Without effect on a transformer that has no guidance embedding.
     *
     * @param value by default 1
     * @return this
     * @throws IllegalArgumentException if it is not finite
     */
    public Builder guidance(double value) {
      check(Double.isFinite(value), "guidance", "a finite number", value);
      options.guidance = value;
      return this;
    }

    /**
     * Sets the factor on the rotary base frequency.
     *
     * @param value positive; by default 1 for a LoRA and 10 for minor components
     * @return this
     * @throws IllegalArgumentException if it is not positive
     */
    public Builder ntkFactor(double value) {
      check(isPositive(value), "NTK factor", "a positive number", value);
      options.ntkFactor = value;
      return this;
    }

    /**
     * Sets whether attention is sharpened with the logarithm of the number of tokens.
     *
     * @param value by default false for a LoRA and true for minor components
     * @return this
     */
    public Builder proportionalAttention(boolean value) {
      options.proportionalAttention = value;
      return this;
    }

    /**
     * Sets the number of tokens at which proportional attention changes nothing.
     *
     * @param value at least 2; by default those of the captions and of a picture of the
     *     checkpoint's native size, 4608 for FLUX.1-dev
     * @return this
     * @throws IllegalArgumentException if it is less
     */
    public Builder nativeTokens(long value) {
      check(value >= 2, "native tokens", "2 or more", value);
      options.nativeTokens = OptionalLong.of(value);
      return this;
    }

    /**
     * Sets how often a picture with two captions is trained with its original one.
     *
     * @param ratio 0 to 1; by default 0.2, as in URAE's scripts
     * @return this
     * @throws IllegalArgumentException if it is outside
     */
    public Builder originalPromptRatio(double ratio) {
      check(ratio >= 0 && ratio <= 1, "original prompt ratio", "0 to 1", ratio);
      options.realPromptRatio = ratio;
      return this;
    }

    /**
     * Sets what the frozen weights are held and multiplied in. Where the user's file holds just
     * that, it is mapped; otherwise a converted copy is made in the cache.
     *
     * @param type F32, the default, or BF16: half the memory, as URAE trains
     * @return this
     * @throws IllegalArgumentException if it is another
     */
    public Builder baseType(ElementType type) {
      check(type == ElementType.F32 || type == ElementType.BF16, "base", "F32 or BF16", type);
      options.base = type;
      return this;
    }

    /**
     * Sets what adapters, gradients and the optimizer's state are.
     *
     * @param type F32, the default; or BF16 to compare with URAE's published runs, in which the
     *     state's slow decay is lost to rounding
     * @return this
     * @throws IllegalArgumentException if it is another
     */
    public Builder stateType(ElementType type) {
      check(type == ElementType.F32 || type == ElementType.BF16, "state", "F32 or BF16", type);
      options.state = type;
      return this;
    }

    /**
     * Sets whether activations are kept for one block at a time and computed again.
     *
     * @param value by default true; false takes the memory of all blocks and a third less time
     * @return this
     */
    public Builder recomputation(boolean value) {
      options.recomputation = value;
      return this;
    }

    /**
     * Sets whether what enters each block waits in host memory, where a GPU computes.
     *
     * @param value by default false
     * @return this
     */
    public Builder blockInputsOnHost(boolean value) {
      options.blockInputsOnHost = value;
      return this;
    }

    /**
     * Sets where training runs.
     *
     * @param value the processor, which is the default and what {@link Device#auto()} means here,
     *     or a GPU: that needs org.bytedeco:pytorch with a {@code -gpu} classifier and CUDA 13, and
     *     was not tried
     * @return this
     */
    public Builder device(Device value) {
      options.device = Objects.requireNonNull(value, "device");
      return this;
    }

    /**
     * Sets where training runs, by name.
     *
     * @param name {@code cpu}, {@code cuda} or {@code cuda:N}
     * @return this
     * @throws IllegalArgumentException if it is no device
     */
    public Builder device(String name) {
      return device(Device.parse(name));
    }

    /**
     * Sets the number of threads on the processor.
     *
     * @param count at least 1; by default one for each core. The same number gives the same bits
     * @return this
     * @throws IllegalArgumentException if it is less
     */
    public Builder threads(int count) {
      check(count >= 1 && count <= 1024, "threads", "1 to 1024", count);
      options.threads = OptionalInt.of(count);
      return this;
    }

    /**
     * Sets how often the state is saved, and how many of the last checkpoints stay.
     *
     * @param every updates between two, at least 1; by default 1000
     * @param last checkpoints that stay, at least 1; by default 3
     * @return this
     * @throws IllegalArgumentException if one is less
     */
    public Builder checkpoints(long every, int last) {
      check(every >= 1, "updates between checkpoints", "1 or more", every);
      check(last >= 1, "checkpoints that stay", "1 or more", last);
      options.saveEvery = every;
      options.keep = last;
      return this;
    }

    /**
     * Measures the loss of pictures that are not trained on, at fixed noise levels and with fixed
     * noise: unlike the loss of steps it tells small differences.
     *
     * @param value other pictures, such as those of {@link TrainingData#split}
     * @param every updates between two measurements, at least 1
     * @return this
     * @throws IllegalArgumentException if it is less
     */
    public Builder heldOut(TrainingData value, long every) {
      check(every >= 1, "updates between measurements", "1 or more", every);
      options.heldOut = Optional.of(value.dataSet());
      options.evaluateEvery = every;
      return this;
    }

    /**
     * Draws samples with the adapter as it is, through the library's own pipeline on the processor,
     * into {@code samples/}. Training rests meanwhile, and keeps its memory; the pipeline takes its
     * own beside that, and room in the cache for the merged weights.
     *
     * @param requests what is drawn; with seeds, or pictures of different steps cannot be compared
     * @param every updates between two, at least 1
     * @return this
     * @throws IllegalArgumentException if {@code every} is less
     */
    public Builder samples(List<GenerationRequest> requests, long every) {
      check(every >= 1, "updates between samples", "1 or more", every);
      options.samples = List.copyOf(requests);
      options.sampleEvery = options.samples.isEmpty() ? 0 : every;
      return this;
    }

    /**
     * Refuses to train where it is expected to take more memory, pages of files not counted.
     *
     * @param bytes by default what is free on this machine
     * @return this
     * @throws IllegalArgumentException if it is not positive
     */
    public Builder memoryLimit(long bytes) {
      check(bytes > 0, "memory limit", "a positive number", bytes);
      options.memoryLimit = OptionalLong.of(bytes);
      return this;
    }

    /**
     * Continues from a checkpoint. The training must be the same, but for its number of steps, what
     * it saves and shows, threads and device.
     *
     * @param checkpoint its folder
     * @return this
     */
    public Builder resume(Path checkpoint) {
      options.resume = Objects.requireNonNull(checkpoint, "checkpoint");
      return this;
    }

    /**
     * Continues from the last checkpoint of the output folder, and begins where there is none.
     *
     * @return this
     */
    public Builder resumeLatest() {
      options.resumeLatest = true;
      return this;
    }

    /**
     * Sets who hears of steps, checkpoints and samples. {@link #listener} hears of weights that are
     * made before.
     *
     * @param value called on the thread that trains
     * @return this
     */
    public Builder trainingListener(TrainingListener value) {
      options.trainingListener = Objects.requireNonNull(value, "listener");
      return this;
    }

    /**
     * Makes the training. Opens nothing yet.
     *
     * @return the training, on which later changes of this builder have no effect
     * @throws IOException if no cache folder is set and the user has no home folder
     * @throws IllegalStateException if model, stage, data or output is not set
     * @throws IllegalArgumentException if alpha is set for minor components, or the warm-up takes
     *     all steps
     */
    public FluxTraining build() throws IOException {
      require("stage", options.stage);
      require("data", options.data);
      require("output", options.output);
      check(
          options.stage != TrainingStage.MINOR || options.alpha == null,
          "alpha",
          "none for minor components, which count as they are: leave it out, or train a LoRA",
          options.alpha);
      options.steps.ifPresent(
          steps ->
              check(
                  options.warmUp < steps,
                  "warm-up",
                  "fewer updates than the " + steps + " in all",
                  options.warmUp));
      return new FluxTraining(
          options.copy(),
          new ModelLocation(model(), parts()),
          adapters(),
          cacheFolder(),
          listener(),
          cancellation());
    }

    private static void require(String name, Object value) {
      if (value == null) {
        throw new IllegalStateException("expected a " + name + "; call " + name + "(...)");
      }
    }
  }
}
