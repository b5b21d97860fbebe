package io.github.urae.flux.model.internal;

import io.github.urae.ModelException;
import io.github.urae.flux.model.Component;
import io.github.urae.internal.HuggingFaceCache;
import io.github.urae.internal.JsonConfig;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.quantised.QuantisationMethods;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
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
  private static final String INDEX = "model_index.json";
  private static final String SCHEDULER = "scheduler/scheduler_config.json";

  private final ModelFamily family;
  private final Optional<Path> folder;

  /** A folder in which a model of files may have configurations and tokenizers all the same. */
  private final Optional<Path> root;

  private final Map<Component, Path> parts;
  private final Map<Component, Checkpoint.Place> places = new EnumMap<>(Component.class);

  private ModelConfigurations(
      ModelFamily family, Optional<Path> folder, Optional<Path> root, Map<Component, Path> parts) {
    this.family = family;
    this.folder = folder;
    this.root = root;
    this.parts = parts;
  }

  /** Reads as {@link Checkpoint#open(ModelLocation, List)} does, without comparing components. */
  static Checkpoint read(ModelLocation location, List<ModelFamily> families) throws IOException {
    Map<Component, Path> parts = resolved(location.parts());
    if (location.model().isEmpty()) {
      return new ModelConfigurations(families.get(0), Optional.empty(), Optional.empty(), parts)
          .read();
    }
    Path model = HuggingFaceCache.snapshot(location.model().get());
    Path beside = model.toAbsolutePath().getParent();
    if (Files.isRegularFile(model) && beside != null && Files.exists(beside.resolve(INDEX))) {
      return ofCheckpointWithFile(beside, model, parts, families);
    }
    if (mayBeFiles(model)) {
      ModelFamily family = families.get(0);
      Optional<ModelFiles.Found> found = ModelFiles.find(model, parts, family);
      if (found.isPresent()) {
        return new ModelConfigurations(
                family, Optional.empty(), Optional.of(found.get().root()), found.get().parts())
            .read();
      }
    }
    return new ModelConfigurations(
            family(model, families), Optional.of(model), Optional.empty(), parts)
        .read();
  }

  /** A repository may hold the whole transformer in one file beside the folders. */
  private static Checkpoint ofCheckpointWithFile(
      Path folder, Path file, Map<Component, Path> parts, List<ModelFamily> families)
      throws IOException {
    ModelFamily family = family(folder, families);
    Map<Component, Path> all = new EnumMap<>(Component.class);
    for (Component network : StoredNetworks.in(file, family).widths().keySet()) {
      all.put(network, file);
      if (network == Component.VAE_DECODER) {
        all.put(Component.VAE_ENCODER, file);
      }
    }
    if (all.isEmpty()) {
      throw notACheckpoint(file, families);
    }
    all.putAll(parts);
    return new ModelConfigurations(family, Optional.of(folder), Optional.empty(), all).read();
  }

  /** Tells what has to be looked into from checkpoints, also incomplete ones, and their parts. */
  private static boolean mayBeFiles(Path model) {
    if (!Files.isDirectory(model)) {
      return Files.isRegularFile(model) && ModelFiles.isWeights(model);
    }
    Path above = model.toAbsolutePath().normalize().getParent();
    boolean ofCheckpoint =
        Files.exists(model.resolve(INDEX))
            || Files.exists(model.resolve("transformer").resolve(CONFIG))
            || (above != null && Files.exists(above.resolve(INDEX)));
    boolean incomplete =
        HuggingFaceCache.repository(model).isPresent()
            && Files.isDirectory(model.resolve("transformer"));
    return !ofCheckpoint && !incomplete;
  }

  /** Goes from a checkpoint, of which a component is meant, to that. */
  private static Map<Component, Path> resolved(Map<Component, Path> parts) throws IOException {
    Map<Component, Path> resolved = new EnumMap<>(Component.class);
    for (Map.Entry<Component, Path> part : parts.entrySet()) {
      Path path = HuggingFaceCache.snapshot(part.getValue());
      boolean isPart = part.getKey().isNetwork() && Files.exists(path.resolve(INDEX));
      resolved.put(part.getKey(), isPart ? path.resolve(part.getKey().folder()) : path);
    }
    return resolved;
  }

  private static ModelFamily family(Path folder, List<ModelFamily> families) throws IOException {
    if (!Files.exists(folder)) {
      throw new NoSuchFileException(folder.toString(), null, "no such checkpoint");
    }
    refuseOptimised(folder);
    Path index = folder.resolve(INDEX);
    if (!Files.exists(index) && HuggingFaceCache.repository(folder).isPresent()) {
      throw new NoSuchFileException(
          index.toString(),
          null,
          "expected a " + names(families) + " checkpoint in diffusers layout");
    }
    if (!Files.isDirectory(folder) || !Files.exists(index)) {
      throw notACheckpoint(folder, families);
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

  private static ModelException notACheckpoint(Path path, List<ModelFamily> families)
      throws IOException {
    return new ModelException(
        path
            + ": expected a folder with a "
            + names(families)
            + " checkpoint in diffusers layout (model_index.json, transformer/, vae/, ...), or its"
            + " files of weights, found "
            + NotACheckpoint.describe(path));
  }

  private static String names(List<ModelFamily> families) {
    return families.stream().map(ModelFamily::name).collect(Collectors.joining(" or "));
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
    findTokenizers();
    return new Checkpoint(
        family, folder, places, scheduler(transformer), transformer, clip, t5, vae, previews(vae));
  }

  private void findTokenizers() throws IOException {
    List<Component> missing = new ArrayList<>();
    for (Component tokenizer : List.of(Component.TOKENIZER, Component.TOKENIZER_2)) {
      Optional<Path> found = tokenizer(tokenizer);
      found.ifPresent(path -> places.put(tokenizer, new Checkpoint.Place(path, Optional.empty())));
      if (found.isEmpty()) {
        missing.add(tokenizer);
      }
    }
    if (!missing.isEmpty()) {
      Path transformer = places.get(Component.TRANSFORMER).path().toAbsolutePath();
      Optional<Path> given = Optional.ofNullable(parts.get(missing.get(0)));
      throw TokenizerSearch.missing(missing, given.or(() -> root).orElse(transformer.getParent()));
    }
  }

  private Optional<Path> tokenizer(Component tokenizer) throws IOException {
    if (folder.isPresent() && !parts.containsKey(tokenizer)) {
      return Optional.of(own(tokenizer));
    }
    Component encoder =
        tokenizer == Component.TOKENIZER ? Component.TEXT_ENCODER : Component.TEXT_ENCODER_2;
    return new TokenizerSearch(tokenizer, HuggingFaceCache.ofThisProcess())
        .find(Optional.ofNullable(parts.get(tokenizer)), root, places.get(encoder).path());
  }

  /** Text tokens, steps and the scheduler are the model's, and so guidance must be. */
  private TransformerConfig transformer() throws IOException {
    TransformerConfig read =
        config(
            Component.TRANSFORMER,
            config -> TransformerConfig.from(config, family),
            (shapes, known) -> shapes.transformer(known));
    Optional<Path> own = ownConfiguration(Component.TRANSFORMER);
    return folder.isPresent() && parts.containsKey(Component.TRANSFORMER) && own.isPresent()
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
      return reader.from(QuantisationMethods.checked(JsonConfig.read(file)));
    }
    Path part = parts.get(network);
    Optional<JsonConfig> beside =
        beside(network, Files.isDirectory(part) ? part : part.toAbsolutePath().getParent());
    if (beside.isPresent()) {
      places.put(network, new Checkpoint.Place(part, beside.map(JsonConfig::file)));
      return reader.from(QuantisationMethods.checked(beside.get()));
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

  /** Returns the configuration in a folder, if it is one of such a network. */
  private Optional<JsonConfig> beside(Component network, Path inFolder) throws IOException {
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

  private Optional<Path> ownConfiguration(Component network) throws IOException {
    if (root.isPresent()) {
      return beside(network, root.get().resolve(network.folder())).map(JsonConfig::file);
    }
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
    Optional<Path> file = folder.or(() -> root).map(own -> own.resolve(SCHEDULER));
    return folder.isPresent() || file.filter(Files::exists).isPresent()
        ? SchedulerConfig.from(JsonConfig.read(file.orElseThrow()))
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
