package io.github.urae.onnx.internal.source;

import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import io.github.urae.weights.Safetensors;
import io.github.urae.weights.SafetensorsWriter;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** Writes a transformer in Black Forest Labs' names, as their own file has it. */
public final class OriginalNames {

  private final TensorSource diffusers;
  private final Map<String, Tensor> original = new LinkedHashMap<>();

  private OriginalNames(TensorSource diffusers) {
    this.diffusers = diffusers;
  }

  /** Returns the tensors of a single file, made from those of a checkpoint. */
  public static Map<String, Tensor> of(TensorSource diffusers) {
    OriginalNames names = new OriginalNames(diffusers);
    names.convert();
    return names.original;
  }

  /** Writes a single file of the transformer in a checkpoint's folder. */
  public static void write(Path transformer, Path file) throws IOException {
    try (TensorSource diffusers = Safetensors.open(transformer)) {
      SafetensorsWriter.write(file, Map.of(), of(diffusers));
    }
  }

  private void convert() {
    linear("img_in", "x_embedder");
    linear("txt_in", "context_embedder");
    for (String[] pair :
        List.of(
            new String[] {"time_in", "timestep_embedder"},
            new String[] {"guidance_in", "guidance_embedder"},
            new String[] {"vector_in", "text_embedder"})) {
      if (!has("time_text_embed." + pair[1] + ".linear_1.weight")) {
        continue;
      }
      linear(pair[0] + ".in_layer", "time_text_embed." + pair[1] + ".linear_1");
      linear(pair[0] + ".out_layer", "time_text_embed." + pair[1] + ".linear_2");
    }
    for (int i = 0; has("transformer_blocks." + i + ".attn.to_q.weight"); i++) {
      String block = "transformer_blocks." + i + ".";
      String target = "double_blocks." + i + ".";
      linear(target + "img_attn.qkv", all(block + "attn.to_", "q", "k", "v"));
      linear(target + "txt_attn.qkv", all(block + "attn.add_", "q_proj", "k_proj", "v_proj"));
      linear(target + "img_attn.proj", block + "attn.to_out.0");
      linear(target + "txt_attn.proj", block + "attn.to_add_out");
      scale(target + "img_attn.norm.query_norm", block + "attn.norm_q");
      scale(target + "img_attn.norm.key_norm", block + "attn.norm_k");
      scale(target + "txt_attn.norm.query_norm", block + "attn.norm_added_q");
      scale(target + "txt_attn.norm.key_norm", block + "attn.norm_added_k");
      linear(target + "img_mlp.0", block + "ff.net.0.proj");
      linear(target + "img_mlp.2", block + "ff.net.2");
      linear(target + "txt_mlp.0", block + "ff_context.net.0.proj");
      linear(target + "txt_mlp.2", block + "ff_context.net.2");
      linear(target + "img_mod.lin", block + "norm1.linear");
      linear(target + "txt_mod.lin", block + "norm1_context.linear");
    }
    for (int i = 0; has("single_transformer_blocks." + i + ".attn.to_q.weight"); i++) {
      String block = "single_transformer_blocks." + i + ".";
      String target = "single_blocks." + i + ".";
      linear(target + "linear1", all(block, "attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"));
      linear(target + "linear2", block + "proj_out");
      scale(target + "norm.query_norm", block + "attn.norm_q");
      scale(target + "norm.key_norm", block + "attn.norm_k");
      linear(target + "modulation.lin", block + "norm.linear");
    }
    linear("final_layer.linear", "proj_out");
    for (String part : List.of(".weight", ".bias")) {
      Tensor whole = tensor("norm_out.linear" + part);
      ByteBuffer data = whole.data();
      int half = data.remaining() / 2;
      original.put(
          "final_layer.adaLN_modulation.1" + part,
          joined(whole.shape(), List.of(data.slice(half, half), data.slice(0, half)), whole));
    }
  }

  private boolean has(String name) {
    return diffusers.tensors().containsKey(name);
  }

  private static String[] all(String prefix, String... endings) {
    return Stream.of(endings).map(prefix::concat).toArray(String[]::new);
  }

  private Tensor tensor(String name) {
    try {
      return diffusers.tensor(name);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void scale(String target, String source) {
    original.put(target + ".scale", tensor(source + ".weight"));
  }

  private void linear(String target, String... sources) {
    for (String part : List.of(".weight", ".bias")) {
      List<Tensor> parts = Arrays.stream(sources).map(s -> tensor(s + part)).toList();
      long[] dimensions = parts.get(0).shape().toArray();
      dimensions[0] = parts.stream().mapToLong(p -> p.shape().dimension(0)).sum();
      original.put(
          target + part,
          joined(Shape.of(dimensions), parts.stream().map(Tensor::data).toList(), parts.get(0)));
    }
  }

  private static Tensor joined(Shape shape, List<ByteBuffer> parts, Tensor like) {
    ByteBuffer all =
        ByteBuffer.allocate(parts.stream().mapToInt(ByteBuffer::remaining).sum())
            .order(ByteOrder.LITTLE_ENDIAN);
    parts.forEach(all::put);
    return Tensor.view(like.type(), shape, all.flip(), "single file");
  }
}
