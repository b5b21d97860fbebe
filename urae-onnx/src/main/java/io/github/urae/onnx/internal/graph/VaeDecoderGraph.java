package io.github.urae.onnx.internal.graph;

import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.VaeConfig;
import io.github.urae.tensor.ElementType;
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

  private final VaeConfig config;
  private final GraphBuilder g;
  private final VaeLayers layers;

  private VaeDecoderGraph(VaeConfig config) {
    this.config = config;
    this.g = new GraphBuilder(Component.VAE_DECODER.id(), ElementType.F32, LinearLayers.PLAIN);
    this.layers = new VaeLayers(g, config);
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
        g.input(
            "latent_sample", ElementType.F32, "batch", config.latentChannels(), "rows", "columns");
    x = layers.convolution("decoder.conv_in", x, config.latentChannels(), channels, 3);
    x = layers.middle("decoder.mid_block", x, channels);
    for (int block = 0; block < levels.size(); block++) {
      int outputs = levels.get(levels.size() - 1 - block);
      String prefix = "decoder.up_blocks." + block;
      for (int i = 0; i <= config.layersPerBlock(); i++) {
        x = layers.residualBlock(prefix + ".resnets." + i, x, i == 0 ? channels : outputs, outputs);
      }
      channels = outputs;
      if (block < levels.size() - 1) {
        x =
            layers.convolution(
                prefix + ".upsamplers.0.conv", layers.doubled(x), channels, channels, 3);
      }
    }
    x = g.silu(layers.groupNorm("decoder.conv_norm_out", x, channels));
    x = layers.convolution("decoder.conv_out", x, channels, 3, 3);
    g.output("sample", x, ElementType.F32, "batch", 3, "height", "width");
    return g.build(VaeLayers.OPSET);
  }
}
