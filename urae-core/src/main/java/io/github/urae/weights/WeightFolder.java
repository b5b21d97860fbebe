package io.github.urae.weights;

import io.github.urae.FileFormatException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Finds the one set of weights in a folder, by the names that programs give them. */
final class WeightFolder {

  private static final Logger LOG = LoggerFactory.getLogger(WeightFolder.class);

  /** As many names are told. */
  private static final int NAMED = 8;

  /** What diffusers and transformers call the weights of a network. */
  private static final List<String> USUAL = List.of("diffusion_pytorch_model", "model");

  /** FLUX was trained in bfloat16; float16 has a smaller range. */
  private static final List<String> VARIANTS = List.of("bf16", "fp32", "fp16");

  private static final Pattern SHARD =
      Pattern.compile("(?<base>.+)-(?<number>\\d{5})-of-(?<count>\\d{5})\\.safetensors");

  private final Path folder;
  private final List<String> names;

  private WeightFolder(Path folder, List<String> names) {
    this.folder = folder;
    this.names = names;
  }

  /**
   * Finds the weights.
   *
   * @return a file or an index
   * @throws NoSuchFileException if there are none, or an index is missing
   * @throws FileFormatException if there are several sets
   */
  static Path find(Path folder) throws IOException {
    try (Stream<Path> entries = Files.list(folder)) {
      List<String> names = entries.map(file -> file.getFileName().toString()).sorted().toList();
      return folder.resolve(new WeightFolder(folder, names).find());
    }
  }

  /** Tells whether a name is that of an index, with the name of a variant in it or without. */
  static boolean isIndex(String name) {
    int at = name.indexOf(Safetensors.FILE_SUFFIX + ".");
    return at >= 0 && name.endsWith(".json") && name.substring(at).contains(".index.");
  }

  private String find() throws IOException {
    for (String base : USUAL) {
      Optional<String> found = usual(base).or(() -> variant(base));
      if (found.isPresent()) {
        return found.get();
      }
    }
    List<String> indices = names.stream().filter(WeightFolder::isIndex).toList();
    if (indices.isEmpty()) {
      refuseLooseShards();
    }
    List<String> files =
        names.stream()
            .filter(
                name ->
                    name.endsWith(Safetensors.FILE_SUFFIX)
                        || name.endsWith(".sft")
                        || name.endsWith(Safetensors.GGUF_SUFFIX))
            .toList();
    List<String> candidates = indices.isEmpty() ? files : indices;
    if (candidates.isEmpty()) {
      throw new NoSuchFileException(folder.toString(), null, nothing());
    }
    if (candidates.size() > 1) {
      throw new FileFormatException(
          folder
              + ": expected one set of weights, found "
              + candidates.stream().map(folder::resolve).toList()
              + "; name one of them");
    }
    return candidates.get(0);
  }

  private Optional<String> usual(String base) {
    return Stream.of(Safetensors.INDEX_SUFFIX, Safetensors.FILE_SUFFIX)
        .map(base::concat)
        .filter(names::contains)
        .findFirst();
  }

  private Optional<String> variant(String base) {
    // An index wins over a single file.
    Map<String, String> variants = new TreeMap<>();
    for (String name : names) {
      between(name, base + ".", Safetensors.FILE_SUFFIX)
          .filter(variant -> !SHARD.matcher(name).matches())
          .ifPresent(variant -> variants.put(variant, name));
    }
    for (String name : names) {
      between(name, base + Safetensors.FILE_SUFFIX + ".index.", ".json")
          .or(() -> between(name, base + Safetensors.FILE_SUFFIX + ".", ".index.json"))
          .ifPresent(variant -> variants.put(variant, name));
    }
    Optional<String> preferred = VARIANTS.stream().filter(variants::containsKey).findFirst();
    Optional<String> chosen =
        preferred.isPresent() || variants.size() != 1
            ? preferred
            : variants.keySet().stream().findFirst();
    if (chosen.isEmpty() && !variants.isEmpty()) {
      throw new FileFormatException(
          folder
              + ": expected one set of weights, found the variants "
              + variants.keySet()
              + "; name one of "
              + variants.values().stream().map(folder::resolve).toList());
    }
    chosen.ifPresent(
        variant -> LOG.info("{}: variant {} of {} is read", folder, variant, variants.keySet()));
    return chosen.map(variants::get);
  }

  private static Optional<String> between(String name, String start, String end) {
    return name.length() > start.length() + end.length()
            && name.startsWith(start)
            && name.endsWith(end)
        ? Optional.of(name.substring(start.length(), name.length() - end.length()))
        : Optional.empty();
  }

  /** A single shard of one is whole. */
  private void refuseLooseShards() throws NoSuchFileException {
    for (String name : names) {
      Matcher shard = SHARD.matcher(name);
      if (shard.matches() && Integer.parseInt(shard.group("count")) > 1) {
        throw looseShard(folder.resolve(name), shard, present(shard));
      }
    }
  }

  private List<Integer> present(Matcher shard) {
    List<Integer> numbers = new ArrayList<>();
    for (String name : names) {
      Matcher other = SHARD.matcher(name);
      if (other.matches()
          && other.group("base").equals(shard.group("base"))
          && other.group("count").equals(shard.group("count"))) {
        numbers.add(Integer.parseInt(other.group("number")));
      }
    }
    numbers.sort(Comparator.naturalOrder());
    return numbers;
  }

  private static NoSuchFileException looseShard(Path file, Matcher shard, List<Integer> present) {
    String index = indexName(shard.group("base"));
    return new NoSuchFileException(
        file.resolveSibling(index).toString(),
        null,
        file.getFileName()
            + " looks like shard "
            + Integer.parseInt(shard.group("number"))
            + " of "
            + Integer.parseInt(shard.group("count"))
            + " (there: "
            + present
            + "); the index "
            + index
            + ", which says what lies where, is missing: download it, too");
  }

  /** A variant stands in the middle of an index's name. */
  private static String indexName(String base) {
    for (String usual : USUAL) {
      if (base.startsWith(usual + ".")) {
        return usual
            + Safetensors.FILE_SUFFIX
            + ".index"
            + base.substring(usual.length())
            + ".json";
      }
    }
    return base + Safetensors.INDEX_SUFFIX;
  }

  /** Says what there is where no safetensors are. */
  private String nothing() {
    if (names.isEmpty()) {
      return "the folder is empty, it holds no .safetensors or .gguf file; the download is not complete";
    }
    String found = "the folder holds no .safetensors or .gguf file";
    for (String name : names) {
      if (name.endsWith(".onnx")) {
        return found
            + ", but the ONNX graph "
            + name
            + "; exports are read as model.onnx, one in each folder of the checkpoint: rename it, or"
            + " export anew in float32";
      }
      if (name.endsWith(".bin") || name.endsWith(".pt") || name.endsWith(".ckpt")) {
        return found
            + ", but the PyTorch file "
            + name
            + " (pickle), which may hold any program and is not read; download the .safetensors of"
            + " the same model";
      }
      if (name.endsWith(".incomplete") || name.endsWith(".aria2") || name.endsWith(".part")) {
        return found + ", but " + name + " of a download that was not finished; download it again";
      }
    }
    return found
        + "; other formats (.bin, .ckpt) are not read; it holds "
        + names.subList(0, Math.min(NAMED, names.size()));
  }
}
