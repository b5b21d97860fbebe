package io.github.urae.training;

import io.github.urae.training.internal.data.CachedExample;
import io.github.urae.training.internal.data.CaptionKind;
import io.github.urae.training.internal.data.DataSet;
import io.github.urae.training.internal.data.Skipped;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * What is trained on: a folder of pictures with captions, and the caches that stand for both in
 * training. Of these, latents are normal distributions from which each step draws anew; text is
 * what T5 and CLIP make of it.
 *
 * <p>Caches lie beside the pictures, under the names and in the form of URAE's scripts, which read
 * them, too; so do those that the scripts have made, in float32, bfloat16 or float16:
 *
 * <ul>
 *   <li>{@code NAME_latent_code.safetensors}: {@code mean} and {@code std}, [16, H/8, W/8], neither
 *       shifted nor scaled;
 *   <li>{@code NAME_prompt_embed.safetensors} and {@code NAME_generated_prompt_embed.safetensors},
 *       of which there may be one: {@code caption_feature_t5} [T, 4096] and {@code
 *       caption_feature_clip} [768].
 * </ul>
 *
 * <p>{@link DataPreparation} makes them. Immutable, thread-safe; holds no file open.
 *
 * @see <a href="https://github.com/Huage001/URAE">URAE: {@code cache_latent_codes.py}, {@code
 *     cache_prompt_embeds.py}</a>
 */
public final class TrainingData {

  /** Pixels a side that one latent element stands for. */
  private static final int PIXELS_PER_LATENT = 8;

  /** Latent elements a side of a token. */
  private static final int PATCH = 2;

  private final DataSet data;

  private TrainingData(DataSet data) {
    this.data = data;
  }

  /**
   * Opens a folder whose caches lie beside the pictures.
   *
   * @param folder of pictures, with subfolders; where there are none, the caches alone count
   * @return the pictures that have caches
   * @throws IOException if the folder is missing or cannot be read
   * @throws io.github.urae.FileFormatException if a cache is damaged or misshapen, if caches were
   *     made with several models or at several resolutions, or if no picture has caches
   */
  public static TrainingData open(Path folder) throws IOException {
    return open(folder, folder);
  }

  /**
   * Opens a folder whose caches lie in another.
   *
   * @param folder of pictures
   * @param caches where {@link DataPreparation.Builder#caches} has put them
   * @return the pictures that have caches
   * @throws IOException if a folder is missing or cannot be read
   * @throws io.github.urae.FileFormatException as for {@link #open(Path)}
   */
  public static TrainingData open(Path folder, Path caches) throws IOException {
    return new TrainingData(DataSet.open(folder, caches));
  }

  /**
   * Returns the pictures.
   *
   * @return immutable, at least one, in the order of their names
   */
  public List<TrainingExample> examples() {
    return data.examples().stream().map(TrainingData::example).toList();
  }

  private static TrainingExample example(CachedExample cached) {
    return new TrainingExample(
        cached.name(),
        cached.latentWidth() * PIXELS_PER_LATENT,
        cached.latentHeight() * PIXELS_PER_LATENT,
        cached.latentWidth() / PATCH * (cached.latentHeight() / PATCH),
        cached.textTokens(),
        cached.has(CaptionKind.PROMPT),
        cached.has(CaptionKind.GENERATED_PROMPT));
  }

  /**
   * Returns the pictures that are left out, since they have no caches.
   *
   * @return immutable
   */
  public List<SkippedPicture> skipped() {
    return converted(data.skipped());
  }

  static List<SkippedPicture> converted(List<Skipped> skipped) {
    return skipped.stream().map(one -> new SkippedPicture(one.file(), one.reason())).toList();
  }

  /**
   * Returns what was noted of the autoencoder that has made the latents.
   *
   * @return {@link io.github.urae.pipeline.FluxPipeline#fingerprint} of the encoder; empty for
   *     caches that URAE's scripts have made
   */
  public Optional<String> vaeFingerprint() {
    return data.vaeFingerprint();
  }

  /**
   * A folder in two parts.
   *
   * @param training to train on
   * @param heldOut to measure by
   */
  public record Split(TrainingData training, TrainingData heldOut) {}

  /**
   * Keeps some pictures from training, to measure by.
   *
   * @param count how many, fewer than all
   * @param seed with the number of pictures it decides which ones
   * @return both parts
   * @throws IllegalArgumentException if nothing would be left, or nothing taken
   */
  public Split split(int count, long seed) {
    List<DataSet> parts = data.split(count, seed);
    return new Split(new TrainingData(parts.get(0)), new TrainingData(parts.get(1)));
  }

  /** Returns what a trainer reads. */
  DataSet dataSet() {
    return data;
  }
}
