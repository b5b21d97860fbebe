package io.github.urae.onnx.internal.graph;

import static io.github.urae.onnx.internal.graph.OnnxMessages.attribute;

import io.github.urae.flux.model.internal.VaeConfig;
import io.github.urae.tensor.ElementType;
import java.util.Arrays;
import java.util.List;

/** The layers that the autoencoder's two halves are made of. Activations are [B, C, H, W]. */
final class VaeLayers {

  /**
   * ONNX operator set of the autoencoder: the last whose instance normalisation ONNX Runtime's CUDA
   * provider has; the processor would do that of a later one.
   *
   * @see <a
   *     href="https://github.com/microsoft/onnxruntime/blob/v1.29.0/onnxruntime/core/providers/cuda/nn/instance_norm.cc">
   *     ONNX Runtime: {@code instance_norm.cc}, of operator set 6 to 21</a>
   */
  static final long OPSET = 21;

  private static final double EPSILON = 1e-6;

  private final GraphBuilder g;
  private final int groups;

  VaeLayers(GraphBuilder g, VaeConfig config) {
    this.g = g;
    this.groups = config.groups();
  }

  /** The middle of both halves: attention between two residual blocks. */
  String middle(String prefix, String x, int channels) {
    String before = residualBlock(prefix + ".resnets.0", x, channels, channels);
    String attended = attention(prefix + ".attentions.0", before, channels);
    return residualBlock(prefix + ".resnets.1", attended, channels, channels);
  }

  String residualBlock(String prefix, String x, int inputs, int outputs) {
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
            g.reshape(
                g.linear(LayerRole.EDGE, prefix + ".to_q", tokens, channels, channels), shape),
            g.reshape(
                g.linear(LayerRole.EDGE, prefix + ".to_k", tokens, channels, channels), shape),
            g.reshape(
                g.linear(LayerRole.EDGE, prefix + ".to_v", tokens, channels, channels), shape),
            1);
    String projected =
        g.reshape(
            g.linear(LayerRole.EDGE, prefix + ".to_out.0", attended, channels, channels), shape);
    String back = g.node("Transpose", List.of(projected), attribute("perm", new int[] {0, 2, 1}));
    return g.add(x, g.reshape(back, g.node("Shape", List.of(x))));
  }

  /** Convolution of a size with which height and width stay as they are. */
  String convolution(String prefix, String x, int inputs, int outputs, int size) {
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

  /** Half as many rows and columns; the edge is padded below and to the right alone. */
  String halved(String prefix, String x, int channels) {
    return g.node(
        "Conv",
        List.of(
            x,
            g.weight(prefix + ".weight", channels, channels, 3, 3),
            g.weight(prefix + ".bias", channels)),
        attribute("kernel_shape", new int[] {3, 3}),
        attribute("pads", new int[] {0, 0, 1, 1}),
        attribute("strides", new int[] {2, 2}));
  }

  /** Nearest neighbour, twice as many rows and columns. */
  String doubled(String x) {
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
  String groupNorm(String prefix, String x, int channels) {
    float[] ones = new float[groups];
    Arrays.fill(ones, 1);
    String grouped = g.reshape(x, g.longs(0, groups, -1));
    String normalised =
        g.node(
            "InstanceNormalization",
            List.of(
                grouped,
                g.floats(ElementType.F32, ones),
                g.floats(ElementType.F32, new float[groups])),
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
