package io.github.urae.pipeline;

import io.github.urae.onnx.internal.source.OriginalNames;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Tensor;
import io.github.urae.testkit.CompVisNames;
import io.github.urae.testkit.TestData;
import io.github.urae.weights.Safetensors;
import io.github.urae.weights.SafetensorsWriter;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/** The demo checkpoint as the separate files and the one file that people download. */
final class SeparateFiles {

  private SeparateFiles() {}

  /** Writes the transformer in Black Forest Labs' names. */
  static Path transformer(Path file) throws IOException {
    OriginalNames.write(TestData.checkpoint().resolve("transformer"), file);
    return file;
  }

  /** Writes {@code clip_l}: float16. */
  static Path clip(Path file) throws IOException {
    return write(file, halves(stored("text_encoder")));
  }

  /** Writes {@code t5xxl_fp16}, which has its table of embeddings twice. */
  static Path t5(Path file) throws IOException {
    Map<String, Tensor> tensors = halves(stored("text_encoder_2"));
    tensors.put("encoder.embed_tokens.weight", tensors.get("shared.weight"));
    return write(file, tensors);
  }

  /** Writes {@code ae}, in CompVis' names. */
  static Path autoencoder(Path file) throws IOException {
    Map<String, Tensor> named = new LinkedHashMap<>();
    stored("vae")
        .forEach((name, tensor) -> named.put(CompVisNames.of(name), asConvolution(name, tensor)));
    return write(file, named);
  }

  /** Writes everything into one file, as ComfyUI's checkpoints have it. */
  static Path allInOne(Path file, Path folder) throws IOException {
    Map<String, Tensor> all = new LinkedHashMap<>();
    add(all, "model.diffusion_model.", transformer(folder.resolve("transformer.part")));
    add(all, "text_encoders.clip_l.transformer.", clip(folder.resolve("clip.part")));
    add(all, "text_encoders.t5xxl.transformer.", t5(folder.resolve("t5.part")));
    add(all, "vae.", autoencoder(folder.resolve("ae.part")));
    all.put("text_encoders.clip_l.logit_scale", Tensor.ofFloats(new float[] {4.6f}));
    all.put("text_encoders.t5xxl.logit_scale", Tensor.ofFloats(new float[] {4.6f}));
    return write(file, all);
  }

  /** The same of a smaller transformer, as Comfy-Org's: that and T5 in float8, CLIP in float16. */
  static Path allInOneFloat8(Path file) throws IOException {
    Map<String, Tensor> all = new LinkedHashMap<>();
    QuantisedWriter.cut()
        .forEach(
            (name, tensor) ->
                all.put("model.diffusion_model." + name, QuantisedWriter.float8(tensor)));
    halves(stored("text_encoder"))
        .forEach((name, tensor) -> all.put("text_encoders.clip_l.transformer." + name, tensor));
    all.put("text_encoders.clip_l.transformer.text_projection.weight", identity(64));
    all.put("text_encoders.clip_l.logit_scale", Tensor.ofFloats(new float[] {4.6055f}));
    stored("text_encoder_2")
        .forEach(
            (name, tensor) ->
                all.put("text_encoders.t5xxl.transformer." + name, QuantisedWriter.float8(tensor)));
    all.put("text_encoders.t5xxl.logit_scale", Tensor.ofFloats(new float[] {4.6055f}));
    stored("vae")
        .forEach(
            (name, tensor) -> all.put("vae." + CompVisNames.of(name), asConvolution(name, tensor)));
    return write(file, all);
  }

  private static Tensor identity(int size) {
    float[] values = new float[size * size];
    for (int i = 0; i < size; i++) {
      values[i * size + i] = 1;
    }
    return CheckpointCopy.converted(Tensor.ofFloats(values, size, size), ElementType.F16);
  }

  /** Attention is stored as convolutions of one pixel. */
  private static Tensor asConvolution(String name, Tensor tensor) {
    boolean attention = name.contains("attentions.0.to_") && tensor.shape().rank() == 2;
    long[] shape = tensor.shape().toArray();
    return attention
        ? CheckpointCopy.converted(
            Tensor.ofFloats(tensor.toFloats(), shape[0], shape[1], 1, 1), tensor.type())
        : tensor;
  }

  private static void add(Map<String, Tensor> all, String prefix, Path part) throws IOException {
    tensors(part).forEach((name, tensor) -> all.put(prefix + name, tensor));
    Files.delete(part);
  }

  static Map<String, Tensor> stored(String folder) throws IOException {
    return tensors(TestData.checkpoint().resolve(folder));
  }

  /** Returns copies that outlive the file. */
  static Map<String, Tensor> tensors(Path path) throws IOException {
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    try (TensorSource source = Safetensors.open(path)) {
      for (String name : source.tensors().keySet()) {
        Tensor tensor = source.tensor(name);
        tensors.put(name, CheckpointCopy.converted(tensor, tensor.type()));
      }
    }
    return tensors;
  }

  private static Map<String, Tensor> halves(Map<String, Tensor> tensors) {
    Map<String, Tensor> halves = new LinkedHashMap<>();
    tensors.forEach(
        (name, tensor) -> halves.put(name, CheckpointCopy.converted(tensor, ElementType.F16)));
    return halves;
  }

  static Path write(Path file, Map<String, Tensor> tensors) throws IOException {
    Files.createDirectories(file.getParent());
    SafetensorsWriter.write(file, Map.of(), tensors);
    return file;
  }
}
