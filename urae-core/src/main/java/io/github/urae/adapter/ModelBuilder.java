package io.github.urae.adapter;

import io.github.urae.CancellationToken;
import io.github.urae.ProgressListener;
import io.github.urae.flux.model.Component;
import io.github.urae.internal.BoundedJson;
import io.github.urae.internal.CacheFolder;
import io.github.urae.internal.HuggingFaceCache;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/**
 * What everything is told that opens a model with adapters: pipelines, merges, conversions and
 * exports. Not thread-safe.
 *
 * @param <B> the builder itself
 */
public abstract class ModelBuilder<B extends ModelBuilder<B>> {

  private Path model;
  private final Map<Component, Path> parts = new EnumMap<>(Component.class);
  private final List<AdapterSpec> adapters = new ArrayList<>();
  private boolean ignoreUnmatched;
  private boolean allowBareMinorComponents;
  private Optional<Path> cacheFolder = Optional.empty();
  private ProgressListener listener = ProgressListener.NONE;
  private CancellationToken cancellation = new CancellationToken();

  /**
   * Creates a builder with nothing but defaults.
   *
   * @throws io.github.urae.InferenceException if the application has a Jackson before 2.15
   */
  protected ModelBuilder() {
    BoundedJson.checkVersion();
  }

  @SuppressWarnings("unchecked") // What B stands for.
  private B self() {
    return (B) this;
  }

  /**
   * Sets the model. Required, unless all four networks are named.
   *
   * <p>Files of weights are known by their tensors. In a folder of them, the networks are looked
   * for in all its folders; those that one file lacks, beside it. Configurations are those of
   * FLUX.1 as far as shapes do not tell, or where {@code config.json} lies beside a file, that.
   * Tokenizers are found in {@code tokenizer/} and {@code tokenizer_2/} of the folder, in a GGUF
   * file of T5, where ComfyUI and Forge keep them, or in Hugging Face's cache.
   *
   * @param path a FLUX.1 checkpoint in diffusers layout, also in a Hugging Face cache, a file of
   *     weights with one or several of its networks, or a folder of such files; pipelines and
   *     exports also take a directory of ONNX exports in Optimum's layout
   * @return this
   */
  public final B model(Path path) {
    model = Objects.requireNonNull(path, "model");
    return self();
  }

  /**
   * Sets the model by a path or by its Hugging Face id, where its files lie in the local cache:
   * {@code HF_HUB_CACHE}, {@code HF_HOME}, {@code XDG_CACHE_HOME} or {@code
   * ~/.cache/huggingface/hub}. Nothing is downloaded.
   *
   * @param pathOrId a path as for {@link #model(Path)}, which wins where it exists, or {@code
   *     ORG/NAME}, with {@code @REVISION} for another than {@code main}, and {@code :FILE} for one
   *     file of weights
   * @return this
   * @throws IOException if neither is there; the message names the command that would fetch it
   */
  public final B model(String pathOrId) throws IOException {
    return model(HuggingFaceCache.ofThisProcess().modelOrFile(pathOrId));
  }

  /**
   * Takes the transformer from elsewhere; all else stays the model's.
   *
   * <p>Here and for the other networks: a {@code config.json} beside the file says what the network
   * is like, if it is of such a network. Otherwise the shapes of the tensors do, and what these do
   * not tell is as in the model, or in FLUX.1 itself. One file may serve several networks. A
   * checkpoint in diffusers' layout stands for its network of that kind.
   *
   * @param file a file of weights, an index of shards, or a folder with either; in diffusers' names
   *     or in Black Forest Labs' own, alone or among other networks
   * @return this
   */
  public final B transformer(Path file) {
    parts.put(Component.TRANSFORMER, file);
    return self();
  }

  /**
   * Takes CLIP's text encoder from elsewhere.
   *
   * @param file as for {@link #transformer(Path)}, such as {@code clip_l.safetensors}
   * @return this
   */
  public final B textEncoder(Path file) {
    parts.put(Component.TEXT_ENCODER, file);
    return self();
  }

  /**
   * Takes T5's encoder from elsewhere.
   *
   * @param file as for {@link #transformer(Path)}, such as {@code t5xxl_fp16.safetensors}
   * @return this
   */
  public final B textEncoder2(Path file) {
    parts.put(Component.TEXT_ENCODER_2, file);
    return self();
  }

  /**
   * Takes the autoencoder, both halves of it, from elsewhere.
   *
   * @param file as for {@link #transformer(Path)}, such as {@code ae.safetensors}
   * @return this
   */
  public final B vae(Path file) {
    parts.put(Component.VAE_ENCODER, file);
    parts.put(Component.VAE_DECODER, file);
    return self();
  }

  /**
   * Takes both tokenizers from elsewhere.
   *
   * @param folder a checkpoint, a folder with {@code tokenizer/} and {@code tokenizer_2/}, or one
   *     in which or in whose folders the files of both lie: CLIP's {@code vocab.json} and {@code
   *     merges.txt} or {@code tokenizer.json}, and T5's {@code tokenizer.json}
   * @return this
   */
  public final B tokenizers(Path folder) {
    parts.put(Component.TOKENIZER, folder);
    parts.put(Component.TOKENIZER_2, folder);
    return self();
  }

  /**
   * Adds an adapter as it was trained.
   *
   * @param file a LoRA or URAE's minor components, in any of the forms of {@link AdapterFormat}, or
   *     a folder with one
   * @return this
   */
  public final B adapter(Path file) {
    return adapter(file, 1);
  }

