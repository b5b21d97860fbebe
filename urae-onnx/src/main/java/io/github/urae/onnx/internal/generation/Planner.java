package io.github.urae.onnx.internal.generation;

import io.github.urae.Stage;
import io.github.urae.flux.GenerationPlan;
import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.flux.model.Component;
import io.github.urae.onnx.internal.image.VaeMemory;
import io.github.urae.onnx.internal.model.Networks;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/**
 * Works out what a generation takes from the sizes of its tensors: what {@link NetworkCosts} says
 * of each run, and the Java heap, which holds noise, latents, velocity and their copies on the way
 * into and out of ONNX Runtime, and the pictures.
 *
 * @param sessionsStay whether sessions stay open: ONNX Runtime keeps what a session has used for
 *     its next run, so that the transformer's memory is still there while a picture is decoded
 * @param weightBytes bytes of weights that a network holds beside file pages
 */
record Planner(NetworkCosts costs, boolean sessionsStay, HeldWeights weightBytes) {

  /**
   * Copies of a picture's latents, float32: noise, packed noise, latents before and after a step,
   * velocity, preview, and those on their way to and from ONNX Runtime. Measured, like what
   * follows, at 1024, 2048 and 4096 pixels a side ({@code ./benchmark plan}, {@code ./benchmark
   * ultra}).
   */
  private static final double LATENT_COPIES = 12;

  /** Bytes of a pixel decoded as a whole: float32 in native memory and in the heap, and an int. */
  private static final long WHOLE_PIXEL_BYTES = 28;

  /** Bytes of a pixel decoded in tiles: an int, and rows of tiles that are being blended. */
  private static final long TILED_PIXEL_BYTES = 8;

  /** Bytes of a pixel of a finished picture. */
  private static final long KEPT_PIXEL_BYTES = 4;

  /** Garbage that the collector has not taken yet. */
  private static final long GARBAGE_BYTES = 64L << 20;

  /** Says how much of a network's weights is held in memory that is not file pages. */
  @FunctionalInterface
  interface HeldWeights {
    long bytes(Component component);
  }

  /** Returns what plans generations with these networks. */
  static Planner of(Networks networks) {
    NetworkCosts costs =
        new NetworkCosts(
            networks.checkpoint(), component -> networks.elementType(component).byteSize(1));
    return new Planner(costs, networks.sessionsStay(), networks::heldWeights);
  }

  /** Works out what a generation takes, phase by phase in the order of its steps. */
  GenerationPlan plan(Workload work) {
    Phases phases = new Phases(work);
    if (work.prompts() > 0) {
      phases.encodeText();
    }
    work.draft()
        .ifPresent(
            draft -> {
              phases.denoise(draft.grid(), draft.evaluations(), true);
              phases.decode(draft.grid(), true);
            });
    if (work.starts() > 0) {
      phases.encodeImages();
    }
    phases.denoise(work.grid(), work.evaluations(), false);
    phases.decode(work.grid(), false);
    return new GenerationPlan(
        work.grid().width(),
        work.grid().height(),
        work.steps(),
        work.textTokens(),
        work.grid().tokens(),
        costs.decodesInTiles(work.grid(), work.tiling()),
        List.copyOf(phases.list));
  }

  private static long pixels(LatentGrid grid) {
    return (long) grid.width() * grid.height();
  }

  /** The phases so far, and what their sessions keep. */
  private final class Phases {

    private final Workload work;
    private final List<GenerationPlan.Phase> list = new ArrayList<>();
    private final Map<Component, Long> kept = new EnumMap<>(Component.class);
    private long mostWeights;

    Phases(Workload work) {
      this.work = work;
    }

    void encodeText() {
      double prompts = work.prompts();
      add(
          Stage.ENCODING_TEXT,
          Component.TEXT_ENCODER,
          false,
          prompts * costs.clipFlops(),
          costs.clipBytes(),
          0);
      add(
          Stage.ENCODING_TEXT,
          Component.TEXT_ENCODER_2,
          false,
          prompts * costs.t5Flops(work.textTokens()),
          costs.t5Bytes(work.textTokens()),
          0);
    }

    void encodeImages() {
      LatentGrid grid = work.grid();
      boolean tiled = costs.encodesInTiles(grid, work.tiling());
      long pixelBytes = tiled ? TILED_PIXEL_BYTES : WHOLE_PIXEL_BYTES;
      long drafts =
          work.draft()
              .map(draft -> work.images() * KEPT_PIXEL_BYTES * pixels(draft.grid()))
              .orElse(0L);
      add(
          Stage.ENCODING_IMAGE,
          Component.VAE_ENCODER,
          false,
          work.starts() * costs.encoderFlops(grid, work.tiling()),
          VaeMemory.encoderBytes(costs.checkpoint().vae(), grid, work.tiling()),
          latents(grid) + pixelBytes * pixels(grid) + drafts);
    }

    void denoise(LatentGrid grid, int evaluations, boolean ofDraft) {
      double runs = (double) evaluations * work.passes() * work.images();
      add(
          Stage.DENOISING,
          Component.TRANSFORMER,
          ofDraft,
          runs * costs.transformerFlops(work.textTokens(), grid.tokens()),
          work.batch() * costs.transformerBytes(work.textTokens(), grid),
          latents(grid));
    }

    void decode(LatentGrid grid, boolean ofDraft) {
      boolean tiled = costs.decodesInTiles(grid, work.tiling());
      long others = (work.images() - 1) * KEPT_PIXEL_BYTES * pixels(grid);
      add(
          Stage.DECODING,
          Component.VAE_DECODER,
          ofDraft,
          work.images() * costs.decoderFlops(grid, work.tiling()),
          VaeMemory.decoderBytes(costs.checkpoint().vae(), grid, work.tiling()),
          latents(grid) + (tiled ? TILED_PIXEL_BYTES : WHOLE_PIXEL_BYTES) * pixels(grid) + others);
    }

    private long latents(LatentGrid grid) {
      return GARBAGE_BYTES
          + (long) (LATENT_COPIES * work.images() * grid.latentElements() * Float.BYTES);
    }

    private void add(
        Stage stage,
        Component component,
        boolean ofDraft,
        double flops,
        long activations,
        long heap) {
      long weights = weightBytes.bytes(component);
      if (sessionsStay) {
        // A network that this generation is the first to load stays, too.
        mostWeights = Math.max(mostWeights, weights);
        weights = mostWeights;
      }
      long peak = weights + activations + heap;
      if (sessionsStay) {
        peak +=
            kept.entrySet().stream()
                .filter(entry -> entry.getKey() != component)
                .mapToLong(Map.Entry::getValue)
                .sum();
        kept.merge(component, activations, Math::max);
      }
      list.add(new GenerationPlan.Phase(stage, component, ofDraft, flops, peak));
    }
  }
}
