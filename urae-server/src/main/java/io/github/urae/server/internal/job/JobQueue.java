package io.github.urae.server.internal.job;

import io.github.urae.AdapterException;
import io.github.urae.FileFormatException;
import io.github.urae.GenerationCancelledException;
import io.github.urae.InferenceException;
import io.github.urae.InvalidRequestException;
import io.github.urae.ProgressListener;
import io.github.urae.flux.GeneratedImage;
import io.github.urae.flux.GenerationPlan;
import io.github.urae.flux.RunOptions;
import io.github.urae.pipeline.FluxPipeline;
import io.github.urae.server.internal.picture.PictureFiles;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Jobs in the order in which they came, and the threads that draw them. What is known of a job is
 * in the database before its caller hears of it; pictures are on the disk before their job is noted
 * as completed. So whatever ends the process, a later one finds finished jobs, and draws the
 * others. Thread-safe.
 */
public final class JobQueue implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(JobQueue.class);

  /** A job that ended the process as often is not begun again. */
  private static final int MAX_ATTEMPTS = 3;

  private static final Duration STOPPING = Duration.ofSeconds(20);

  private final FluxPipeline pipeline;
  private final JobStore store;
  private final PictureFiles files;
  private final AdapterCatalogue catalogue;
  private final AdapterSwitch adapters;
  private final Speed speed;
  private final int maxQueued;
  private final int keptJobs;
  private final SecureRandom random = new SecureRandom();
  private final Map<String, LiveJob> live = new ConcurrentHashMap<>();

  /** Held from before a job is taken until it is drawn, but not while its pictures are written. */
  private final Semaphore turns;

  private final List<Thread> workers = new ArrayList<>();

  /** Guarded by this object, as are the fields below. */
  private final Deque<LiveJob> queued = new ArrayDeque<>();

  /** Jobs that have a place and are being written down. */
  private int arriving;

  private int running;
  private boolean stopping;

  /**
   * Takes over what an earlier process has left, and begins to draw.
   *
   * @param concurrency how many jobs at once
   * @param maxQueued how many may wait
   * @param keptJobs how many ended jobs are kept
   */
  public JobQueue(
      FluxPipeline pipeline,
      JobStore store,
      PictureFiles files,
      AdapterCatalogue catalogue,
      int concurrency,
      int maxQueued,
      int keptJobs)
      throws IOException {
    this.pipeline = pipeline;
    this.store = store;
    this.files = files;
    this.catalogue = catalogue;
    this.adapters = new AdapterSwitch(pipeline, catalogue);
    this.speed = new Speed(store);
    this.maxQueued = maxQueued;
    this.keptJobs = keptJobs;
    this.turns = new Semaphore(concurrency, true);
    takeOver();
    // Twice as many, so that some write while others draw.
    for (int i = 0; i < 2 * concurrency; i++) {
      Thread worker = new Thread(this::work, "drawing-" + i);
      worker.setDaemon(true);
      workers.add(worker);
      worker.start();
    }
  }

  private void takeOver() throws IOException {
    files.keepOnly(new HashSet<>(store.ids()));
    for (Job job : store.unfinished()) {
      if (job.attached()) {
        store.fail(job.id(), JobFailure.INTERRUPTED);
      } else if (job.attempts() >= MAX_ATTEMPTS) {
        store.fail(
            job.id(),
            new JobFailure(
                "the server ended " + job.attempts() + " times while it drew this",
                "gave_up",
                null,
                500));
      } else {
        takeOver(job);
      }
    }
  }

  private void takeOver(Job job) {
    try {
      LiveJob again = new LiveJob(job.id(), job.settings(), false);
      store.putBack(job.id());
      live.put(again.id(), again);
      queued.add(again);
    } catch (RuntimeException e) {
      LOG.error("job {} cannot be taken up again", job.id(), e);
      store.fail(job.id(), failure(e));
    }
  }

  /** Returns how fast pictures are drawn. */
  public Speed speed() {
    return speed;
  }

  /**
   * Adds a job.
   *
   * @param drawing what to draw
   * @param attached whether its caller waits on a connection
   * @throws QueueFullException if no more may wait
   * @throws StoppingException if the server is about to end
   * @throws InvalidRequestException if the model cannot draw it
   * @throws IOException if a picture to start from cannot be written
   */
  public LiveJob add(Drawing drawing, boolean attached)
      throws QueueFullException, StoppingException, IOException {
    pipeline.plan(drawing.request());
    synchronized (this) {
      if (stopping) {
        throw new StoppingException();
      }
      int waiting = queued.size() + arriving;
      if (waiting >= maxQueued) {
        throw new QueueFullException(waiting, retryAfter(drawing));
      }
      arriving++;
    }
    byte[] id = new byte[16];
    random.nextBytes(id);
    // Its picture waits on the disk: many that wait would not fit into memory.
    LiveJob job = new LiveJob(HexFormat.of().formatHex(id), drawing.withoutPicture(), attached);
    boolean there = false;
    boolean late = false;
    try {
      if (drawing.startPicture().isPresent()) {
        files.saveStart(job.id(), drawing.startPicture().get());
      }
      store.add(job.id(), drawing, attached);
      there = true;
    } finally {
      synchronized (this) {
        arriving--;
        if (there && !stopping) {
          live.put(job.id(), job);
          queued.add(job);
          tellPlaces();
          notifyAll();
        }
        late = there && stopping;
      }
      if (!there) {
        files.remove(job.id());
      }
    }
    if (late && attached) {
      interrupt(job);
    }
    return job;
  }

  private Duration retryAfter(Drawing drawing) {
    GenerationPlan plan = pipeline.plan(drawing.request());
    long seconds = speed.seconds(plan, plan.flops()).map(Math::ceil).orElse(5.0).longValue();
    return Duration.ofSeconds(Math.max(1, Math.min(seconds, 600)));
  }

  /** Returns a job that has not ended. */
  public Optional<LiveJob> live(String id) {
    return Optional.ofNullable(live.get(id));
  }

  /** Returns how many jobs wait. */
  public synchronized int waiting() {
    return queued.size();
  }

  /** Returns how many jobs are drawn. */
  public synchronized int running() {
    return running;
  }

  /**
   * Ends a job that waits or is drawn.
   *
   * @return whether there was one
   */
  public boolean cancel(String id) {
    LiveJob job = live.get(id);
    if (job == null) {
      return false;
    }
    boolean waited;
    synchronized (this) {
      waited = queued.remove(job);
      if (waited) {
        tellPlaces();
      }
    }
    if (waited) {
      store.cancel(id);
      live.remove(id);
      job.cancelled();
      removeSurplus();
    } else {
      job.cancelByCaller();
    }
    return true;
  }

  /** Removes an ended job with its pictures. */
  public void remove(String id) throws IOException {
    store.remove(id);
    files.remove(id);
  }

  private void tellPlaces() {
    int ahead = running;
    for (LiveJob job : queued) {
      job.ahead(ahead++);
    }
  }

  private void work() {
    for (LiveJob job = next(); job != null; job = next()) {
      Turn turn = new Turn();
      try {
        draw(job, turn);
        removeSurplus();
      } catch (RuntimeException | Error e) {
        // Of the database, for instance: the next job may do better.
        LOG.error("job {} could not be noted", job.id(), e);
        job.fail(failure(e));
      } finally {
        turn.end();
        live.remove(job.id(), job);
        synchronized (this) {
          running--;
          tellPlaces();
        }
      }
    }
  }

  /** One of those that draw, until it is ended. */
  private final class Turn {

    private boolean ended;

    void end() {
      if (!ended) {
        ended = true;
        turns.release();
      }
    }
  }

  /** Waits for a turn and a job, in that order, so that what waits can still be cancelled. */
  private LiveJob next() {
    try {
      turns.acquire();
      LiveJob job = taken();
      if (job == null) {
        turns.release();
      }
      return job;
    } catch (InterruptedException e) {
      return null;
    }
  }

  private synchronized LiveJob taken() throws InterruptedException {
    while (queued.isEmpty() && !stopping) {
      wait();
    }
    if (stopping) {
      return null;
    }
    LiveJob job = queued.remove();
    running++;
    tellPlaces();
    return job;
  }

  private void draw(LiveJob job, Turn turn) {
    store.begin(job.id());
    job.begin();
    try {
      List<GeneratedImage> drawn = generate(job);
      turn.end();
      int pictures = save(job, drawn);
      store.complete(job.id(), pictures);
      job.complete(pictures);
    } catch (GenerationCancelledException e) {
      ended(job);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      ended(job);
    } catch (IOException | RuntimeException | Error e) {
      JobFailure failure = failure(e);
      if (failure.status() >= 500) {
        LOG.error("job {} failed", job.id(), e);
      }
      files.removePictures(job.id());
      store.fail(job.id(), failure);
      job.fail(failure);
    }
  }

  private List<GeneratedImage> generate(LiveJob job) throws IOException, InterruptedException {
    Drawing drawing =
        job.drawing().kind() == JobKind.EDIT
            ? job.drawing().withPicture(files.readStart(job.id()))
            : job.drawing();
    ProgressListener listener = job::progress;
    RunOptions options =
        RunOptions.builder()
            .listener(listener)
            .onStep(job::step)
            .cancellation(job.cancellation())
            .build();
    return adapters.with(
        drawing.adapters(),
        listener,
        job.cancellation(),
        () -> {
          GenerationPlan plan = pipeline.plan(drawing.request());
          long begun = System.nanoTime();
          List<GeneratedImage> pictures = pipeline.generate(drawing.request(), options);
          speed.measured(plan, Duration.ofNanos(System.nanoTime() - begun));
          return pictures;
        });
  }

  private int save(LiveJob job, List<GeneratedImage> pictures) throws IOException {
    for (int i = 0; i < pictures.size(); i++) {
      files.save(job.id(), i, pictures.get(i), job.drawing().type(), job.drawing().quality());
    }
    return pictures.size();
  }

  /** Ended by its caller, or by the end of the server. */
  private void ended(LiveJob job) {
    boolean byServer;
    synchronized (this) {
      byServer = stopping && !job.isCancelledByCaller();
    }
    files.removePictures(job.id());
    if (!byServer) {
      store.cancel(job.id());
      job.cancelled();
    } else if (job.isAttached()) {
      interrupt(job);
    } else {
      store.takeBack(job.id());
      job.queueAgain();
    }
  }

  private void interrupt(LiveJob job) {
    store.fail(job.id(), JobFailure.INTERRUPTED);
    job.fail(JobFailure.INTERRUPTED);
  }

  private void removeSurplus() {
    try {
      for (String id : store.surplus(keptJobs)) {
        remove(id);
      }
    } catch (IOException | RuntimeException e) {
      // No business of the job that has just ended.
      LOG.warn("pictures of earlier jobs could not be removed", e);
    }
  }

  private JobFailure failure(Throwable cause) {
    if (cause instanceof InvalidRequestException e) {
      return new JobFailure(
          PublicText.of(e.getMessage(), catalogue.files(), "this cannot be drawn"),
          "invalid_value",
          e.parameter().orElse(null),
          400);
    }
    if (cause instanceof AdapterException || cause instanceof FileFormatException) {
      return new JobFailure(
          PublicText.of(cause.getMessage(), catalogue.files(), "an adapter does not fit the model"),
          "invalid_adapter",
          "adapters",
          400);
    }
    if (cause instanceof InferenceException) {
      return new JobFailure(
          PublicText.of(cause.getMessage(), Map.of(), "the model could not be run"),
          "inference_failed",
          null,
          500);
    }
    if (cause instanceof OutOfMemoryError) {
      return new JobFailure(
          "the server has too little memory for this: ask for a smaller picture, or fewer",
          "out_of_memory",
          null,
          500);
    }
    if (cause instanceof IOException || cause instanceof UncheckedIOException) {
      return new JobFailure("the server could not read or write a file", "storage", null, 500);
    }
    return new JobFailure("the server failed; its log tells why", "internal_error", null, 500);
  }

  /**
   * Lets nothing more begin, ends what is drawn, and waits for that. Those who wait for a job learn
   * of it: to be called while they can still be answered. Closing twice is harmless.
   */
  @Override
  public void close() {
    List<LiveJob> left;
    synchronized (this) {
      stopping = true;
      left = List.copyOf(queued);
      queued.clear();
      notifyAll();
    }
    for (LiveJob job : left) {
      if (job.isAttached()) {
        interrupt(job);
      }
      live.remove(job.id());
    }
    live.values().forEach(job -> job.cancellation().cancel());
    long end = System.nanoTime() + STOPPING.toNanos();
    for (Thread worker : workers) {
      try {
        worker.join(Math.max(1, TimeUnit.NANOSECONDS.toMillis(end - System.nanoTime())));
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        break;
      }
    }
    // An operator that takes longer keeps no caller waiting.
    live.values().stream()
        .filter(job -> job.isAttached() && !job.state().status().isFinal())
        .forEach(this::interrupt);
  }
}
