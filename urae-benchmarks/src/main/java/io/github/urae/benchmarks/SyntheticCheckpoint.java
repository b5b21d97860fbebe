package io.github.urae.benchmarks;

import io.github.urae.demo.DemoModel;
import io.github.urae.flux.model.internal.ClipTextConfig;
import io.github.urae.flux.model.internal.Flux1;
import io.github.urae.flux.model.internal.T5Config;
import io.github.urae.flux.model.internal.TransformerConfig;
import io.github.urae.flux.model.internal.VaeConfig;
import io.github.urae.internal.JsonConfig;
import io.github.urae.onnx.internal.graph.ClipTextGraph;
import io.github.urae.onnx.internal.graph.NetworkGraph;
import io.github.urae.onnx.internal.graph.T5EncoderGraph;
import io.github.urae.onnx.internal.graph.TransformerGraph;
import io.github.urae.onnx.internal.graph.VaeDecoderGraph;
import io.github.urae.onnx.internal.graph.VaeEncoderGraph;
import io.github.urae.tensor.ElementType;
import io.github.urae.weights.SafetensorsWriter.Declaration;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Writes a checkpoint with the files, names, shards and shapes of FLUX.1-dev and random weights:
 * what it draws is noise, but it takes the time and memory of the real one. diffusers opens it.
 *
 * <p>The tokenizers are the bundled checkpoint's, with FLUX.1's lengths: the ids differ from
 * FLUX.1's and are fewer, their number does not.
 */
public final class SyntheticCheckpoint {

  private static final String USAGE =
      """
      usage: ./benchmark checkpoint FOLDER [--dtype bf16|f32] [--double N] [--single N]
                         [--only transformer|text_encoder|text_encoder_2|vae] [--seed N]
      """;

  /** Largest files of the transformer and of the text encoders, as published. */
  private static final long TRANSFORMER_SHARD = 10_000_000_000L;

  private static final long TEXT_SHARD = 5_000_000_000L;

  private final Path folder;
  private final ElementType type;
  private final int doubleBlocks;
  private final int singleBlocks;
  private final SyntheticWeights weights;

  private SyntheticCheckpoint(
      Path folder, ElementType type, int doubleBlocks, int singleBlocks, long seed) {
    this.folder = folder;
    this.type = type;
    this.doubleBlocks = doubleBlocks;
    this.singleBlocks = singleBlocks;
    this.weights = new SyntheticWeights(seed);
  }

  /**
   * Writes a checkpoint.
   *
   * @param arguments as printed when there are none
   * @throws IOException if a file cannot be written
   */
  public static void main(String[] arguments) throws IOException {
    Arguments parsed = Arguments.parse(arguments, USAGE);
    Path folder = Path.of(parsed.only());
    SyntheticCheckpoint checkpoint =
        new SyntheticCheckpoint(
            folder,
            type(parsed.option("dtype", "bf16")),
            parsed.number("double", 19),
            parsed.number("single", 38),
            parsed.number("seed", 1));
    String only = parsed.option("only", "");
    parsed.finish();
    checkpoint.write(only);
  }

  private static ElementType type(String name) {
    return switch (name) {
      case "bf16" -> ElementType.BF16;
      case "f32" -> ElementType.F32;
      default -> throw new IllegalArgumentException("expected bf16 or f32, found " + name);
    };
  }

  /**
   * Writes a transformer alone, in a folder {@code transformer} of its own.
   *
   * @param folder made if missing
   * @param type element type
   * @param doubleBlocks of 19
   * @param singleBlocks of 38
   * @return the transformer's configuration
   * @throws IOException if a file cannot be written, or there is no room
   */
  static TransformerConfig writeTransformer(
      Path folder, ElementType type, int doubleBlocks, int singleBlocks) throws IOException {
    new SyntheticCheckpoint(folder, type, doubleBlocks, singleBlocks, 1).write("transformer");
    return TransformerConfig.from(
        JsonConfig.read(folder.resolve("transformer/config.json")), Flux1.FAMILY);
  }

  /** Writes one network, or with an empty name all and what belongs to them. */
  private void write(String only) throws IOException {
    Map<String, List<Declaration>> networks = new LinkedHashMap<>();
    for (String network : List.of("transformer", "text_encoder", "text_encoder_2", "vae")) {
      if (only.isEmpty() || only.equals(network)) {
        copyConfig(network + "/config.json");
        networks.put(network, tensors(network));
      }
    }
    if (networks.isEmpty()) {
      throw new IllegalArgumentException("there is no network " + only + "\n" + USAGE);
    }
    long bytes =
        networks.values().stream().flatMap(List::stream).mapToLong(Declaration::byteSize).sum();
    checkSpace(bytes);
    if (only.isEmpty()) {
      copyConfig("scheduler/scheduler_config.json");
      copyTokenizers();
    }
    long start = System.nanoTime();
    for (Map.Entry<String, List<Declaration>> network : networks.entrySet()) {
      writeShards(network.getKey(), network.getValue());
    }
    System.out.printf(
        Locale.ROOT,
        "%s: %.1f GB in %.0f s%n",
        folder,
        bytes / 1e9,
        (System.nanoTime() - start) / 1e9);
  }

