package io.github.urae.training;

import io.github.urae.CancellationToken;
import io.github.urae.InvalidRequestException;
import io.github.urae.ProgressListener;
import io.github.urae.flux.VaeTiling;
import io.github.urae.pipeline.FluxPipeline;
import io.github.urae.tensor.ElementType;
import io.github.urae.training.internal.data.FolderPreparation;
import io.github.urae.training.internal.data.PictureSizing;
import io.github.urae.training.internal.data.PreparationSettings;
import io.github.urae.training.internal.data.PreparedFolder;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * Encodes pictures and captions of a folder, through a pipeline, into the caches that {@link
 * TrainingData} and URAE's scripts read.
 *
 * <pre>{@code
 * try (FluxPipeline pipeline =
 *     FluxPipeline.builder().model(model).loadWhenNeeded(true).build()) {
 *   PreparationReport report =
 *       DataPreparation.builder(folder).resolution(2048).build().run(pipeline);
 *   report.skipped().forEach(System.err::println);
 * }
 * }</pre>
 *
 * <p>Pictures are the files of a folder and its subfolders that end in {@code jpg}, {@code jpeg},
 * {@code png}, {@code webp}, {@code tif}, {@code tiff}, {@code bmp} or {@code gif}; hidden ones are
 * left out. The first of these that says anything is a picture's caption:
 *
 * <ol>
 *   <li>{@code NAME.json} with {@code prompt}, {@code generated_prompt} or both, as URAE has it;
 *   <li>an entry of {@code metadata.jsonl} or {@code metadata.csv} in the picture's folder or one
 *       above it, as Hugging Face's image folders have it: {@code file_name}; {@code prompt},
 *       {@code text} or {@code caption}; {@code generated_prompt};
 *   <li>{@code NAME.txt} or {@code NAME.caption}, whose lines are joined.
 * </ol>
 *
 * <p>A picture that cannot be read or has no caption is skipped, and the report says why. Each
 * cache is written beside its place and renamed, and those that are there and fit stay: a
 * preparation that was ended goes on when it is run again. Where a picture or caption has changed
 * since, its cache is made again. Caches that were made with another model, at another resolution
 * or with another number of tokens are refused before anything is encoded, unless {@link
 * Builder#redo}.
 *
 * <p>Immutable; may be run several times, also at the same time on different folders.
 */
public final class DataPreparation {

  private final Path folder;
  private final Path caches;
  private final PreparationSettings settings;
  private final ProgressListener listener;
  private final CancellationToken cancellation;

  private DataPreparation(Builder builder) {
    folder = builder.folder;
    caches = builder.caches.orElse(builder.folder);
    settings =
        new PreparationSettings(
            new PictureSizing(
                builder.resolution, builder.fit == PictureFit.CROP, !builder.skipSmaller),
            builder.textTokens,
            builder.storage,
            builder.tiling,
            builder.redo,
            builder.threads);
    listener = builder.listener;
    cancellation = builder.cancellation;
  }

  /**
   * Starts with URAE's settings: pictures keep their sizes and are stretched where a resolution is
   * set, float32, as many text tokens as the model reads.
   *
   * @param folder of pictures
   * @return a builder
   */
  public static Builder builder(Path folder) {
    return new Builder(folder);
  }

  /**
   * Encodes what has no caches yet: captions first, then pictures, which are read and resized
   * beside the encoder.
   *
   * @param pipeline of the model that is to be trained, or of another with the same encoders; its
   *     device and precision are used
   * @return what was done, and what cannot be
   * @throws IOException if the folder is missing or cannot be read, or a cache cannot be written;
   *     those that were written stay
   * @throws InvalidRequestException if caches are there that were made otherwise, or the model does
   *     not read as many text tokens
   * @throws io.github.urae.GenerationCancelledException if it was cancelled, or the thread
   *     interrupted; what was written stays
   * @throws io.github.urae.InferenceException if the engine fails, for want of memory for instance
   */
  public PreparationReport run(FluxPipeline pipeline) throws IOException {
    PreparedFolder done =
        FolderPreparation.run(pipeline, folder, caches, settings, listener, cancellation);
    return new PreparationReport(
        done.pictures(),
        done.encodedPictures(),
        done.keptPictures(),
        done.encodedCaptions(),
        done.keptCaptions(),
        done.shortened(),
        done.enlarged(),
        TrainingData.converted(done.skipped()));
  }

  /** Collects the settings of a preparation. Not thread-safe. */
  public static final class Builder {

    private static final int MOST_THREADS = 64;

    private final Path folder;
    private Optional<Path> caches = Optional.empty();
    private OptionalInt resolution = OptionalInt.empty();
    private PictureFit fit = PictureFit.STRETCH;
    private boolean skipSmaller;
    private OptionalInt textTokens = OptionalInt.empty();
    private ElementType storage = ElementType.F32;
    private VaeTiling tiling = VaeTiling.AUTO;
    private boolean redo;
    private int threads = Math.max(1, Math.min(4, Runtime.getRuntime().availableProcessors()));
    private ProgressListener listener = ProgressListener.NONE;
    private CancellationToken cancellation = new CancellationToken();

    private Builder(Path folder) {
      this.folder = Objects.requireNonNull(folder, "folder");
    }

    /**
     * Sets where caches are written, in the structure of the pictures' folder.
     *
     * @param value a folder, made where it is missing; by default the pictures' own
     * @return this
     */
    public Builder caches(Path value) {
      caches = Optional.of(value);
      return this;
    }

    /**
     * Sets the long side of pictures: the short one becomes that of the nearest of 1:1, 4:3, 2:1
     * and 4:1, as in URAE's script. Resizing is Pillow's bicubic, to the last bit.
     *
     * @param pixels a multiple of 64, at most 16384. By default pictures keep their sizes; a side
     *     that is no multiple of 16 is then skipped, or {@linkplain PictureFit#CROP cut off}
     * @return this
     */
    public Builder resolution(int pixels) {
      resolution = OptionalInt.of(pixels);
      return this;
    }

    /**
     * Sets how pictures come to other proportions.
     *
     * @param value by default {@link PictureFit#STRETCH}
     * @return this
     */
    public Builder fit(PictureFit value) {
      fit = Objects.requireNonNull(value, "fit");
      return this;
    }

    /**
     * Skips pictures that would have to be enlarged.
     *
     * @param value by default false: they are enlarged, as by URAE's script, and reported
     * @return this
     */
    public Builder skipSmaller(boolean value) {
      skipSmaller = value;
      return this;
    }

    /**
     * Sets the number of T5's tokens; shorter captions are padded, longer ones cut and reported.
     *
     * @param count at least 1; by default as many as the model reads, 512 for FLUX.1-dev
     * @return this
     */
    public Builder textTokens(int count) {
      textTokens = OptionalInt.of(count);
      return this;
    }

    /**
     * Sets the element type of the files.
     *
     * @param type {@link ElementType#F32} or {@link ElementType#BF16}; by default the former.
     *     URAE's shell script writes the latter
     * @return this
     * @throws IllegalArgumentException if it is another
     */
    public Builder storage(ElementType type) {
      if (type != ElementType.F32 && type != ElementType.BF16) {
        throw new IllegalArgumentException("storage: expected F32 or BF16, got " + type);
      }
      storage = type;
      return this;
    }

    /**
     * Sets whether pictures are encoded in tiles.
     *
     * @param value by default where the whole would take too much memory
     * @return this
     */
    public Builder tiling(VaeTiling value) {
      tiling = Objects.requireNonNull(value, "tiling");
      return this;
    }

    /**
     * Has caches made again that were made with other settings or another model.
     *
     * @param value by default false: they are refused
     * @return this
     */
    public Builder redo(boolean value) {
      redo = value;
      return this;
    }

    /**
     * Sets how many threads read and resize pictures beside the encoder. Each holds one picture.
     *
     * @param count 1 to 64; by default one a core, at most 4
     * @return this
     * @throws IllegalArgumentException if it is none of these
     */
    public Builder threads(int count) {
      if (count < 1 || count > MOST_THREADS) {
        throw new IllegalArgumentException(
            "expected 1 to " + MOST_THREADS + " threads, got " + count);
      }
      threads = count;
      return this;
    }

    /**
     * Sets who hears of the progress: {@link io.github.urae.Stage#ENCODING_TEXT} counted in
     * captions, {@link io.github.urae.Stage#ENCODING_IMAGE} counted in pictures.
     *
     * @param value called on the thread that prepares
     * @return this
     */
    public Builder listener(ProgressListener value) {
      listener = Objects.requireNonNull(value, "listener");
      return this;
    }

    /**
     * Sets what ends the preparation.
     *
     * @param value a token
     * @return this
     */
    public Builder cancellation(CancellationToken value) {
      cancellation = Objects.requireNonNull(value, "cancellation");
      return this;
    }

    /**
     * Completes the settings.
     *
     * @return a preparation to be run
     * @throws InvalidRequestException if the resolution is not possible
     */
    public DataPreparation build() {
      return new DataPreparation(this);
    }
  }
}
