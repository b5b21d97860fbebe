package io.github.urae.fuzz;

import io.github.urae.adapter.Adapter;
import io.github.urae.adapter.CheckpointMerger;
import io.github.urae.adapter.CheckpointQuantiser;
import io.github.urae.tensor.Tensor;
import io.github.urae.weights.Safetensors;
import io.github.urae.weights.SafetensorsWriter;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** Tensors in files, adapters, and merging. */
final class WeightTargets {

  private static final String SHARD = "model-%05d-of-00002.safetensors";

  private WeightTargets() {}

  /** The header of a safetensors file, and what lies where it says. */
  static FuzzTarget safetensors(Path folder) throws IOException {
    Path file = folder.resolve("file.safetensors");
    return new FuzzTarget(
        TinyAdapters.files(folder),
        new SafetensorsMutation(TinyAdapters.WORDS),
        bytes -> readAll(Files.write(file, bytes)));
  }

  /** The header of a GGUF file, its blocks, and what network they may be. */
  static FuzzTarget gguf(Path folder) throws IOException {
    Path whole = folder.resolve("whole.gguf");
    CheckpointQuantiser.builder()
        .model(TinyCheckpoint.writeInto(folder.resolve("base")))
        .cacheFolder(folder.resolve("cache"))
        .output(whole)
        .write();
    Path file = folder.resolve("file.gguf");
    return new FuzzTarget(
        List.of(Files.readAllBytes(whole), GgufMutation.example()),
        new GgufMutation(),
        bytes -> {
          try (TensorSource source = Safetensors.open(Files.write(file, bytes))) {
            for (TensorInfo tensor : source.tensors().values()) {
              int count = (int) Math.min(1 << 16, tensor.shape().elementCount());
              source.readFloats(tensor.name(), 0, new float[count], 0, count);
            }
          }
        });
  }

  /** The index of a checkpoint in two files. */
  static FuzzTarget index(Path folder) throws IOException {
    for (int shard = 1; shard <= 2; shard++) {
      SafetensorsWriter.write(
          folder.resolve(SHARD.formatted(shard)),
          Map.of(),
          Map.of("tensor" + shard, Tensor.ofFloats(new float[] {shard}, 1)));
    }
    byte[] example =
        """
        {"metadata": {"total_size": 8}, "weight_map": {"tensor1": "%s", "tensor2": "%s"}}"""
            .formatted(SHARD.formatted(1), SHARD.formatted(2))
            .getBytes(StandardCharsets.UTF_8);
    Path file = folder.resolve("model.safetensors.index.json");
    return new FuzzTarget(
        List.of(example),
        new JsonMutation(
            List.of("weight_map", "tensor1", SHARD.formatted(1), "../", "./", ".", "\0")),
        bytes -> readAll(Files.write(file, bytes)));
  }

  private static void readAll(Path file) throws IOException {
    try (TensorSource source = Safetensors.open(file)) {
      for (String name : source.tensors().keySet()) {
        source.tensor(name).data();
      }
    }
  }

  /** An adapter, as it is inspected. */
  static FuzzTarget adapter(Path folder) throws IOException {
    Path file = folder.resolve("adapter.safetensors");
    return new FuzzTarget(
        TinyAdapters.files(folder),
        new SafetensorsMutation(TinyAdapters.WORDS),
        bytes -> {
          try (Adapter adapter = Adapter.open(Files.write(file, bytes))) {
            adapter.format();
            adapter.modules();
            adapter.unknownKeys();
          }
        });
  }

  /** An adapter, merged. */
  static FuzzTarget merge(Path folder) throws IOException {
    Path base = TinyCheckpoint.writeInto(folder.resolve("base"));
    Path cache = folder.resolve("cache");
    Path file = folder.resolve("adapter.safetensors");
    Path merged = folder.resolve("merged");
    return new FuzzTarget(
        TinyAdapters.files(folder),
        new SafetensorsMutation(TinyAdapters.WORDS),
        bytes -> {
          try {
            CheckpointMerger.builder()
                .model(base)
                .adapter(Files.write(file, bytes))
                .ignoreUnmatched(bytes.length % 2 == 0)
                .cacheFolder(cache)
                .output(merged)
                .write();
          } finally {
            delete(merged);
          }
        });
  }

  private static void delete(Path folder) throws IOException {
    if (Files.exists(folder)) {
      try (Stream<Path> walk = Files.walk(folder)) {
        for (Path path : walk.sorted(Comparator.reverseOrder()).toList()) {
          Files.delete(path);
        }
      }
    }
  }
}
