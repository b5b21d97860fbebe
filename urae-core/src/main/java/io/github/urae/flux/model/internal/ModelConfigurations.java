package io.github.urae.flux.model.internal;

import io.github.urae.ModelException;
import io.github.urae.flux.model.Component;
import io.github.urae.internal.HuggingFaceCache;
import io.github.urae.internal.JsonConfig;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * Finds what configures each component of a model. In a checkpoint's folder, configurations lie
 * beside the weights. A part from elsewhere brings its own ({@code config.json} beside it, if that
 * is of such a network), has the checkpoint's where it has the same shapes, or else what its shapes
 * say.
 */
final class ModelConfigurations {

  private static final String CONFIG = "config.json";

  private final ModelFamily family;
  private final Optional<Path> folder;
  private final Map<Component, Path> parts;
  private final Map<Component, Checkpoint.Place> places = new EnumMap<>(Component.class);

  private ModelConfigurations(
      ModelFamily family, Optional<Path> folder, Map<Component, Path> parts) {
    this.family = family;
    this.folder = folder;
    this.parts = parts;
  }

  /** Reads as {@link Checkpoint#open(ModelLocation, List)} does, without comparing components. */
  static Checkpoint read(ModelLocation location, List<ModelFamily> families) throws IOException {
    Path model = HuggingFaceCache.snapshot(location.model().orElseThrow());
    ModelFamily family = family(model, families);
    return new ModelConfigurations(family, Optional.of(model), resolved(location.parts())).read();
  }