  /**
   * Adds an adapter. Several are applied in the order in which they are added; URAE's 4K adapter
   * belongs after its 2K one.
   *
   * @param file a LoRA or URAE's minor components, in any of the forms of {@link AdapterFormat}, or
   *     a folder with one
   * @param scale what its change is multiplied by, finite; 1 applies it as trained
   * @return this
   * @throws io.github.urae.AdapterException if the scale is not finite
   */
  public final B adapter(Path file, double scale) {
    return adapters(List.of(new AdapterSpec(file, scale)));
  }

  /**
   * Adds an adapter by a path or by its Hugging Face id, as it was trained; see {@link
   * #model(String)}.
   *
   * @param fileOrId a file, which wins where it exists, or {@code ORG/NAME:FILE}, with
   *     {@code @REVISION} before the colon for another than {@code main}; without {@code :FILE}
   *     where only one safetensors file of it is there
   * @return this
   * @throws IOException if neither is there; the message names the command that would fetch it
   */
  public final B adapter(String fileOrId) throws IOException {
    return adapter(fileOrId, 1);
  }

  /**
   * Adds an adapter by a path or by its Hugging Face id.
   *
   * @param fileOrId as for {@link #adapter(String)}
   * @param scale as for {@link #adapter(Path, double)}
   * @return this
   * @throws IOException if neither is there; the message names the command that would fetch it
   * @throws io.github.urae.AdapterException if the scale is not finite
   */
  public final B adapter(String fileOrId, double scale) throws IOException {
    return adapter(HuggingFaceCache.ofThisProcess().adapter(fileOrId), scale);
  }

  /**
   * Adds adapters, after those that were added before.
   *
   * @param specs files and scales, in the order in which they are applied
   * @return this
   */
  public final B adapters(List<AdapterSpec> specs) {
    adapters.addAll(specs);
    return self();
  }

  /**
   * Goes on where keys of an adapter change nothing in this model, and names them afterwards.
   * Otherwise that is an error, but for parts that FLUX does not use and for what a file holds
   * twice. An adapter of which no key changes anything is an error all the same.
   *
   * @param value by default false
   * @return this
   */
  public final B ignoreUnmatched(boolean value) {
    ignoreUnmatched = value;
    return self();
  }

  /**
   * Lets minor components be used without the adapter that they were trained on.
   *
   * @param value by default false
   * @return this
   */
  public final B allowBareMinorComponents(boolean value) {
    allowBareMinorComponents = value;
    return self();
  }

  /**
   * Sets the folder for derived files: weights in another element type or with adapters merged, and
   * native libraries. May be shared by any number of pipelines and processes, and deleted at any
   * time. It is made for its user alone; one that others may write to is warned of.
   *
   * @param folder made when needed; by default {@code $XDG_CACHE_HOME/urae} or {@code
   *     ~/.cache/urae}
   * @return this
   */
  public final B cacheFolder(Path folder) {
    cacheFolder = Optional.of(folder);
    return self();
  }

  /**
   * Sets who hears of long work: converting, merging, computing and writing weights.
   *
   * @param value called on the thread that does it
   * @return this
   */
  public final B listener(ProgressListener value) {
    listener = Objects.requireNonNull(value, "listener");
    return self();
  }

  /**
   * Sets what cancels that work from another thread.
   *
   * @param value a token
   * @return this
   */
  public final B cancellation(CancellationToken value) {
    cancellation = Objects.requireNonNull(value, "cancellation");
    return self();
  }

  /**
   * Returns the model.
   *
   * @return as set; empty where all networks are to come from {@link #parts()}
   * @throws IllegalStateException if it is neither set nor dispensable
   */
  protected final Optional<Path> model() {
    if (model == null && !parts.keySet().containsAll(Component.networks())) {
      throw new IllegalStateException(
          "expected a model; call model(...), or name all four networks");
    }
    return Optional.ofNullable(model);
  }

  /**
   * Returns where components come from that are not the model's own.
   *
   * @return a copy; both halves of the autoencoder have the same file
   */
  protected final Map<Component, Path> parts() {
    return Map.copyOf(parts);
  }

  /**
   * Returns the adapters.
   *
   * @return a copy, in the order in which they are applied
   */
  protected final List<AdapterSpec> adapters() {
    return List.copyOf(adapters);
  }

  /**
   * Tells whether keys that change nothing are let pass.
   *
   * @return as set
   */
  protected final boolean ignoresUnmatched() {
    return ignoreUnmatched;
  }

  /**
   * Tells whether minor components are let pass without their base.
   *
   * @return as set
   */
  protected final boolean allowsBareMinorComponents() {
    return allowBareMinorComponents;
  }

  /**
   * Returns the folder for derived files.
   *
   * @return as set; it need not exist
   * @throws IOException if none is set and the user has no home folder, so that there is no default
   */
  protected final Path cacheFolder() throws IOException {
    return cacheFolder.isPresent() ? cacheFolder.get() : CacheFolder.byDefault();
  }

  /**
   * Returns who hears of long work.
   *
   * @return as set
   */
  protected final ProgressListener listener() {
    return listener;
  }

  /**
   * Returns what cancels it.
   *
   * @return as set
   */
  protected final CancellationToken cancellation() {
    return cancellation;
  }
}
