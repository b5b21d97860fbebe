package io.github.urae.training.internal.data;

import io.github.urae.CancellationToken;
import io.github.urae.InferenceException;
import io.github.urae.InvalidRequestException;
import io.github.urae.ProgressListener;
import io.github.urae.Stage;
import io.github.urae.StageProgress;
import io.github.urae.flux.LatentPosterior;
import io.github.urae.flux.PromptEmbeddings;
import io.github.urae.flux.RunOptions;
import io.github.urae.flux.model.Component;
import io.github.urae.pipeline.FluxPipeline;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Encodes pictures and captions of a folder into caches as URAE's scripts write them. What is there
 * and fits stays, so that a preparation that was ended goes on when it is called again. One at a
 * time; owns nothing.
 */
public final class FolderPreparation {

  private static final Logger LOG = LoggerFactory.getLogger(FolderPreparation.class);

  /** Captions that are encoded at once; each takes 8 MB. */
  private static final int CAPTIONS_AT_ONCE = 8;

  /** An engine that fails this often in a row has not met a bad picture. */
  private static final int FAILURES_IN_A_ROW = 3;

  /** As many are named in a message. */
  private static final int NAMED = 3;

  private record TextTask(String name, String caption, Path cache) {}

  private record PictureTask(String name, Path picture, Path cache) {}

  private final FluxPipeline pipeline;
  private final PreparationSettings settings;
  private final ProgressListener listener;
  private final CancellationToken cancellation;
  private final CachePaths paths;
  private final int textTokens;
  private final CacheStamp stamp;
  private final CacheCheck check;

  private final List<TextTask> texts = new ArrayList<>();
  private final List<PictureTask> pictures = new ArrayList<>();
  private final List<String> conflicts = new ArrayList<>();
  private final List<Skipped> skipped = new ArrayList<>();
  private final Set<String> shortened = new LinkedHashSet<>();
  private final List<String> enlarged = new ArrayList<>();
  private int keptTexts;
  private int keptPictures;
  private int encodedPictures;

  private FolderPreparation(
      FluxPipeline pipeline,
      Path caches,
      PreparationSettings settings,
      ProgressListener listener,
      CancellationToken cancellation) {
    this.pipeline = pipeline;
    this.settings = settings;
    this.listener = listener;
    this.cancellation = cancellation;
    this.paths = new CachePaths(caches.normalize());
    this.textTokens = settings.textTokens().orElse(pipeline.model().maxTextTokens());
    if (textTokens < 1 || textTokens > pipeline.model().maxTextTokens()) {
      throw new InvalidRequestException(
          "text tokens: expected 1 to "
              + pipeline.model().maxTextTokens()
              + ", which the model reads, found "
              + textTokens);
    }
    this.stamp = CacheStamp.of(pipeline);
    this.check = new CacheCheck(stamp, settings, textTokens);
  }

  /**
   * Prepares a folder.
   *
   * @param folder of pictures
   * @param caches where caches lie: the same folder, or another
   * @return what was done, and what cannot be
   * @throws IOException if the folder cannot be read, or a cache not written: what was written
   *     stays
   * @throws InvalidRequestException if caches are there that were made otherwise
   * @throws io.github.urae.GenerationCancelledException if it was cancelled
   */
  public static PreparedFolder run(
      FluxPipeline pipeline,
      Path folder,
      Path caches,
      PreparationSettings settings,
      ProgressListener listener,
      CancellationToken cancellation)
      throws IOException {
    return new FolderPreparation(pipeline, caches, settings, listener, cancellation).run(folder);
  }

  private PreparedFolder run(Path folder) throws IOException {
    // 1. Find pictures and captions.
    PictureFolder found = PictureFolder.scan(folder);
    Map<String, Captions> captions = found.captions();
    skipped.addAll(found.skipped());

    // 2. See what is there already.
    for (Map.Entry<String, Captions> one : captions.entrySet()) {
      cancellation.throwIfCancelled();
      look(one.getKey(), found.pictures().get(one.getKey()), one.getValue());
    }
    refuseConflicts();

    // 3. Encode the captions, then the pictures.
    int encodedTexts = texts.size();
    encodeTexts();
    encodePictures();

    skipped.sort(Comparator.comparing(Skipped::file));
    return new PreparedFolder(
        keptPictures + encodedPictures,
        encodedPictures,
        keptPictures,
        encodedTexts,
        keptTexts,
        List.copyOf(shortened),
        List.copyOf(enlarged),
        List.copyOf(skipped));
  }

  private void look(String name, Path picture, Captions captions) throws IOException {
    for (CaptionKind kind : CaptionKind.values()) {
      if (captions.of(kind).isPresent()) {
        String caption = captions.of(kind).get();
        Path cache = paths.text(name, kind);
        if (keeps(check.ofText(cache, caption), cache)) {
          keptTexts++;
        } else {
          texts.add(new TextTask(name, caption, cache));
        }
      }
    }
    Path cache = paths.latents(name);
    if (keeps(check.ofLatents(cache, picture), cache)) {
      keptPictures++;
    } else {
      pictures.add(new PictureTask(name, picture, cache));
    }
  }

  private boolean keeps(CacheCheck.Verdict verdict, Path cache) {
    verdict.conflict().ifPresent(difference -> conflicts.add(cache + " " + difference));
    return verdict.keep();
  }

