package io.github.urae.flux.model.internal;

import io.github.urae.ModelException;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.ModelInfo;
import io.github.urae.internal.HuggingFaceCache;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A stored model: family and configurations, and where its components lie; weights stay closed.
 *
 * <p>A checkpoint in diffusers' layout, or a directory of ONNX exports, is a folder with {@code
 * model_index.json}, {@code transformer/}, {@code text_encoder/}, {@code text_encoder_2/}, {@code
 * tokenizer/}, {@code tokenizer_2/}, {@code vae/} (of exports {@code vae_decoder/}) and {@code
 * scheduler/}. Components may lie elsewhere, and a model may be nothing but files of weights.
 *
 * @param family which kind of model it is
 * @param folder the folder that holds {@code model_index.json}; empty for a model of files alone
 * @param places where each component lies
 * @param scheduler how noise levels and steps are made
 * @param transformer what the transformer looks like
 * @param clip what CLIP's text encoder looks like
 * @param t5 what T5's encoder looks like
 * @param vae what the autoencoder looks like
 * @param previews colours of latents, from beside the autoencoder or from the family; empty for an
 *     autoencoder of which none are known
 */
public record Checkpoint(
    ModelFamily family,
    Optional<Path> folder,
    Map<Component, Place> places,
    SchedulerConfig scheduler,
    TransformerConfig transformer,
    ClipTextConfig clip,
    T5Config t5,
    VaeConfig vae,
    Optional<PreviewFactors> previews) {

  /** The families that are known. */
  public static final List<ModelFamily> FAMILIES = List.of(Flux1.FAMILY);

  /**
   * Where a component lies.
   *
   * @param path its folder or file; several components may have the same
   * @param configuration the file that configures it; empty where shapes do, or for tokenizers
   */
  public record Place(Path path, Optional<Path> configuration) {

    /** Says what configures the component, for messages. */
    String source() {
      return configuration.map(Path::toString).orElse("the shapes of " + path);
    }
  }

  /** Copies the map. */
  public Checkpoint {
    places = Collections.unmodifiableMap(new EnumMap<>(places));
  }

  /**
   * Reads the configurations of a model whose components are all its own.
   *
   * @param path as the model of a {@link ModelLocation}
   * @return the checkpoint
   * @throws IOException if a file is missing or cannot be read
   * @throws ModelException if this is no checkpoint, or of a kind that is not supported
   * @throws io.github.urae.FileFormatException if a configuration is no JSON
   */
  public static Checkpoint open(Path path) throws IOException {
    return open(path, FAMILIES);
  }

  /**
   * Reads the configurations of a model of one of some families.
   *
   * @param path as for {@link #open(Path)}
   * @param families those that it may be of, at least one
   * @return the checkpoint
   * @throws IOException if a file is missing or cannot be read
   * @throws ModelException if it is of none of them
   * @throws io.github.urae.FileFormatException if a configuration is no JSON
   */
  public static Checkpoint open(Path path, List<ModelFamily> families) throws IOException {
    return open(ModelLocation.of(path), families);
  }

  /**
   * Reads the configurations of a model. Headers of weights are read only where no configuration
   * says of a network what it is.
   *
   * @param location where it lies; a folder of a Hugging Face cache ({@code models--ORG--NAME})
   *     stands for its main snapshot
   * @param families those that it may be of, at least one
   * @return the checkpoint
   * @throws IOException if a file is missing or cannot be read
   * @throws ModelException if it is of none of them, or a component is missing or does not fit
   * @throws io.github.urae.FileFormatException if a file is damaged
   */
  public static Checkpoint open(ModelLocation location, List<ModelFamily> families)
      throws IOException {
    try {
      Checkpoint checkpoint = ModelConfigurations.read(location, families);
      checkpoint.checkWidths();
      return checkpoint;
    } catch (NoSuchFileException e) {
      throw HuggingFaceCache.explained(e);
    }
  }

  /**
   * Returns where a component lies.
   *
   * @param component which one
   * @return its folder or file; of exports, the folder that a checkpoint would have
   */
  public Path place(Component component) {
    return places.get(component).path();
  }

  /**
   * Returns what configures a network.
   *
   * @param network which one
   * @return the file; empty where the shapes of its tensors do
   */
  public Optional<Path> configuration(Component network) {
    return places.get(network).configuration();
  }

  /**
   * Says what configures a network.
   *
   * @param network which one
   * @return for messages: a file, or whose shapes
   */
  public String configurationSource(Component network) {
    return places.get(network).source();
  }

  private void checkWidths() {
    checkWidth(
        Component.TEXT_ENCODER,
        "hidden_size",
        clip.width(),
        "pooled_projection_dim",
        transformer.pooledDim());
    checkWidth(
        Component.TEXT_ENCODER_2,
        "d_model",
        t5.width(),
        "joint_attention_dim",
        transformer.textDim());
  }

  private void checkWidth(Component network, String key, int found, String reader, int expected) {
    if (found != expected) {
      throw new ModelException(
          configurationSource(network)
              + ": '"
              + key
              + "': expected "
              + expected
              + ", which the transformer reads ('"
              + reader
              + "' of "
              + configurationSource(Component.TRANSFORMER)
              + "), found "
              + found);
    }
  }

  /**
   * Checks that a transformer is told a guidance scale where the configuration says so, and only
   * there: a file of -dev in a model of -schnell, or the other way round, would run and draw wrong
   * pictures, or miss a weight.
   *
   * @param weights the transformer's, by diffusers' names
   * @throws ModelException if file and configuration contradict each other
   */
  public void checkGuidance(TensorSource weights) {
    String module = family.transformer().guidanceModule() + ".";
    boolean found = weights.tensors().keySet().stream().anyMatch(name -> name.startsWith(module));
    if (found != transformer.guidance()) {
      throw new ModelException(
          weights.files().get(0)
              + ": "
              + (found ? "holds" : "lacks")
              + " a guidance embedding ('"
              + module
              + "...'), as "
              + family.defaults(found).example()
              + (found ? " has" : " does")
              + ", but the configuration of "
              + folder
                  .map(Path::toString)
                  .orElseGet(() -> configurationSource(Component.TRANSFORMER))
              + " says 'guidance_embeds': "
              + transformer.guidance()
              + "; use the transformer with the model that it belongs to, or name that file as the"
              + " model, and the parts that it lacks from this one (--text-encoder,"
              + " --text-encoder-2, --vae, --tokenizers)");
    }
  }

  /**
   * Returns a name that tells the checkpoint from others without telling where it lies.
   *
   * @return the folder's name, or {@code ORG/NAME} in a Hugging Face cache; of a model of files
   *     alone, the name of the transformer's
   */
  public String name() {
    Path named = folder.orElseGet(() -> place(Component.TRANSFORMER)).toAbsolutePath().normalize();
    return HuggingFaceCache.repository(named).orElseGet(() -> named.getFileName().toString());
  }

  /**
   * Returns the native size of pictures.
   *
   * @return pixels a side; 1024 for FLUX.1
   */
  public int nativeSize() {
    return vae.sampleSize();
  }

  /**
   * Returns the number of text tokens where a request sets none, which is also the most.
   *
   * @param tokenizerLimit {@code model_max_length} of T5's tokenizer
   * @return for FLUX.1 at most 512, or 256 without a guidance embedding
   */
  public int maxTextTokens(int tokenizerLimit) {
    return Math.min(tokenizerLimit, defaults().textTokens());
  }

  /**
   * Returns what applications may know.
   *
   * @param tokenizerLimit {@code model_max_length} of T5's tokenizer
   * @return a summary
   */
  public ModelInfo info(int tokenizerLimit) {
    return new ModelInfo(
        name(),
        family.name(),
        family.latents(),
        nativeSize(),
        transformer.guidance(),
        maxTextTokens(tokenizerLimit),
        defaultSteps());
  }

  /**
   * Returns the token count at which proportional attention changes nothing.
   *
   * @param tokenizerLimit {@code model_max_length} of T5's tokenizer
   * @return text tokens, whatever the guidance, and image tokens of the native size; 4608 for
   *     FLUX.1
   */
  public long nativeTokens(int tokenizerLimit) {
    long side = nativeSize() / family.latents().pixelsPerToken();
    int text = Math.max(family.guided().textTokens(), family.unguided().textTokens());
    return Math.min(tokenizerLimit, text) + side * side;
  }

  /**
   * Returns the number of steps where a request sets none.
   *
   * @return for FLUX.1 28, or 4 without a guidance embedding (-schnell, made for few steps)
   */
  public int defaultSteps() {
    return defaults().steps();
  }

  private ModelFamily.Defaults defaults() {
    return family.defaults(transformer.guidance());
  }
}