  /** Goes from a checkpoint, of which a component is meant, to that. */
  private static Map<Component, Path> resolved(Map<Component, Path> parts) throws IOException {
    Map<Component, Path> resolved = new EnumMap<>(Component.class);
    for (Map.Entry<Component, Path> part : parts.entrySet()) {
      Path path = HuggingFaceCache.snapshot(part.getValue());
      boolean checkpoint = Files.exists(path.resolve("model_index.json"));
      resolved.put(part.getKey(), checkpoint ? path.resolve(part.getKey().folder()) : path);
    }
    return resolved;
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

  private Checkpoint read() throws IOException {
    for (Component component : List.of(Component.TOKENIZER, Component.TOKENIZER_2)) {
      Path own = parts.containsKey(component) ? parts.get(component) : own(component);
      places.put(component, new Checkpoint.Place(own, Optional.empty()));
    }
    TransformerConfig transformer = transformer();
    ClipTextConfig clip =
        config(Component.TEXT_ENCODER, ClipTextConfig::from, (shapes, known) -> shapes.clip(known));
    T5Config t5 =
        config(Component.TEXT_ENCODER_2, T5Config::from, (shapes, known) -> shapes.t5(known));
    VaeConfig vae =
        config(
            Component.VAE_DECODER,
            config -> VaeConfig.from(config, family),
            (shapes, known) -> shapes.vae(known));
    places.put(Component.VAE_ENCODER, places.get(Component.VAE_DECODER));
    return new Checkpoint(
        family, folder, places, scheduler(transformer), transformer, clip, t5, vae, previews(vae));
  }

  /** Text tokens, steps and the scheduler are the model's, and so guidance must be. */
  private TransformerConfig transformer() throws IOException {
    TransformerConfig read =
        config(
            Component.TRANSFORMER,
            config -> TransformerConfig.from(config, family),
            (shapes, known) -> shapes.transformer(known));
    Optional<Path> own = ownConfiguration(Component.TRANSFORMER);
    return parts.containsKey(Component.TRANSFORMER) && own.isPresent()
        ? read.withGuidance(TransformerConfig.from(JsonConfig.read(own.get()), family).guidance())
        : read;
  }

  /** Reads a configuration. */
  @FunctionalInterface
  private interface Reader<C> {
    C from(JsonConfig config);
  }

  /** Makes a configuration of shapes and of one that is known. */
  @FunctionalInterface
  private interface ByShapes<C> {
    C from(ShapeConfigurations shapes, Optional<C> known);
  }

  private <C> C config(Component network, Reader<C> reader, ByShapes<C> byShapes)
      throws IOException {
    if (!parts.containsKey(network)) {
      Path file = ownConfiguration(network).orElseGet(() -> own(network).resolve(CONFIG));
      places.put(network, new Checkpoint.Place(own(network), Optional.of(file)));
      return reader.from(JsonConfig.read(file));
    }
    Path part = parts.get(network);
    Optional<JsonConfig> beside = beside(network, part);
    if (beside.isPresent()) {
      places.put(network, new Checkpoint.Place(part, beside.map(JsonConfig::file)));
      return reader.from(beside.get());
    }
    Optional<Path> own = ownConfiguration(network);
    Optional<C> known =
        own.isPresent() ? Optional.of(reader.from(JsonConfig.read(own.get()))) : Optional.empty();
    C config;
    try (TensorSource weights = NetworkWeights.open(part, family, network)) {
      config =
          byShapes.from(
              new ShapeConfigurations(family, weights.files().get(0), weights.tensors()), known);
    }
    Optional<Path> source = known.filter(config::equals).isPresent() ? own : Optional.empty();
    places.put(network, new Checkpoint.Place(part, source));
    return config;
  }

  /** Returns the configuration beside a part, if it is one of such a network. */
  private Optional<JsonConfig> beside(Component network, Path part) throws IOException {
    Path inFolder = Files.isDirectory(part) ? part : part.toAbsolutePath().getParent();
    Path file = inFolder.resolve(CONFIG);
    return Files.isRegularFile(file)
        ? Optional.of(JsonConfig.read(file)).filter(config -> isOf(network, config))
        : Optional.empty();
  }

  private boolean isOf(Component network, JsonConfig config) {
    return switch (network) {
      case TRANSFORMER -> isText(config, "_class_name", family.transformer().className());
      case TEXT_ENCODER ->
          isText(config, "model_type", "clip_text_model") || isText(config, "model_type", "clip");
      case TEXT_ENCODER_2 -> isText(config, "model_type", "t5");
      case VAE_ENCODER, VAE_DECODER -> isText(config, "_class_name", "AutoencoderKL");
      case TOKENIZER, TOKENIZER_2 -> false;
    };
  }

  private static boolean isText(JsonConfig config, String key, String expected) {
    return config.text(key).filter(expected::equals).isPresent();
  }

  /** Returns where a component of the model itself lies. */
  private Path own(Component component) {
    return folder.orElseThrow().resolve(component.folder());
  }

  private Optional<Path> ownConfiguration(Component network) {
    return folder
        .map(model -> model.resolve(folderOf(model, network)).resolve(CONFIG))
        .filter(Files::exists);
  }

  /** Exports keep decoder and encoder apart, each with the configuration of both. */
  private static String folderOf(Path model, Component network) {
    String exported = network.id();
    String stored = network.folder();
    boolean isExport =
        !Files.exists(model.resolve(stored).resolve(CONFIG))
            && Files.exists(model.resolve(exported).resolve(CONFIG));
    return isExport ? exported : stored;
  }

  private SchedulerConfig scheduler(TransformerConfig transformer) throws IOException {
    return folder.isPresent()
        ? SchedulerConfig.from(
            JsonConfig.read(folder.get().resolve("scheduler/scheduler_config.json")))
        : family.defaults(transformer.guidance()).scheduler();
  }

  private Optional<PreviewFactors> previews(VaeConfig vae) throws IOException {
    Optional<Path> configuration = places.get(Component.VAE_DECODER).configuration();
    Optional<Path> own =
        configuration.map(file -> file.resolveSibling(PreviewFactors.FILE)).filter(Files::exists);
    return own.isPresent()
        ? Optional.of(PreviewFactors.from(JsonConfig.read(own.get()), vae.latentChannels()))
        : Optional.ofNullable(family.previews().get(vae));
  }
}
