package io.github.urae.training.internal.loop;

import io.github.urae.CancellationToken;
import io.github.urae.GenerationCancelledException;
import io.github.urae.InferenceException;
import io.github.urae.TrainingException;
import io.github.urae.training.TrainingListener;
import io.github.urae.training.TrainingResult;
import io.github.urae.training.TrainingStep;
import io.github.urae.training.internal.checkpoint.TrainingFolder;
import io.github.urae.training.internal.checkpoint.TrainingRecord;
import io.github.urae.training.internal.data.DataPosition;
import io.github.urae.training.internal.data.DataSet;
import io.github.urae.training.internal.data.ExampleLoader;
import io.github.urae.training.internal.data.LoadedExample;
import io.github.urae.training.internal.engine.StepInputs;
import io.github.urae.training.internal.engine.TrainingEngine;
import io.github.urae.training.internal.metrics.MetricsLog;
import io.github.urae.training.internal.metrics.MetricsRow;
import io.github.urae.training.internal.metrics.SigmaBuckets;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs a training: pictures one after the other, an update after some of them, and what is due
 * after it. All that an update depends on is in the checkpoint of the update before, so that it is
 * the same whether or not the training was interrupted between them. Not thread-safe; for one run.
 */
public final class TrainingLoop {

  private static final Logger LOG = LoggerFactory.getLogger(TrainingLoop.class);

  private final TrainingEngine engine;
  private final DataSet pictures;
  private final Optional<HeldOutPictures> heldOut;
  private final StepMaker maker;
  private final LoopSettings settings;
  private final TrainingFolder folder;
  private final Identity identity;
  private final Sampler sampler;
  private final TrainingListener listener;
  private final CancellationToken cancellation;

  private long step;
  private long turn;
  private SigmaBuckets smoothed = new SigmaBuckets();
  private OptionalDouble lastLoss = OptionalDouble.empty();
  private OptionalDouble lastHeldOut = OptionalDouble.empty();
  private OptionalDouble bestHeldOut = OptionalDouble.empty();
  private long bestStep;
  private Optional<Path> checkpoint = Optional.empty();
  private long savedStep = -1;

  /** An update began and did not end: adapters and state are neither those before nor after it. */
  private boolean torn;

  private boolean interrupted;

  /** Draws samples with the adapter as it is. */
  @FunctionalInterface
  public interface Sampler {

    /**
     * Draws them.
     *
     * @param step updates so far
     * @param engine whose adapter it is
     * @return the files
     * @throws IOException if something cannot be read or written
     */
    List<Path> draw(long step, TrainingEngine engine) throws IOException;
  }

  /**
   * Creates a loop at the beginning.
   *
   * @param engine computes; stays the caller's
   * @param pictures what is trained on
   * @param heldOut what is measured
   * @param maker makes inputs
   * @param settings numbers
   * @param folder where everything is written
   * @param identity what a checkpoint is compared by
   * @param sampler draws samples
   * @param listener hears of everything
   * @param cancellation ends the training after the update that is being made
   */
  public TrainingLoop(
      TrainingEngine engine,
      DataSet pictures,
      Optional<HeldOutPictures> heldOut,
      StepMaker maker,
      LoopSettings settings,
      TrainingFolder folder,
      Identity identity,
      Sampler sampler,
      TrainingListener listener,
      CancellationToken cancellation) {
    this.engine = engine;
    this.pictures = pictures;
    this.heldOut = heldOut;
    this.maker = maker;
    this.settings = settings;
    this.folder = folder;
    this.identity = identity;
    this.sampler = sampler;
    this.listener = listener;
    this.cancellation = cancellation;
  }

  /**
   * Continues from a checkpoint.
   *
   * @param from its folder
   * @throws IOException if it cannot be read
   * @throws TrainingException if it is of another training
   */
  public void resume(Path from) throws IOException {
    TrainingRecord record = TrainingFolder.record(from);
    identity.check(from, record);
    folder.read(from, engine::restore);
    step = record.step();
    turn = record.turn();
    smoothed = record.smoothed();
    lastLoss = record.lastLoss();
    lastHeldOut = record.lastHeldOutLoss();
    bestHeldOut = record.bestHeldOutLoss();
    bestStep = record.bestStep();
    checkpoint = Optional.of(from);
    savedStep = step;
  }