  private void checkSpace(long bytes) throws IOException {
    long free = Files.getFileStore(folder).getUsableSpace();
    if (free < bytes + bytes / 20) {
      throw new FileSystemException(
          folder.toString(),
          null,
          String.format(
              Locale.ROOT, "expected %.1f GB of room, found %.1f", bytes / 1e9, free / 1e9));
    }
  }

  private List<Declaration> tensors(String network) throws IOException {
    JsonConfig config = JsonConfig.read(folder.resolve(network).resolve("config.json"));
    List<NetworkGraph> graphs =
        switch (network) {
          case "transformer" ->
              List.of(TransformerGraph.build(TransformerConfig.from(config, Flux1.FAMILY), type));
          case "text_encoder" -> List.of(ClipTextGraph.build(ClipTextConfig.from(config), type));
          case "text_encoder_2" -> List.of(T5EncoderGraph.build(T5Config.from(config), type));
          default -> {
            VaeConfig vae = VaeConfig.from(config, Flux1.FAMILY);
            yield List.of(VaeEncoderGraph.build(vae), VaeDecoderGraph.build(vae));
          }
        };
    return graphs.stream()
        .flatMap(graph -> graph.parameters().entrySet().stream())
        .map(w -> new Declaration(w.getKey(), type, w.getValue()))
        .sorted(Comparator.comparing(Declaration::name))
        .toList();
  }

  private void writeShards(String network, List<Declaration> tensors) throws IOException {
    boolean text = network.startsWith("text_encoder");
    String stem = text ? "model" : "diffusion_pytorch_model";
    List<List<Declaration>> shards = new ArrayList<>(List.of(new ArrayList<>()));
    long size = 0;
    for (Declaration tensor : tensors) {
      if (size + tensor.byteSize() > (text ? TEXT_SHARD : TRANSFORMER_SHARD)) {
        shards.add(new ArrayList<>());
        size = 0;
      }
      shards.get(shards.size() - 1).add(tensor);
      size += tensor.byteSize();
    }
    Path target = folder.resolve(network);
    if (shards.size() == 1) {
      weights.write(target.resolve(stem + ".safetensors"), tensors);
      return;
    }
    List<String> entries = new ArrayList<>();
    for (int i = 0; i < shards.size(); i++) {
      String name = String.format("%s-%05d-of-%05d.safetensors", stem, i + 1, shards.size());
      weights.write(target.resolve(name), shards.get(i));
      shards.get(i).forEach(t -> entries.add(String.format("    \"%s\": \"%s\"", t.name(), name)));
    }
    long bytes = tensors.stream().mapToLong(Declaration::byteSize).sum();
    String index =
        String.format(
            "{%n  \"metadata\": {%n    \"total_size\": %d%n  },%n  \"weight_map\": {%n%s%n  }%n}%n",
            bytes, String.join(",\n", entries));
    Files.writeString(target.resolve(stem + ".safetensors.index.json"), index);
  }

  private void copyConfig(String name) throws IOException {
    try (InputStream in = SyntheticCheckpoint.class.getResourceAsStream("flux1-dev/" + name)) {
      if (in == null) {
        throw new FileNotFoundException("resource flux1-dev/" + name);
      }
      String config =
          new String(in.readAllBytes(), StandardCharsets.UTF_8)
              .replace("\"num_single_layers\": 38", "\"num_single_layers\": " + singleBlocks)
              .replace("\"num_layers\": 19", "\"num_layers\": " + doubleBlocks);
      Path file = folder.resolve(name);
      Files.createDirectories(file.getParent());
      Files.writeString(file, config);
    }
  }

  private void copyTokenizers() throws IOException {
    Path temporary = Files.createTempDirectory("urae-demo");
    try {
      Path demo = DemoModel.unpackInto(temporary).checkpoint();
      Files.copy(demo.resolve("model_index.json"), folder.resolve("model_index.json"));
      for (String tokenizer : List.of("tokenizer", "tokenizer_2")) {
        Files.createDirectories(folder.resolve(tokenizer));
        for (Path file : files(demo.resolve(tokenizer))) {
          if (Files.isDirectory(file)) {
            continue;
          }
          String text = Files.readString(file);
          if (file.endsWith("tokenizer_2/tokenizer_config.json")) {
            text = text.replace("\"model_max_length\": 32", "\"model_max_length\": 512");
          }
          Files.writeString(folder.resolve(tokenizer).resolve(file.getFileName()), text);
        }
      }
    } finally {
      for (Path file : files(temporary).stream().sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    }
  }

  private static List<Path> files(Path root) throws IOException {
    try (Stream<Path> files = Files.walk(root)) {
      return files.collect(Collectors.toList());
    }
  }
}
