package io.github.urae.training.internal.torch;

import io.github.urae.ModelException;
import io.github.urae.flux.model.internal.TransformerConfig;
import io.github.urae.tensor.Shape;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The parameters of FLUX's transformer, by diffusers' names. */
final class TransformerShapes {

  /** Channels of a sinusoidal embedding of a timestep. */
  static final int SINUSOID_CHANNELS = 256;

  private final Map<String, Shape> shapes = new LinkedHashMap<>();
  private final int width;

  private TransformerShapes(TransformerConfig config) {
    width = config.width();
    linear("x_embedder", config.inputChannels(), width);
    linear("context_embedder", config.textDim(), width);
    embedder("timestep_embedder", SINUSOID_CHANNELS);
    if (config.guidance()) {
      embedder("guidance_embedder", SINUSOID_CHANNELS);
    }
    embedder("text_embedder", config.pooledDim());
    for (int i = 0; i < config.doubleBlocks(); i++) {
      doubleBlock(doubleBlock(i), config.headDim());
    }
    for (int i = 0; i < config.singleBlocks(); i++) {
      singleBlock(singleBlock(i), config.headDim());
    }
    linear("norm_out.linear", width, 2L * width);
    linear("proj_out", width, config.outputChannels());
  }

  /** Returns the name of a block with separate weights for text and image. */
  static String doubleBlock(int index) {
    return "transformer_blocks." + index;
  }

  /** Returns the name of a block over text and image together. */
  static String singleBlock(int index) {
    return "single_transformer_blocks." + index;
  }

  /**
   * Returns all parameters.
   *
   * @return shapes by name, in the order of the network
   */
  static Map<String, Shape> of(TransformerConfig config) {
    return Collections.unmodifiableMap(new LinkedHashMap<>(new TransformerShapes(config).shapes));
  }

  /**
   * Returns the linear layers of the blocks, which can be trained.
   *
   * @return their names, in the order of the network
   */
  static List<String> blockLayers(TransformerConfig config) {
    return of(config).entrySet().stream()
        .filter(parameter -> parameter.getValue().rank() == 2)
        .map(Map.Entry::getKey)
        .filter(name -> name.contains("transformer_blocks."))
        .map(name -> name.substring(0, name.length() - ".weight".length()))
        .toList();
  }

  /**
   * Makes sure that a source holds all parameters.
   *
   * @throws ModelException if one is missing or has another shape
   */
  static void check(TransformerConfig config, TensorSource source) {
    of(config)
        .forEach(
            (name, shape) -> {
              TensorInfo found = source.tensors().get(name);
              if (found == null) {
                throw new ModelException(
                    source.files().get(0)
                        + ": expected a tensor '"
                        + name
                        + "', found none"
                        + source.remark().map(remark -> "; " + remark).orElse(""));
              }
              if (!found.shape().equals(shape)) {
                throw new ModelException(
                    found.file()
                        + ": tensor '"
                        + name
                        + "': expected shape "
                        + shape
                        + ", found "
                        + found.shape());
              }
            });
  }

  private void linear(String module, long in, long out) {
    shapes.put(module + ".weight", Shape.of(out, in));
    shapes.put(module + ".bias", Shape.of(out));
  }

  private void embedder(String name, long in) {
    linear("time_text_embed." + name + ".linear_1", in, width);
    linear("time_text_embed." + name + ".linear_2", width, width);
  }

  private void doubleBlock(String block, long headDim) {
    for (String stream : new String[] {"norm1", "norm1_context"}) {
      linear(block + "." + stream + ".linear", width, 6L * width);
    }
    String attention = block + ".attn.";
    for (String projection :
        new String[] {
          "to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out"
        }) {
      linear(attention + projection, width, width);
    }
    for (String norm : new String[] {"norm_q", "norm_k", "norm_added_q", "norm_added_k"}) {
      shapes.put(attention + norm + ".weight", Shape.of(headDim));
    }
    for (String stream : new String[] {"ff", "ff_context"}) {
      linear(block + "." + stream + ".net.0.proj", width, 4L * width);
      linear(block + "." + stream + ".net.2", 4L * width, width);
    }
  }

  private void singleBlock(String block, long headDim) {
    linear(block + ".norm.linear", width, 3L * width);
    for (String projection : new String[] {"to_q", "to_k", "to_v"}) {
      linear(block + ".attn." + projection, width, width);
    }
    for (String norm : new String[] {"norm_q", "norm_k"}) {
      shapes.put(block + ".attn." + norm + ".weight", Shape.of(headDim));
    }
    linear(block + ".proj_mlp", width, 4L * width);
    linear(block + ".proj_out", 5L * width, width);
  }
}
