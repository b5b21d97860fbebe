package io.github.urae.flux.model.internal;

import io.github.urae.ModelException;
import io.github.urae.UraeException;
import io.github.urae.flux.model.Component;
import io.github.urae.internal.PrintableText;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Finds the networks of a model among files of weights without a checkpoint around them: in one
 * file, beside it, or in a folder, as the programs keep them that people draw with ({@code
 * diffusion_models}, {@code text_encoders}, {@code vae}). A file is known by its tensors.
 */
final class ModelFiles {

  /** As many files and folders are looked at. */
  private static final int MOST_ENTRIES = 20_000;

  /** From a folder of models to a file: models/unet/flux/quantised/FILE. */
  private static final int DEPTH = 4;

  /** As many files are named in a message. */
  private static final int NAMED = 12;

  private static final List<String> SUFFIXES = List.of(".safetensors", ".sft", ".gguf");

  private static final Pattern INDEX = Pattern.compile(".+\\.safetensors\\.(.+\\.)?index\\..*json");

  private static final Pattern SHARD =
      Pattern.compile(".+-\\d{5}-of-(?!00001)\\d{5}\\.(safetensors|gguf)");

  /** What programs call the folders of transformers and whole checkpoints, in small letters. */
  private static final Set<String> TRANSFORMER_FOLDERS =
      Set.of("unet", "diffusion_models", "checkpoints", "stable-diffusion", "diffusion-models");

  /** What programs call the folder that holds those. */
  private static final String MODELS = "models";

  /** What to call a network, a file that people have of it, and how to name it. */
  private record Wording(String name, String example, String option, String method) {}

  private static final Map<Component, Wording> WORDINGS =
      Map.of(
          Component.TRANSFORMER,
          new Wording("the transformer", "flux1-dev-Q8_0.gguf", "--transformer", "transformer"),
          Component.TEXT_ENCODER,
          new Wording("CLIP's text encoder", "clip_l.safetensors", "--text-encoder", "textEncoder"),
          Component.TEXT_ENCODER_2,
          new Wording("T5's encoder", "t5xxl_fp16.safetensors", "--text-encoder-2", "textEncoder2"),
          Component.VAE_DECODER,
          new Wording("the autoencoder", "ae.safetensors", "--vae", "vae"));

  /**
   * What was found.
   *
   * @param root the folder of models that the files lie in
   * @param parts a file for every network
   */
  record Found(Path root, Map<Component, Path> parts) {}

  private final Path model;
  private final ModelFamily family;
  private final List<StoredNetworks> files = new ArrayList<>();
  private final List<String> unread = new ArrayList<>();
  private final Set<Path> seen = new HashSet<>();
  private int entries;

  private ModelFiles(Path model, ModelFamily family) {
    this.model = model;
    this.family = family;
  }

  /**
   * Finds files for all networks.
   *
   * @param model a file, or a folder of files
   * @param parts those that are given already; they are not looked for
   * @param family whose networks are looked for
   * @return files for all networks; empty if there is no file of the family at all
   * @throws IOException if a file or folder cannot be read
   * @throws ModelException if one is missing, or it is not clear which is meant
   */
  static Optional<Found> find(Path model, Map<Component, Path> parts, ModelFamily family)
      throws IOException {
    ModelFiles found = new ModelFiles(model, family);
    if (Files.isDirectory(model)) {
      Path root = modelsIn(model);
      found.collect(root, DEPTH);
      return found.files.isEmpty() && found.unread.isEmpty()
          ? Optional.empty()
          : Optional.of(new Found(root, found.chosen(parts)));
    }
    StoredNetworks own = StoredNetworks.in(model, family);
    if (own.widths().isEmpty()) {
      throw foreign(model, family);
    }
    Map<Component, Path> given = new EnumMap<>(Component.class);
    own.widths().keySet().forEach(network -> given.put(network, model));
    given.putAll(parts);
    Path root = rootOf(model);
    if (!given.keySet().containsAll(StoredNetworks.KINDS)) {
      found.seen.add(model.toRealPath());
      found.collect(model.toAbsolutePath().getParent(), 1);
      if (!root.equals(model.toAbsolutePath().getParent())) {
        found.collect(root, DEPTH);
      }
    }
    return Optional.of(new Found(root, found.chosen(given)));
  }