  /**
   * Runs to the last step, or until it is cancelled: then what is done is saved. So it is, where
   * that is possible, when anything fails.
   *
   * @return how it ended
   * @throws IOException if something cannot be read or written; the last checkpoint is whole
   * @throws TrainingException if a loss is not finite; the state before it is saved
   */
  public TrainingResult run() throws IOException {
    try {
      return result();
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  private TrainingResult result() throws IOException {
    try (MetricsLog log = MetricsLog.open(folder.path(), step);
        ExampleLoader loader =
            new ExampleLoader(
                pictures,
                settings.seed(),
                settings.realPromptRatio(),
                position(),
                settings.batch())) {
      try {
        train(loader, log);
      } catch (GenerationCancelledException e) {
        LOG.debug("cancelled after step {}", step, e);
        interrupted = Thread.interrupted(); // With that set, no file could be written.
        engine.discardGradients();
        if (step > 0) {
          saveAndPrune();
        }
      } catch (IOException | RuntimeException | Error e) {
        interrupted = Thread.interrupted();
        saveAfter(e, log);
        throw e;
      }
      log.drawCurve();
    }
    Optional<Path> adapter = Optional.empty();
    if (step >= settings.steps()) {
      adapter = Optional.of(folder.saveAdapter(engine.adapter()));
    }
    double mean = smoothed.all();
    return new TrainingResult(
        step,
        settings.steps(),
        adapter,
        checkpoint,
        Double.isNaN(mean) ? OptionalDouble.empty() : OptionalDouble.of(mean),
        lastHeldOut);
  }

  private void train(ExampleLoader loader, MetricsLog log) throws IOException {
    if (step == 0 && settings.steps() > 0) {
      begin(log);
    }
    long before = step;
    long started = System.nanoTime();
    while (step < settings.steps()) {
      cancellation.throwIfCancelled();
      Update update = update(loader);
      finish(update, log, remaining(started, before));
    }
  }

  /** Steps since the last checkpoint are not lost with a cache, a sample or a full disk. */
  private void saveAfter(Throwable failure, MetricsLog log) {
    try {
      boolean done = failure instanceof TrainingException; // By who has thrown it.
      if (step > 0 && !torn && !done) {
        engine.discardGradients();
        save();
      }
      log.drawCurve();
    } catch (IOException | RuntimeException e) {
      failure.addSuppressed(e);
    }
  }

  private DataPosition position() {
    int size = pictures.examples().size();
    return new DataPosition(turn / size, (int) (turn % size));
  }

  private Optional<Duration> remaining(long started, long before) {
    double each = (double) (System.nanoTime() - started) / (step - before);
    return Optional.of(Duration.ofNanos((long) (each * (settings.steps() - step))));
  }

  /** What training starts from, before the first update. */
  private void begin(MetricsLog log) throws IOException {
    long started = System.nanoTime();
    if (heldOut.isPresent()) {
      measure();
      log.add(
          new MetricsRow(
              0,
              MetricsLog.now(),
              Double.NaN,
              Double.NaN,
              bucketLosses(),
              Double.NaN,
              settings.learningRate().at(0),
              engine.stepSize(),
              lastHeldOut,
              (System.nanoTime() - started) / 1e9,
              engine.memory().processBytes()));
    }
    if (settings.sampleEvery() > 0) {
      sample();
    }
  }

  /** What was found in an update. */
  private record Update(
      List<String> names,
      List<Double> sigmas,
      List<Double> losses,
      double norm,
      double learningRate,
      long nanos) {

    double loss() {
      return losses.stream().mapToDouble(Double::doubleValue).sum() / losses.size();
    }
  }

  private Update update(ExampleLoader loader) throws IOException {
    long started = System.nanoTime();
    List<String> names = new ArrayList<>();
    List<Double> sigmas = new ArrayList<>();
    List<Double> losses = new ArrayList<>();
    double rate = settings.learningRate().at(step);
    double norm;
    try {
      for (int i = 0; i < settings.accumulate(); i++) {
        List<StepInputs> pictures = new ArrayList<>();
        for (int j = 0; j < settings.batch(); j++) {
          cancellation.throwIfCancelled();
          LoadedExample picture = next(loader);
          long itsTurn = turn + (long) i * settings.batch() + j;
          StepInputs inputs = maker.make(picture, draws(picture, itsTurn));
          names.add(picture.example().name());
          sigmas.add(inputs.sigma());
          pictures.add(inputs);
        }
        losses.addAll(engine.accumulate(pictures, 1.0 / settings.pictures()));
      }
      norm = engine.clipGradients(settings.maxGradientNorm());
      torn = true;
      engine.update(rate);
      torn = false;
    } catch (InferenceException e) {
      throw failed(names, sigmas, e);
    }
    step++;
    turn += settings.pictures();
    for (int i = 0; i < losses.size(); i++) {
      smoothed.add(sigmas.get(i), losses.get(i));
    }
    return new Update(names, sigmas, losses, norm, rate, System.nanoTime() - started);
  }

  private PictureDraws draws(LoadedExample picture, long itsTurn) {
    int count = Math.toIntExact(picture.mean().shape().elementCount());
    return PictureDraws.of(settings.seed(), itsTurn, count, maker.levels());
  }

  private static LoadedExample next(ExampleLoader loader) throws IOException {
    try {
      return loader.next();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new GenerationCancelledException("cancelled: the thread was interrupted", e);
    }
  }

  /**
   * The adapters are as they were before the update, and are saved so; unless the update itself
   * failed, midway. No older checkpoint is deleted: what led to this may be in the last one.
   */
  private TrainingException failed(
      List<String> names, List<Double> sigmas, InferenceException failure) {
    StringBuilder which = new StringBuilder();
    for (int i = 0; i < sigmas.size(); i++) {
      which.append(
          String.format(
              Locale.ROOT, "%s'%s' (sigma %.3f)", i == 0 ? "" : ", ", names.get(i), sigmas.get(i)));
    }
    String kept;
    try {
      engine.discardGradients();
      if (step > 0 && !torn) {
        save();
      }
      kept =
          checkpoint
              .map(saved -> (torn ? "an earlier state" : "the state before it") + " is in " + saved)
              .orElse(step > 0 ? "nothing was saved before it" : "nothing was trained before it");
    } catch (IOException | RuntimeException e) {
      failure.addSuppressed(e);
      kept =
          "the state before it could not be saved ("
              + e.getMessage()
              + ")"
              + checkpoint.map(saved -> "; an earlier one is in " + saved).orElse("");
    }
    return new TrainingException(
        "step "
            + (step + 1)
            + ", picture "
            + which
            + ": "
            + failure.getMessage()
            + "; "
            + kept
            // What fails in the library beneath has its own way out.
            + (failure.getCause() == null
                ? "; leave the picture out, or train with a smaller learning rate, into another"
                    + " output folder"
                : ""),
        failure);
  }

  private void finish(Update update, MetricsLog log, Optional<Duration> remaining)
      throws IOException {
    boolean last = step == settings.steps();
    lastLoss = OptionalDouble.of(update.loss());
    long memory = engine.memory().processBytes();
    OptionalDouble measured = OptionalDouble.empty();
    GenerationCancelledException cancelled = null;
    if (heldOut.isPresent() && (last || step % settings.evaluateEvery() == 0)) {
      try {
        measure();
        measured = lastHeldOut;
      } catch (GenerationCancelledException e) {
        cancelled = e; // The update is made, and is written down like any other.
      }
    }
    log.add(
        new MetricsRow(
            step,
            MetricsLog.now(),
            update.loss(),
            smoothed.all(),
            bucketLosses(),
            update.norm(),
            update.learningRate(),
            engine.stepSize(),
            measured,
            update.nanos() / 1e9,
            memory));
    listener.onStep(
        new TrainingStep(
            step,
            settings.steps(),
            update.names(),
            update.sigmas(),
            update.loss(),
            smoothed.all(),
            smoothedBySigma(),
            update.norm(),
            update.learningRate(),
            engine.stepSize(),
            Duration.ofNanos(update.nanos()),
            memory,
            remaining));
    if (cancelled != null) {
      throw cancelled;
    }
    if (last || step % settings.saveEvery() == 0) {
      saveAndPrune();
      log.drawCurve();
    }
    if (settings.sampleEvery() > 0 && (last || step % settings.sampleEvery() == 0)) {
      sample();
    }
  }

  private void measure() throws IOException {
    double loss = heldOut.orElseThrow().loss(engine, maker, cancellation);
    lastHeldOut = OptionalDouble.of(loss);
    if (bestHeldOut.isEmpty() || loss < bestHeldOut.getAsDouble()) {
      bestHeldOut = lastHeldOut;
      bestStep = step;
    }
    listener.onHeldOutLoss(step, loss);
  }

  private void sample() throws IOException {
    for (Path picture : sampler.draw(step, engine)) {
      listener.onSample(step, picture);
    }
  }

  private List<Double> bucketLosses() {
    List<Double> losses = new ArrayList<>();
    for (int i = 0; i < SigmaBuckets.COUNT; i++) {
      losses.add(smoothed.of(i));
    }
    return losses;
  }

  private Map<String, Double> smoothedBySigma() {
    Map<String, Double> losses = new LinkedHashMap<>();
    for (int i = 0; i < SigmaBuckets.COUNT; i++) {
      if (!Double.isNaN(smoothed.of(i))) {
        losses.put(SigmaBuckets.name(i), smoothed.of(i));
      }
    }
    return losses;
  }

  private void saveAndPrune() throws IOException {
    save();
    folder.prune(settings.keep(), step);
  }

  private void save() throws IOException {
    if (savedStep == step) {
      return;
    }
    TrainingRecord record =
        new TrainingRecord(
            step,
            turn,
            identity.library(),
            identity.base(),
            identity.data(),
            identity.settings(),
            lastLoss,
            lastHeldOut,
            bestHeldOut,
            bestStep,
            smoothed);
    Path saved =
        folder.save(new TrainingFolder.Content(record, engine.adapter(), engine.optimizerState()));
    checkpoint = Optional.of(saved);
    savedStep = step;
    listener.onCheckpoint(step, saved);
  }
}
