package io.github.urae.onnx.internal.generation;

import io.github.urae.flux.VaeTiling;
import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.Checkpoint;
import io.github.urae.flux.model.internal.ClipTextConfig;
import io.github.urae.flux.model.internal.T5Config;
import io.github.urae.flux.model.internal.TransformerConfig;
import io.github.urae.flux.model.internal.VaeConfig;
import io.github.urae.onnx.internal.image.TileLayout;
import io.github.urae.onnx.internal.image.VaeMemory;
import java.util.List;
import java.util.function.ToDoubleBiFunction;
import java.util.function.ToLongFunction;

/**
 * What one run of each network takes: floating-point operations, a multiplication and an addition
 * being two, and bytes of the activations that are alive at once where there are most.
 *
 * <p>Nothing grows faster than the number of tokens, since attention never holds its scores, but
 * for T5's. In a block of the transformer the peak is the feed-forward network: with C the width,
 * its input and the residual stream (C each), the attention's result (C), the expanded tokens
 * before and after their activation (4 C each), and the concatenation of attention and expansion (5
 * C) while the activated ones (4 C) are still there.
 *
 * @param elementBytes bytes of an activation of each text encoder and of the transformer
 */
public record NetworkCosts(Checkpoint checkpoint, ToLongFunction<Component> elementBytes) {

  /** Tensors of one token's width that are alive at once in the transformer. */
  private static final double TRANSFORMER_TENSORS = 12;

  double clipFlops() {
    ClipTextConfig clip = checkpoint.clip();
    double tokens = clip.positions();
    double linear = 4.0 * clip.width() * clip.width() + 2.0 * clip.width() * clip.innerWidth();
    return clip.layers() * (2 * tokens * linear + 4 * tokens * tokens * clip.width());
  }

  long clipBytes() {
    ClipTextConfig clip = checkpoint.clip();
    return clip.positions()
        * (4L * clip.width() + 2L * clip.innerWidth())
        * elementBytes.applyAsLong(Component.TEXT_ENCODER);
  }

  double t5Flops(int tokens) {
    T5Config t5 = checkpoint.t5();
    double inner = (double) t5.heads() * t5.headDim();
    double linear = 4.0 * t5.width() * inner + 3.0 * t5.width() * t5.innerWidth();
    return t5.layers() * (2.0 * tokens * linear + 4.0 * tokens * tokens * inner);
  }

  /** With position biases, T5's attention does hold its scores. */
  long t5Bytes(int tokens) {
    T5Config t5 = checkpoint.t5();
    long perToken = 3L * t5.width() + 3L * t5.innerWidth() + 2L * t5.heads() * tokens;
    return tokens * perToken * elementBytes.applyAsLong(Component.TEXT_ENCODER_2);
  }

  /** Of one picture. */
  double transformerFlops(int textTokens, long imageTokens) {
    TransformerConfig config = checkpoint.transformer();
    double width = config.width();
    double tokens = (double) textTokens + imageTokens;
    double attention = 4 * tokens * tokens * width;
    double linear = 2 * tokens * 12 * width * width;
    return (config.doubleBlocks() + config.singleBlocks()) * (linear + attention)
        + 2.0 * imageTokens * width * (config.inputChannels() + config.outputChannels())
        + 2.0 * textTokens * width * config.textDim();
  }

  /** Of one picture. */
  long transformerBytes(int textTokens, LatentGrid grid) {
    long tokens = (long) textTokens + grid.tokens();
    TransformerConfig config = checkpoint.transformer();
    long tables = 4L * 3 * tokens * (config.headDim() / 2) * Float.BYTES;
    long bytes = elementBytes.applyAsLong(Component.TRANSFORMER);
    return tables + (long) (TRANSFORMER_TENSORS * tokens * config.width() * bytes);
  }

  boolean decodesInTiles(LatentGrid grid, VaeTiling tiling) {
    return VaeMemory.decodesInTiles(
        checkpoint.vae(), grid.latentHeight(), grid.latentWidth(), tiling);
  }