  private void refuseConflicts() {
    if (!settings.redo() && !conflicts.isEmpty()) {
      int named = Math.min(NAMED, conflicts.size());
      throw new InvalidRequestException(
          conflicts.size()
              + " caches were made otherwise than is asked for now: "
              + String.join("; ", conflicts.subList(0, named))
              + (conflicts.size() > named ? "; and so on" : "")
              + ". Have them made again (--redo), or let caches lie in another folder (--caches)");
    }
  }

  /** Counts units of one stage. */
  private final class Counting {

    private final Stage stage;
    private final Component component;
    private final StageProgress.Unit unit;
    private final long total;
    private final boolean last;
    private final long start = System.nanoTime();
    private long done;

    Counting(Stage stage, Component component, StageProgress.Unit unit, long total, boolean last) {
      this.stage = stage;
      this.component = component;
      this.unit = unit;
      this.total = total;
      this.last = last;
      report();
    }

    void advance(int units) {
      done += units;
      report();
    }

    private void report() {
      long elapsed = System.nanoTime() - start;
      Optional<Duration> remaining =
          done == 0 || !last
              ? Optional.empty()
              : Optional.of(Duration.ofNanos((long) ((double) elapsed / done * (total - done))));
      listener.onProgress(
          new StageProgress(
              stage,
              Optional.of(component.id()),
              done,
              total,
              unit,
              Duration.ofNanos(elapsed),
              remaining));
    }
  }

  /** Passes on what the pipeline tells of loading and converting; units are counted here. */
  private RunOptions.Builder options(Stage counted) {
    return RunOptions.builder()
        .cancellation(cancellation)
        .listener(
            progress -> {
              if (progress.stage() != counted) {
                listener.onProgress(progress);
              }
            });
  }

  private void encodeTexts() throws IOException {
    if (texts.isEmpty()) {
      return;
    }
    Counting counting =
        new Counting(
            Stage.ENCODING_TEXT,
            Component.TEXT_ENCODER_2,
            StageProgress.Unit.PROMPTS,
            texts.size(),
            pictures.isEmpty());
    for (int first = 0; first < texts.size(); first += CAPTIONS_AT_ONCE) {
      List<TextTask> tasks = texts.subList(first, Math.min(texts.size(), first + CAPTIONS_AT_ONCE));
      RunOptions options =
          options(Stage.ENCODING_TEXT)
              .onTruncatedPrompt(
                  truncated -> {
                    if (truncated.encoder() == Component.TEXT_ENCODER_2) {
                      tasks.stream()
                          .filter(task -> task.caption().equals(truncated.prompt()))
                          .forEach(task -> shortened.add(task.name()));
                    }
                  })
              .build();
      PromptEmbeddings embeddings =
          pipeline.encode(tasks.stream().map(TextTask::caption).toList(), textTokens, options);
      for (int i = 0; i < tasks.size(); i++) {
        TextTask task = tasks.get(i);
        write(
            task.cache(),
            CacheFile.TEXT,
            List.of(row(embeddings.sequence(), i), row(embeddings.pooled(), i)),
            stamp.ofText(task.caption()));
      }
      counting.advance(tasks.size());
    }
  }

  /** Views one of several, without the axis that counts them. */
  private static Tensor row(Tensor all, int index) {
    long[] dimensions = all.shape().toArray();
    long[] own = new long[dimensions.length - 1];
    System.arraycopy(dimensions, 1, own, 0, own.length);
    Shape shape = Shape.of(own);
    int length = Math.toIntExact(ElementType.F32.byteSize(shape.elementCount()));
    return Tensor.view(
        ElementType.F32, shape, all.data((long) index * length, length), all.origin());
  }

  private void write(Path cache, List<String> names, List<Tensor> tensors, Map<String, String> made)
      throws IOException {
    Files.createDirectories(cache.toAbsolutePath().getParent());
    Map<String, String> noted = new TreeMap<>(made);
    noted.put("format", "pt");
    CacheFile.write(cache, names, tensors, settings.storage(), noted);
  }

  private void encodePictures() throws IOException {
    if (pictures.isEmpty()) {
      return;
    }
    Counting counting =
        new Counting(
            Stage.ENCODING_IMAGE,
            Component.VAE_ENCODER,
            StageProgress.Unit.IMAGES,
            pictures.size(),
            true);
    List<Path> files = pictures.stream().map(PictureTask::picture).toList();
    int failuresInARow = 0;
    try (PictureReader reader = new PictureReader(files, settings.sizing(), settings.threads())) {
      for (PictureTask task : pictures) {
        cancellation.throwIfCancelled();
        PictureReader.Result result = reader.next();
        if (result.picture().isEmpty()) {
          skip(task, result.fault());
        } else {
          try {
            encode(task, result.picture().get());
            failuresInARow = 0;
          } catch (InferenceException e) {
            if (++failuresInARow == FAILURES_IN_A_ROW) {
              throw e;
            }
            skip(task, e.getMessage());
          }
        }
        counting.advance(1);
      }
    }
  }

  private void skip(PictureTask task, String fault) {
    LOG.warn("{} is skipped: {}", task.picture(), fault);
    skipped.add(new Skipped(task.picture(), fault));
  }

  private void encode(PictureTask task, PictureReader.SizedPicture picture) throws IOException {
    LatentPosterior posterior =
        pipeline.encode(picture.image(), settings.tiling(), options(Stage.ENCODING_IMAGE).build());
    write(
        task.cache(),
        CacheFile.LATENTS,
        List.of(posterior.mean(), posterior.deviation()),
        stamp.ofLatents(settings.sizing(), picture.digest()));
    encodedPictures++;
    if (picture.enlarged()) {
      enlarged.add(task.name());
    }
  }
}
