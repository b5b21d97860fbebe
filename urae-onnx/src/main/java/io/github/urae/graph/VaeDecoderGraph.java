package io.github.urae.graph;

import static io.github.urae.graph.GraphBuilder.attribute;

import io.github.urae.flux.LatentGrid;
import io.github.urae.tensor.ElementType;
import java.util.Arrays;
import java.util.List;

/**
 * The decoder of FLUX.1's autoencoder. Input: {@code latent_sample} [B, 16, H/8, W/8], float32,
 * with scaling and shift undone. Output: {@code sample} [B, 3, H, W], float32, about -1 to 1. All
 * arithmetic is float32: CUDA has no bfloat16 for several of its operators, and float16 overflows.
 *
 * @see <a
 *     href="https://github.com/huggingface/diffusers/blob/main/src/diffusers/models/autoencoders/vae.py">
 *     diffusers: {@code Decoder}</a>
 */
public final class VaeDecoderGraph {

  private static final double EPSILON = 1e-6;

  private final VaeConfig config;
  private final GraphBuilder g;

  private VaeDecoderGraph(VaeConfig config) {
    this.config = config;
    this.g = new GraphBuilder("vae_decoder", ElementType.F32);
  }

  /**
   * Builds the graph.
   *
   * @param config the checkpoint's configuration
   * @return the graph, in float32
   */
  public static NetworkGraph build(VaeConfig config) {
    return new VaeDecoderGraph(config).build();
  }

  private NetworkGraph build() {
    List<Integer> levels = config.channels();
    int channels = levels.get(levels.size() - 1);
    String x =
        g.input("latent_sample", ElementType.F32, "batch", LatentGrid.CHANNELS, "rows", "columns");
    x = convolution("decoder.conv_in", x, LatentGrid.CHANNELS, channels, 3);
    x = residualBlock("decoder.mid_block.resnets.0", x, channels, channels);
    x = attention("decoder.mid_block.attentions.0", x, channels);
    x = residualBlock("decoder.mid_block.resnets.1", x, channels, channels);
    for (int block = 0; block < levels.size(); block++) {
      int outputs = levels.get(levels.size() - 1 - block);
      String prefix = "decoder.up_blocks." + block;
      for (int i = 0; i <= config.layersPerBlock(); i++) {
        x = residualBlock(prefix + ".resnets." + i, x, i == 0 ? channels : outputs, outputs);
      }
      channels = outputs;
      if (block < levels.size() - 1) {
        x = convolution(prefix + ".upsamplers.0.conv", doubled(x), channels, channels, 3);
      }
    }
    x = g.silu(groupNorm("decoder.conv_norm_out", x, channels));
    x = convolution("decoder.conv_out", x, channels, 3, 3);
    g.output("sample", x, ElementType.F32, "batch", 3, "height", "width");
    return g.build();
  }

  private String residualBlock(String prefix, String x, int inputs, int outputs) {
    String hidden = g.silu(groupNorm(prefix + ".norm1", x, inputs));
    hidden = convolution(prefix + ".conv1", hidden, inputs, outputs, 3);
    hidden = g.silu(groupNorm(prefix + ".norm2", hidden, outputs));
    hidden = convolution(prefix + ".conv2", hidden, outputs, outputs, 3);
    String residual =
        inputs == outputs ? x : convolution(prefix + ".conv_shortcut", x, inputs, outputs, 1);
    return g.add(residual, hidden);
  }

  /** One head over all positions; scores are never held. */
  private String attention(String prefix, String x, int channels) {
    String normalised = groupNorm(prefix + ".group_norm", x, channels);
    String flat = g.reshape(normalised, g.longs(0, channels, -1));
    String tokens = g.node("Transpose", List.of(flat), attribute("perm", new int[] {0, 2, 1}));
    String shape = g.node("Shape", List.of(tokens));
    String attended =
        g.attention(
            g.reshape(g.linear(prefix + ".to_q", tokens, channels, channels), shape),
            g.reshape(g.linear(prefix + ".to_k", tokens, channels, channels), shape),
            g.reshape(g.linear(prefix + ".to_v", tokens, channels, channels), shape),
            1);
    String projected =
        g.reshape(g.linear(prefix + ".to_out.0", attended, channels, channels), shape);
    String back = g.node("Transpose", List.of(projected), attribute("perm", new int[] {0, 2, 1}));
    return g.add(x, g.reshape(back, g.node("Shape", List.of(x))));
  }

  private String convolution(String prefix, String x, int inputs, int outputs, int size) {
    int pad = size / 2;
    return g.node(
        "Conv",
        List.of(
            x,
            g.weight(prefix + ".weight", outputs, inputs, size, size),
            g.weight(prefix + ".bias", outputs)),
        attribute("kernel_shape", new int[] {size, size}),
        attribute("pads", new int[] {pad, pad, pad, pad}));
  }

  /** Nearest neighbour, twice as many rows and columns. */
  private String doubled(String x) {
    return g.node(
        "Resize",
        List.of(x, "", g.floats(ElementType.F32, 1, 1, 2, 2)),
        attribute("mode", "nearest"),
        attribute("coordinate_transformation_mode", "asymmetric"),
        attribute("nearest_mode", "floor"));
  }

  /**
   * Group normalisation as instance normalisation of [B, groups, ...]: ONNX Runtime's CPU provider
   * takes ONNX's own operator apart into a slow chain.
   */
  private String groupNorm(String prefix, String x, int channels) {
    float[] ones = new float[config.groups()];
    Arrays.fill(ones, 1);
    String grouped = g.reshape(x, g.longs(0, config.groups(), -1));
    String normalised =
        g.node(
            "InstanceNormalization",
            List.of(
                grouped,
                g.floats(ElementType.F32, ones),
                g.floats(ElementType.F32, new float[config.groups()])),
            attribute("epsilon", (float) EPSILON));
    String back = g.reshape(normalised, g.node("Shape", List.of(x)));
    String scale = perChannel(g.weight(prefix + ".weight", channels), channels);
    String shift = perChannel(g.weight(prefix + ".bias", channels), channels);
    return g.add(g.multiply(back, scale), shift);
  }

  private String perChannel(String weight, int channels) {
    return g.reshape(weight, g.longs(channels, 1, 1));
  }
}