  /** Returns the files in a folder that hold networks of the family, by their paths. */
  static List<StoredNetworks> in(Path folder, ModelFamily family) throws IOException {
    ModelFiles found = new ModelFiles(folder, family);
    found.collect(modelsIn(folder), DEPTH);
    return List.copyOf(found.files);
  }

  /** Says what a file is that holds no network of the family. */
  private static RuntimeException foreign(Path file, ModelFamily family) throws IOException {
    try (TensorSource weights = NetworkWeights.open(file, family, Component.TRANSFORMER)) {
      return new ModelException(
          file
              + ": expected a network of "
              + family.name()
              + ", found "
              + weights.tensors().size()
              + " tensors of none, such as "
              + PrintableText.shortened(
                  weights.tensors().keySet().stream().limit(2).toList().toString())
              + "; name a checkpoint, or a file of its transformer");
    } catch (ModelException e) {
      return e;
    }
  }

  /** Returns the folder of models where that of the program around it is named. */
  private static Path modelsIn(Path folder) throws IOException {
    try (Stream<Path> listed = Files.list(folder)) {
      return listed
          .filter(entry -> nameOf(entry).equals(MODELS) && Files.isDirectory(entry))
          .findFirst()
          .orElse(folder);
    }
  }

  /** Returns the folder of a file, or that around it where it is one of several of a program. */
  private static Path rootOf(Path file) {
    Path folder = file.toAbsolutePath().getParent();
    for (Path above : List.of(folder, folder.resolve("..").normalize())) {
      if (above.getParent() != null && TRANSFORMER_FOLDERS.contains(nameOf(above))) {
        return above.getParent();
      }
    }
    return folder;
  }

  private static String nameOf(Path path) {
    return path.getFileName() == null ? "" : path.getFileName().toString().toLowerCase(Locale.ROOT);
  }

  private void collect(Path folder, int depth) throws IOException {
    List<Path> listed;
    try (Stream<Path> all = Files.list(folder)) {
      listed = all.limit(MOST_ENTRIES).sorted().toList();
    }
    entries += listed.size();
    if (entries > MOST_ENTRIES) {
      throw new ModelException(
          model
              + ": expected the files of one model, found more than "
              + MOST_ENTRIES
              + " files and folders; name a smaller folder, or the files themselves");
    }
    for (Path entry : listed) {
      String name = nameOf(entry);
      if (name.startsWith(".")) {
        continue;
      }
      if (Files.isDirectory(entry)) {
        if (depth > 1 && Files.isReadable(entry) && !isCheckpoint(entry)) {
          collect(entry, depth - 1);
        }
      } else if (isWeights(entry) && seen.add(entry.toRealPath())) {
        look(entry);
      }
    }
  }

  /** A whole checkpoint is named itself, and its parts do not stand for files. */
  private static boolean isCheckpoint(Path folder) {
    return Files.exists(folder.resolve("model_index.json"));
  }

  /** Tells by its name whether a file may hold weights; a part of several is told by an index. */
  static boolean isWeights(Path file) {
    String name = nameOf(file);
    return INDEX.matcher(name).matches()
        || (SUFFIXES.stream().anyMatch(name::endsWith) && !SHARD.matcher(name).matches());
  }

  private void look(Path file) {
    try {
      StoredNetworks stored = StoredNetworks.in(file, family);
      if (!stored.widths().isEmpty()) {
        files.add(stored);
      }
    } catch (UraeException | IOException e) {
      // Of no consequence unless something is missing.
      unread.add(e.getMessage());
    }
  }

