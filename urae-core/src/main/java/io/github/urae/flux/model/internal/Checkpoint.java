package io.github.urae.flux.model.internal;

import io.github.urae.ModelException;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.ModelInfo;
import io.github.urae.internal.HuggingFaceCache;
import io.github.urae.internal.JsonConfig;
import io.github.urae.tensor.Shape;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * A checkpoint in diffusers' layout, or a directory of ONNX exports: a folder with {@code
 * model_index.json}, {@code transformer/}, {@code text_encoder/}, {@code text_encoder_2/}, {@code
 * tokenizer/}, {@code tokenizer_2/}, {@code vae/} (of exports {@code vae_decoder/}) and {@code
 * scheduler/}. Holds family and configurations; weights stay closed.
 *
 * @param family which kind of model it is
 * @param folder the folder that holds {@code model_index.json}
 * @param scheduler of {@code scheduler/}
 * @param transformer of {@code transformer/}
 * @param clip of {@code text_encoder/}
 * @param t5 of {@code text_encoder_2/}
 * @param vae of {@code vae/} or {@code vae_decoder/}
 * @param previews colours of latents, from beside the autoencoder or from the family; empty for an
 *     autoencoder of which none are known
 */
public record Checkpoint(
    ModelFamily family,
    Path folder,
    SchedulerConfig scheduler,
    TransformerConfig transformer,
    ClipTextConfig clip,
    T5Config t5,
    VaeConfig vae,
    Optional<PreviewFactors> previews) {

  /** The families that are known. */
  public static final List<ModelFamily> FAMILIES = List.of(Flux1.FAMILY);

  /**
   * Reads the configurations of a checkpoint.
   *
   * @param path the folder, or a folder of a Hugging Face cache ({@code models--ORG--NAME}), whose
   *     main snapshot is then taken
   * @return the checkpoint
   * @throws IOException if a file is missing or cannot be read
   * @throws ModelException if this is no checkpoint, or of a kind that is not supported
   * @throws io.github.urae.FileFormatException if a configuration is no JSON
   */
  public static Checkpoint open(Path path) throws IOException {
    return open(path, FAMILIES);
  }

  /**
   * Reads the configurations of a checkpoint of one of some families.
   *
   * @param path as for {@link #open(Path)}
   * @param families those that it may be of, at least one
   * @return the checkpoint
   * @throws IOException if a file is missing or cannot be read
   * @throws ModelException if it is of none of them
   * @throws io.github.urae.FileFormatException if a configuration is no JSON
   */
  public static Checkpoint open(Path path, List<ModelFamily> families) throws IOException {
    try {
      return read(HuggingFaceCache.snapshot(path), families);
    } catch (NoSuchFileException e) {
      throw HuggingFaceCache.explained(e);
    }
  }

  private static Checkpoint read(Path folder, List<ModelFamily> families) throws IOException {
    ModelFamily family = family(folder, families);
    String vaeFolder = vaeFolder(folder);
    VaeConfig vae = VaeConfig.from(read(folder, vaeFolder + "/config.json"), family);
    Checkpoint checkpoint =
        new Checkpoint(
            family,
            folder,
            SchedulerConfig.from(read(folder, "scheduler/scheduler_config.json")),
            TransformerConfig.from(read(folder, Component.TRANSFORMER), family),
            ClipTextConfig.from(read(folder, Component.TEXT_ENCODER)),
            T5Config.from(read(folder, Component.TEXT_ENCODER_2)),
            vae,
            previews(folder.resolve(vaeFolder), vae, family));
    checkpoint.checkWidths();
    return checkpoint;
  }

  private static ModelFamily family(Path folder, List<ModelFamily> families) throws IOException {
    if (!Files.exists(folder)) {
      throw new NoSuchFileException(folder.toString(), null, "no such checkpoint");
    }
    refuseOptimised(folder);
    String names = families.stream().map(ModelFamily::name).collect(Collectors.joining(" or "));
    Path index = folder.resolve("model_index.json");
    if (!Files.exists(index) && HuggingFaceCache.repository(folder).isPresent()) {
      throw new NoSuchFileException(
          index.toString(), null, "expected a " + names + " checkpoint in diffusers layout");
    }
    if (!Files.isDirectory(folder) || !Files.exists(index)) {
      throw new ModelException(
          folder
              + ": expected a folder with a "
              + names
              + " checkpoint in diffusers layout (model_index.json, transformer/, vae/, ...), found "
              + NotACheckpoint.describe(folder));
    }
    String kind = JsonConfig.read(index).text("_class_name").orElse("nothing");
    Optional<String> relative = Optional.empty();
    for (ModelFamily family : families) {
      if (family.pipelines().contains(kind)) {
        return family;
      }
      relative = relative.or(() -> Optional.ofNullable(family.relatives().get(kind)));
    }
    throw new ModelException(
        index
            + ": '_class_name': expected "
            + families.stream()
                .map(family -> family.pipelines().get(0))
                .collect(Collectors.joining(" or "))
            + ", found '"
            + kind
            + "'"
            + relative.map(name -> ": " + name).orElse("")
            + " is not supported, only "
            + families.stream().map(ModelFamily::members).collect(Collectors.joining(", "))
            + " are");
  }

  /** Exports keep decoder and encoder apart, each with the configuration of both. */
  private static String vaeFolder(Path folder) {
    String exported = Component.VAE_DECODER.id();
    String stored = Component.VAE_DECODER.folder();
    boolean isExport =
        !Files.exists(folder.resolve(stored).resolve("config.json"))
            && Files.exists(folder.resolve(exported).resolve("config.json"));
    return isExport ? exported : stored;
  }

  private static Optional<PreviewFactors> previews(Path folder, VaeConfig vae, ModelFamily family)
      throws IOException {
    Path own = folder.resolve(PreviewFactors.FILE);
    return Files.exists(own)
        ? Optional.of(PreviewFactors.from(JsonConfig.read(own), vae.latentChannels()))
        : Optional.ofNullable(family.previews().get(vae));
  }

  /** Black Forest Labs' own ONNX repository, by the names of its folders. */
  private static void refuseOptimised(Path folder) {
    for (String name : List.of("transformer.opt", "t5.opt", "clip.opt", "vae.opt")) {
      if (Files.isDirectory(folder.resolve(name))) {
        throw new ModelException(
            folder
                + ": this is Black Forest Labs' own ONNX layout ("
                + name
                + "/, ...), which is not supported; use the checkpoint in diffusers layout, or an"
                + " export by Optimum");
      }
    }
  }

  private static JsonConfig read(Path folder, Component component) throws IOException {
    return read(folder, component.folder() + "/config.json");
  }

  private static JsonConfig read(Path folder, String name) throws IOException {
    return JsonConfig.read(folder.resolve(name));
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
          folder.resolve(network.folder()).resolve("config.json")
              + ": '"
              + key
              + "': expected "
              + expected
              + ", which the transformer reads ('"
              + reader
              + "' of "
              + folder.resolve(Component.TRANSFORMER.folder()).resolve("config.json")
              + "), found "
              + found);
    }
  }

  /**
   * Checks that a transformer is no relative of the family's, which reads more than latents, and is
   * told a guidance scale where the configuration says so, and only there: a file of -dev in a
   * model of -schnell, or the other way round, would run and draw wrong pictures, or miss a weight.
   *
   * @param weights the transformer's, by diffusers' names
   * @throws ModelException if file and configuration contradict each other
   */
  public void checkGuidance(TensorSource weights) {
    refuseRelatives(weights);
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
              + " says 'guidance_embeds': "
              + transformer.guidance()
              + "; use the transformer with the model that it belongs to");
    }
  }

  private void refuseRelatives(TensorSource weights) {
    TensorInfo input = weights.tensors().get("x_embedder.weight");
    TensorInfo bias = weights.tensors().get("x_embedder.bias");
    // As many rows as the bias has: no damaged tensor.
    boolean whole =
        input != null
            && bias != null
            && input.shape().rank() == 2
            && bias.shape().equals(Shape.of(input.shape().dimension(0)));
    long channels = whole ? input.columns() : transformer.inputChannels();
    if (channels != transformer.inputChannels()
        && family.transformer().relatives().containsKey((int) channels)) {
      throw new ModelException(
          input.file()
              + ": tensor 'x_embedder.weight' "
              + input.shape()
              + " is that of "
              + family.transformer().relatives().get((int) channels)
              + ", which is not supported; use a transformer of "
              + family.members());
    }
  }

  /**
   * Returns a name that tells the checkpoint from others without telling where it lies.
   *
   * @return the folder's name, or {@code ORG/NAME} in a Hugging Face cache
   */
  public String name() {
    return HuggingFaceCache.repository(folder)
        .orElseGet(() -> folder.toAbsolutePath().normalize().getFileName().toString());
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