  boolean encodesInTiles(LatentGrid grid, VaeTiling tiling) {
    return VaeMemory.encodesInTiles(
        checkpoint.vae(), grid.latentHeight(), grid.latentWidth(), tiling);
  }

  /** Returns how often the decoder runs for a picture. */
  int decoderRuns(LatentGrid grid, VaeTiling tiling) {
    return decodesInTiles(grid, tiling) ? tiles(grid) : 1;
  }

  /** Returns how often the encoder runs for a picture. */
  int encoderRuns(LatentGrid grid, VaeTiling tiling) {
    return encodesInTiles(grid, tiling) ? tiles(grid) : 1;
  }

  private int tiles(LatentGrid grid) {
    TileLayout layout = TileLayout.ofLatents(checkpoint.vae());
    return layout.count(grid.latentHeight()) * layout.count(grid.latentWidth());
  }

  /** Of one picture, in all its tiles. */
  double decoderFlops(LatentGrid grid, VaeTiling tiling) {
    return ofAllRuns(grid, decodesInTiles(grid, tiling), this::decoderFlops);
  }

  /** Of one picture, in all its tiles. */
  double encoderFlops(LatentGrid grid, VaeTiling tiling) {
    return ofAllRuns(grid, encodesInTiles(grid, tiling), this::encoderFlops);
  }

  private double ofAllRuns(
      LatentGrid grid, boolean tiled, ToDoubleBiFunction<Long, Long> flopsOfRun) {
    int rows = grid.latentHeight();
    int columns = grid.latentWidth();
    if (!tiled) {
      return flopsOfRun.applyAsDouble((long) rows, (long) columns);
    }
    TileLayout layout = TileLayout.ofLatents(checkpoint.vae());
    double flops = 0;
    for (int row = 0; row < layout.count(rows); row++) {
      for (int column = 0; column < layout.count(columns); column++) {
        flops +=
            flopsOfRun.applyAsDouble(
                (long) layout.length(row, rows), (long) layout.length(column, columns));
      }
    }
    return flops;
  }

  /** One run on latents: convolutions of 3x3, level by level, and one attention over all. */
  private double decoderFlops(long rows, long columns) {
    VaeConfig vae = checkpoint.vae();
    List<Integer> levels = vae.channels();
    double positions = (double) rows * columns;
    double inputs = levels.get(levels.size() - 1);
    double flops = convolution(positions, vae.latentChannels(), inputs) + middle(positions, inputs);
    for (int level = levels.size() - 1; level >= 0; level--) {
      double outputs = levels.get(level);
      flops += convolution(positions, inputs, outputs) + convolution(positions, outputs, outputs);
      flops += 2 * vae.layersPerBlock() * convolution(positions, outputs, outputs);
      if (level > 0) {
        positions *= 4;
        flops += convolution(positions, outputs, outputs);
      }
      inputs = outputs;
    }
    return flops + convolution(positions, inputs, 3);
  }

  /** One run that makes latents of this size, the decoder's way back. */
  private double encoderFlops(long rows, long columns) {
    VaeConfig vae = checkpoint.vae();
    List<Integer> levels = vae.channels();
    double positions = (double) rows * columns * vae.pixelsPerLatent() * vae.pixelsPerLatent();
    double inputs = levels.get(0);
    double flops = convolution(positions, 3, inputs);
    for (int level = 0; level < levels.size(); level++) {
      double outputs = levels.get(level);
      flops += convolution(positions, inputs, outputs) + convolution(positions, outputs, outputs);
      flops += 2 * (vae.layersPerBlock() - 1) * convolution(positions, outputs, outputs);
      if (level < levels.size() - 1) {
        positions /= 4;
        flops += convolution(positions, outputs, outputs);
      }
      inputs = outputs;
    }
    return flops
        + middle(positions, inputs)
        + convolution(positions, inputs, 2 * vae.latentChannels());
  }

  /** Two residual blocks and the attention between them. */
  private static double middle(double positions, double channels) {
    return 4 * convolution(positions, channels, channels) + 4 * positions * positions * channels;
  }

  private static double convolution(double positions, double inputs, double outputs) {
    return 18 * positions * inputs * outputs;
  }
}