  private Map<Component, Path> chosen(Map<Component, Path> given) throws IOException {
    Map<Component, Path> chosen = new EnumMap<>(Component.class);
    chosen.putAll(given);
    List<Component> missing = new ArrayList<>();
    if (!chosen.containsKey(Component.TRANSFORMER)) {
      List<StoredNetworks> all =
          files.stream().filter(file -> file.widths().containsKey(Component.TRANSFORMER)).toList();
      if (all.isEmpty()) {
        throw missing(List.of(Component.TRANSFORMER));
      }
      chosen.put(Component.TRANSFORMER, only(Component.TRANSFORMER, all));
    }
    Path transformer = chosen.get(Component.TRANSFORMER);
    Map<Component, Integer> expected = widths(transformer);
    for (Component network : StoredNetworks.KINDS) {
      if (!chosen.containsKey(network)) {
        List<StoredNetworks> fitting = candidates(network, transformer, expected.get(network));
        if (fitting.isEmpty()) {
          missing.add(network);
        } else {
          chosen.put(network, only(network, fitting));
        }
      }
    }
    if (!missing.isEmpty()) {
      throw missing(missing);
    }
    chosen.put(Component.VAE_ENCODER, chosen.get(Component.VAE_DECODER));
    return chosen;
  }

  /** Returns the widths of the text encoders that a transformer reads, and of its latents. */
  private Map<Component, Integer> widths(Path transformer) throws IOException {
    try (TensorSource weights = NetworkWeights.open(transformer, family, Component.TRANSFORMER)) {
      ShapeConfigurations shapes =
          new ShapeConfigurations(family, weights.files().get(0), weights.tensors());
      return Map.of(
          Component.TEXT_ENCODER, shapes.pooledDim(),
          Component.TEXT_ENCODER_2, shapes.textDim(),
          Component.VAE_DECODER, family.latents().channels());
    }
  }

  /** What lies in the transformer's own file belongs to it; else a file of its own comes first. */
  private List<StoredNetworks> candidates(Component network, Path transformer, int width) {
    List<StoredNetworks> fitting =
        files.stream().filter(file -> file.widths().getOrDefault(network, 0L) == width).toList();
    List<StoredNetworks> own =
        fitting.stream().filter(file -> file.path().equals(transformer)).toList();
    if (!own.isEmpty()) {
      return own;
    }
    List<StoredNetworks> separate =
        fitting.stream().filter(file -> !file.widths().containsKey(Component.TRANSFORMER)).toList();
    return separate.isEmpty() ? fitting : separate;
  }

  private Path only(Component network, List<StoredNetworks> candidates) {
    if (candidates.size() == 1) {
      return candidates.get(0).path();
    }
    Wording wording = WORDINGS.get(network);
    throw new ModelException(
        model
            + ": expected one file of "
            + wording.name()
            + ", found "
            + candidates.size()
            + ": "
            + named(candidates.stream().map(file -> file.path().toString()).toList())
            + "; choose one: "
            + wording.option()
            + " FILE, "
            + wording.method()
            + "(...)");
  }

  private ModelException missing(List<Component> networks) {
    List<String> there = new ArrayList<>();
    for (StoredNetworks file : files) {
      String found =
          file.widths().keySet().stream()
              .map(one -> WORDINGS.get(one).name() + " (" + file.widths().get(one) + " wide)")
              .collect(Collectors.joining(" and "));
      there.add(file.path() + ": " + found);
    }
    List<Wording> wordings = networks.stream().map(WORDINGS::get).toList();
    return new ModelException(
        model
            + ": expected files of a whole model of "
            + family.name()
            + ", found none of "
            + wordings.stream().map(Wording::name).collect(Collectors.joining(", nor of "))
            + "; name what is missing ("
            + wordings.stream()
                .map(
                    one ->
                        one.option() + " FILE, " + one.method() + "(...), such as " + one.example())
                .collect(Collectors.joining("; "))
            + "), or put it beside the others"
            + (there.isEmpty() ? "" : "; found: " + named(there))
            + (unread.isEmpty() ? "" : "; could not be read: " + named(unread)));
  }

  private static String named(List<String> all) {
    String first = PrintableText.of(String.join(", ", all.subList(0, Math.min(NAMED, all.size()))));
    return all.size() > NAMED ? first + " and " + (all.size() - NAMED) + " more" : first;
  }
}
