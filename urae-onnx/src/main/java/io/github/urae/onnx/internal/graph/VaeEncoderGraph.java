package io.github.urae.onnx.internal.graph;

import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.VaeConfig;
import io.github.urae.tensor.ElementType;
import java.util.List;

/**
 * The encoder of FLUX.1's autoencoder. Input: {@code sample} [B, 3, H, W], float32, -1 to 1.
 * Output: {@code latent_parameters} [B, 32, H/8, W/8], float32: the mean of each of 16 latent
 * channels, then the logarithm of its variance, without scaling and shift. All arithmetic is
 * float32, as in {@link VaeDecoderGraph}.
 *
 * @see <a
 *     href="https://github.com/huggingface/diffusers/blob/main/src/diffusers/models/autoencoders/vae.py">
 *     diffusers: {@code Encoder}</a>
 */
public final class VaeEncoderGraph {

  private final VaeConfig config;
  private final GraphBuilder g;
  private final VaeLayers layers;

  private VaeEncoderGraph(VaeConfig config) {
    this.config = config;
    this.g = new GraphBuilder(Component.VAE_ENCODER.id(), ElementType.F32, LinearLayers.PLAIN);
    this.layers = new VaeLayers(g, config);
  }

  /**
   * Builds the graph.
   *
   * @param config the checkpoint's configuration
   * @return the graph, in float32
   */
  public static NetworkGraph build(VaeConfig config) {
    return new VaeEncoderGraph(config).build();
  }

  private NetworkGraph build() {
    List<Integer> levels = config.channels();
    int channels = levels.get(0);
    String x = g.input("sample", ElementType.F32, "batch", 3, "height", "width");
    x = layers.convolution("encoder.conv_in", x, 3, channels, 3);
    for (int block = 0; block < levels.size(); block++) {
      int outputs = levels.get(block);
      String prefix = "encoder.down_blocks." + block;
      for (int i = 0; i < config.layersPerBlock(); i++) {
        x = layers.residualBlock(prefix + ".resnets." + i, x, channels, outputs);
        channels = outputs;
      }
      if (block < levels.size() - 1) {
        x = layers.halved(prefix + ".downsamplers.0.conv", x, channels);
      }
    }
    x = layers.middle("encoder.mid_block", x, channels);
    x = g.silu(layers.groupNorm("encoder.conv_norm_out", x, channels));
    x = layers.convolution("encoder.conv_out", x, channels, 2 * config.latentChannels(), 3);
    g.output(
        "latent_parameters",
        x,
        ElementType.F32,
        "batch",
        2 * config.latentChannels(),
        "rows",
        "columns");
    return g.build(VaeLayers.OPSET);
  }
}
