package io.github.urae.onnx.internal.generation;

import io.github.urae.flux.GenerationPlan;
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
import java.util.ArrayList;
import java.util.List;

/**
 * Works out what a generation takes from the sizes of its tensors.
 *
 * <p>Memory of a network is that of the activations that are alive at once where there are most,
 * and nothing that grows faster than the number of tokens, since attention never holds its scores.
 * In a block of the transformer that is the feed-forward network: with C the width, its input and
 * the residual stream (C each), the attention's result (C), the expanded tokens before and after
 * their activation (4 C each), and the concatenation of attention and expansion (5 C) while the
 * activated ones (4 C) are still there. The Java heap holds noise, latents, velocity and their
 * copies on the way into and out of ONNX Runtime.
 *
 * @param sessionsStay whether sessions stay open: ONNX Runtime keeps what a session has used for
 *     its next run, so that the transformer's memory is still there while a picture is decoded
 * @param weightBytes bytes of weights that a network holds beside file pages, by part
 */
public record Planner(
    Checkpoint checkpoint, long elementBytes, boolean sessionsStay, HeldWeights weightBytes) {

  /** Tensors of one token's width that are alive at once in the transformer. */
  private static final double TRANSFORMER_TENSORS = 12;

  /**
   * Copies of a picture's latents, float32: noise, packed noise, latents before and after a step,
   * velocity, preview, and those on their way to and from ONNX Runtime. Measured, like what
   * follows, at 1024, 2048 and 4096 pixels a side ({@code ./benchmark plan}, {@code ./benchmark
   * ultra}).
   */
  private static final double LATENT_COPIES = 12;

  /** Bytes of a pixel decoded as a whole: float32 in native memory and in the heap, and an int. */
  private static final double WHOLE_PIXEL_BYTES = 28;

  /** Bytes of a pixel decoded in tiles: an int, and rows of tiles that are being blended. */
  private static final double TILED_PIXEL_BYTES = 8;

  /** Garbage that the collector has not taken yet. */
  private static final long GARBAGE_BYTES = 64L << 20;

  /** Says how much of a network's weights is held in memory that is not file pages. */
  @FunctionalInterface
  public interface HeldWeights {
    long bytes(Component component);
  }

  /**
   * Plans.
   *
   * @param batch pictures denoised at once
   * @param images pictures in all
   * @param passes runs of the transformer in a step: 2 with true guidance
   */
  GenerationPlan plan(
      LatentGrid grid,
      int textTokens,
      int steps,
      int batch,
      int images,
      int passes,
      VaeTiling tiling) {
    List<GenerationPlan.Stage> stages = new ArrayList<>();
    stages.add(
        new GenerationPlan.Stage(
            Component.TEXT_ENCODER.id(), clipFlops(), held(Component.TEXT_ENCODER) + clipBytes()));
    stages.add(
        new GenerationPlan.Stage(
            Component.TEXT_ENCODER_2.id(),
            t5Flops(textTokens),
            held(Component.TEXT_ENCODER_2) + t5Bytes(textTokens)));
    long latents = (long) (LATENT_COPIES * images * grid.latentElements() * Float.BYTES);
    long transformer = batch * transformerBytes(textTokens, grid);
    double runs = (double) steps * passes * images;
    stages.add(
        new GenerationPlan.Stage(
            Component.TRANSFORMER.id(),
            runs * transformerFlops(textTokens, grid.tokens()),
            held(Component.TRANSFORMER) + GARBAGE_BYTES + latents + transformer));
    boolean tiled =
        VaeMemory.decodesInTiles(checkpoint.vae(), grid.latentHeight(), grid.latentWidth(), tiling);
    long pixels =
        (long)
            ((tiled ? TILED_PIXEL_BYTES : WHOLE_PIXEL_BYTES)
                * ((double) grid.width() * grid.height()));
    stages.add(
        new GenerationPlan.Stage(
            Component.VAE_DECODER.id(),
            images * decoderFlops(grid, tiled),
            held(Component.VAE_DECODER)
                + GARBAGE_BYTES
                + latents
                + (sessionsStay ? transformer : 0)
                + pixels
                + VaeMemory.decoderBytes(checkpoint.vae(), grid, tiling)));
    return new GenerationPlan(
        grid.width(), grid.height(), steps, textTokens, grid.tokens(), tiled, List.copyOf(stages));
  }

  private long held(Component component) {
    return weightBytes.bytes(component);
  }

  private double clipFlops() {
    ClipTextConfig clip = checkpoint.clip();
    double tokens = clip.positions();
    double linear = 4.0 * clip.width() * clip.width() + 2.0 * clip.width() * clip.innerWidth();
    return clip.layers() * (2 * tokens * linear + 4 * tokens * tokens * clip.width());
  }

  private long clipBytes() {
    ClipTextConfig clip = checkpoint.clip();
    return clip.positions() * (4L * clip.width() + 2L * clip.innerWidth()) * elementBytes;
  }

  private double t5Flops(int tokens) {
    T5Config t5 = checkpoint.t5();
    double inner = (double) t5.heads() * t5.headDim();
    double linear = 4.0 * t5.width() * inner + 3.0 * t5.width() * t5.innerWidth();
    return t5.layers() * (2.0 * tokens * linear + 4.0 * tokens * tokens * inner);
  }

  /** With position biases, T5's attention does hold its scores. */
  private long t5Bytes(int tokens) {
    T5Config t5 = checkpoint.t5();
    long perToken = 3L * t5.width() + 3L * t5.innerWidth() + 2L * t5.heads() * tokens;
    return tokens * perToken * elementBytes;
  }

  private double transformerFlops(int textTokens, long imageTokens) {
    TransformerConfig config = checkpoint.transformer();
    double width = config.width();
    double tokens = (double) textTokens + imageTokens;
    double attention = 4 * tokens * tokens * width;
    double linear = 2 * tokens * 12 * width * width;
    return (config.doubleBlocks() + config.singleBlocks()) * (linear + attention)
        + 2.0 * imageTokens * width * (config.inputChannels() + config.outputChannels())
        + 2.0 * textTokens * width * config.textDim();
  }

  private long transformerBytes(int textTokens, LatentGrid grid) {
    long tokens = (long) textTokens + grid.tokens();
    TransformerConfig config = checkpoint.transformer();
    long tables = 4L * 3 * tokens * (config.headDim() / 2) * Float.BYTES;
    return tables + (long) (TRANSFORMER_TENSORS * tokens * config.width() * elementBytes);
  }

  private double decoderFlops(LatentGrid grid, boolean tiled) {
    VaeConfig vae = checkpoint.vae();
    int rows = grid.latentHeight();
    int columns = grid.latentWidth();
    if (!tiled) {
      return decoderFlops(rows, columns);
    }
    TileLayout layout = TileLayout.ofLatents(vae);
    double flops = 0;
    for (int row = 0; row < layout.count(rows); row++) {
      for (int column = 0; column < layout.count(columns); column++) {
        flops += decoderFlops(layout.length(row, rows), layout.length(column, columns));
      }
    }
    return flops;
  }

  /** Convolutions of 3x3, level by level, and one attention over all latents. */
  private double decoderFlops(long rows, long columns) {
    List<Integer> levels = checkpoint.vae().channels();
    double positions = (double) rows * columns;
    double widest = levels.get(levels.size() - 1);
    double flops = 4 * positions * positions * widest;
    flops += 18 * positions * widest * (checkpoint.vae().latentChannels() + 4 * widest);
    double inputs = widest;
    for (int level = levels.size() - 1; level >= 0; level--) {
      double outputs = levels.get(level);
      double first = inputs * outputs + outputs * outputs;
      flops += 18 * positions * (first + 2 * checkpoint.vae().layersPerBlock() * outputs * outputs);
      if (level > 0) {
        positions *= 4;
        flops += 18 * positions * outputs * outputs;
      }
      inputs = outputs;
    }
    return flops + 18 * positions * inputs * 3;
  }
}
