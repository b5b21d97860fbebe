package io.github.urae.pipeline;

import io.github.urae.device.Device;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Tensor;
import io.github.urae.tensor.internal.Elements;
import io.github.urae.testkit.TestData;
import io.github.urae.weights.Safetensors;
import io.github.urae.weights.SafetensorsWriter;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;

/** A copy of the demo checkpoint that a test may damage. */
record CheckpointCopy(Path folder) {

  static CheckpointCopy in(Path parent) throws IOException {
    Path source = TestData.checkpoint();
    Path target = parent.resolve("checkpoint");
    try (Stream<Path> files = Files.walk(source)) {
      files.forEach(
          file -> {
            try {
              Files.copy(file, target.resolve(source.relativize(file)));
            } catch (IOException e) {
              throw new UncheckedIOException(e);
            }
          });
    }
    return new CheckpointCopy(target);
  }

  Path file(String name) {
    return folder.resolve(name);
  }

  /** Replaces a text in a file; the text must be there. */
  CheckpointCopy replace(String name, String text, String replacement) throws IOException {
    String before = Files.readString(file(name));
    if (!before.contains(text)) {
      throw new IllegalArgumentException(name + " does not contain " + text);
    }
    Files.writeString(file(name), before.replace(text, replacement));
    return this;
  }

  /** Rewrites the weights of a network as one file, after a change. */
  CheckpointCopy rewrite(String network, UnaryOperator<Map<String, Tensor>> change)
      throws IOException {
    Path target = file(network).resolve("changed.partial");
    try (TensorSource source = Safetensors.open(file(network))) {
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      for (String name : source.tensors().keySet()) {
        tensors.put(name, source.tensor(name));
      }
      SafetensorsWriter.write(target, Map.of("format", "pt"), change.apply(tensors));
    }
    try (Stream<Path> files = Files.list(file(network))) {
      for (Path file : files.filter(f -> f.toString().contains(".safetensors")).toList()) {
        Files.delete(file);
      }
    }
    Files.move(target, file(network).resolve("model.safetensors"));
    return this;
  }

  /** Stores all weights of a network in another type. */
  CheckpointCopy convert(String network, ElementType type) throws IOException {
    return rewrite(
        network,
        tensors -> {
          tensors.replaceAll((name, tensor) -> converted(tensor, type));
          return tensors;
        });
  }

  static Tensor converted(Tensor tensor, ElementType type) {
    float[] values = tensor.toFloats();
    ByteBuffer bytes = ByteBuffer.allocate((int) type.byteSize(values.length));
    Elements.fromFloats(type, values, 0, values.length, bytes);
    return Tensor.view(type, tensor.shape(), bytes.flip(), "converted");
  }

  FluxPipeline open() throws IOException {
    return FluxPipeline.builder()
        .model(folder)
        .device(Device.cpu())
        .cacheFolder(TestData.CACHE)
        .build();
  }
}
