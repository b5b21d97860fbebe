package io.github.urae.flux.model.internal;

import io.github.urae.ModelException;
import io.github.urae.flux.model.Component;
import io.github.urae.internal.JsonConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * A FLUX.1 checkpoint in diffusers layout, or a directory of ONNX exports: a folder with {@code
 * model_index.json}, {@code transformer/}, {@code text_encoder/}, {@code text_encoder_2/}, {@code
 * tokenizer/}, {@code tokenizer_2/}, {@code vae/} (of exports {@code vae_decoder/}) and {@code
 * scheduler/}. Holds the configurations; weights stay closed.
 *
 * @param folder the folder that holds {@code model_index.json}
 * @param scheduler of {@code scheduler/}
 * @param transformer of {@code transformer/}
 * @param clip of {@code text_encoder/}
 * @param t5 of {@code text_encoder_2/}
 * @param vae of {@code vae/} or {@code vae_decoder/}
 */
public record FluxCheckpoint(
    Path folder,
    SchedulerConfig scheduler,
    TransformerConfig transformer,
    ClipTextConfig clip,
    T5Config t5,
    VaeConfig vae) {

  /** Pipelines of diffusers that use the text-to-image weights as they are. */
  private static final List<String> SUPPORTED =
      List.of("FluxPipeline", "FluxImg2ImgPipeline", "FluxInpaintPipeline");

  /** Others that people try, by the names they know. */
  private static final Map<String, String> REFUSED =
      Map.of(
          "FluxFillPipeline", "FLUX.1 Fill",
          "FluxKontextPipeline", "FLUX.1 Kontext",
          "FluxControlPipeline", "FLUX.1 Canny or Depth (Control)",
          "FluxPriorReduxPipeline", "FLUX.1 Redux",
          "Flux2Pipeline", "FLUX.2",
          "StableDiffusionXLPipeline", "Stable Diffusion XL",
          "StableDiffusion3Pipeline", "Stable Diffusion 3",
          "StableDiffusionPipeline", "Stable Diffusion");

  /** Most text tokens that FLUX.1-dev was trained with. */
  private static final int MAX_TEXT_TOKENS = 512;

  /** The same for FLUX.1-schnell, told by its missing guidance embedding. */
  private static final int MAX_TEXT_TOKENS_WITHOUT_GUIDANCE = 256;

  /**
   * Reads the configurations of a checkpoint.
   *
   * @param path the folder, or a folder of a Hugging Face cache ({@code models--ORG--NAME}), whose
   *     main snapshot is then taken
   * @return the checkpoint
   * @throws IOException if a file is missing or cannot be read
   * @throws ModelException if this is no checkpoint of FLUX.1, or of a kind that is not supported
   * @throws io.github.urae.FileFormatException if a configuration is no JSON
   */
  public static FluxCheckpoint open(Path path) throws IOException {
    Path folder = HuggingFaceCache.snapshot(path);
    checkKind(folder);
    FluxCheckpoint checkpoint =
        new FluxCheckpoint(
            folder,
            SchedulerConfig.from(read(folder, "scheduler/scheduler_config.json")),
            TransformerConfig.from(read(folder, Component.TRANSFORMER)),
            ClipTextConfig.from(read(folder, Component.TEXT_ENCODER)),
            T5Config.from(read(folder, Component.TEXT_ENCODER_2)),
            VaeConfig.from(read(folder, vaeConfig(folder))));
    checkpoint.checkWidths();
    return checkpoint;
  }

  private static void checkKind(Path folder) throws IOException {
    if (!Files.exists(folder)) {
      throw new NoSuchFileException(folder.toString(), null, "no such checkpoint");
    }
    refuseOptimised(folder);
    Path index = folder.resolve("model_index.json");
    if (!Files.isDirectory(folder) || !Files.exists(index)) {
      throw new ModelException(
          folder
              + ": expected a folder with a FLUX.1 checkpoint in diffusers layout"
              + " (model_index.json, transformer/, vae/, ...), found "
              + (Files.isDirectory(folder) ? "no model_index.json in it" : "a file"));
    }
    JsonConfig config = JsonConfig.read(index);
    String kind = config.text("_class_name").orElse("nothing");
    if (!SUPPORTED.contains(kind)) {
      String known = REFUSED.get(kind);
      throw new ModelException(
          index
              + ": '_class_name': expected "
              + SUPPORTED.get(0)
              + ", found '"
              + kind
              + "'"
              + (known == null ? "" : ": " + known)
              + " is not supported, only FLUX.1-dev,"
              + " FLUX.1-schnell and their fine-tunings are");
    }
  }

  /** Exports keep decoder and encoder apart, each with the configuration of both. */
  private static String vaeConfig(Path folder) {
    String exported = Component.VAE_DECODER.id() + "/config.json";
    String stored = Component.VAE_DECODER.folder() + "/config.json";
    boolean isExport =
        !Files.exists(folder.resolve(stored)) && Files.exists(folder.resolve(exported));
    return isExport ? exported : stored;
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
    checkWidth(Component.TEXT_ENCODER, "hidden_size", clip.width(), transformer.pooledDim());
    checkWidth(Component.TEXT_ENCODER_2, "d_model", t5.width(), transformer.textDim());
  }

  private void checkWidth(Component network, String key, int found, int expected) {
    if (found != expected) {
      throw new ModelException(
          folder.resolve(network.folder()).resolve("config.json")
              + ": '"
              + key
              + "': expected "
              + expected
              + ", which the transformer reads, found "
              + found);
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
   * @return at most 512, or 256 without a guidance embedding
   */
  public int maxTextTokens(int tokenizerLimit) {
    return Math.min(
        tokenizerLimit,
        transformer.guidance() ? MAX_TEXT_TOKENS : MAX_TEXT_TOKENS_WITHOUT_GUIDANCE);
  }

  /**
   * Returns the token count at which proportional attention changes nothing.
   *
   * @param tokenizerLimit {@code model_max_length} of T5's tokenizer
   * @return text tokens, whatever the guidance, and image tokens of the native size; 4608 for
   *     FLUX.1
   */
  public long nativeTokens(int tokenizerLimit) {
    long side = nativeSize() / 16;
    return Math.min(tokenizerLimit, MAX_TEXT_TOKENS) + side * side;
  }

  /**
   * Returns the number of steps where a request sets none.
   *
   * @return 28, or 4 without a guidance embedding (-schnell, made for few steps)
   */
  public int defaultSteps() {
    return transformer.guidance() ? 28 : 4;
  }
}
