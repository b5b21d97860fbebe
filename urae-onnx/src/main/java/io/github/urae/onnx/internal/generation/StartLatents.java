package io.github.urae.onnx.internal.generation;

import io.github.urae.CancellationToken;
import io.github.urae.flux.Seeds;
import io.github.urae.flux.VaeTiling;
import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.flux.arithmetic.TorchGenerator;
import io.github.urae.image.RgbImage;
import io.github.urae.onnx.internal.image.ImageEncoder;
import io.github.urae.onnx.internal.image.Plane;
import java.util.List;
import java.util.Optional;

/** What the first step of a pass starts from. Owns nothing. */
final class StartLatents {

  private final Pass pass;
  private final int images;
  private final List<TorchGenerator> generators;
  private final Optional<Seeds.Part> part;

  /**
   * Starts the generators.
   *
   * @param images pictures in all
   * @param seeds one for all images or one for each
   */
  StartLatents(Pass pass, int images, Seeds seeds) {
    this.pass = pass;
    this.images = images;
    this.generators = seeds.values().stream().map(TorchGenerator::new).toList();
    this.part = seeds.part();
  }

  /** Draws noise, packed: [images, tokens, packed channels]. */
  float[] noise() {
    return pass.grid().pack(noise(images, part));
  }

  /**
   * Draws noise and mixes it into pictures. Each generator first draws the encoder's sample and
   * then the noise, as in diffusers.
   *
   * @param starts one picture for all images, or a draft of each; of any size
   * @param drafts whether they are drafts
   * @return packed [images, tokens, packed channels]
   */
  float[] noised(
      List<RgbImage> starts,
      boolean drafts,
      ImageEncoder encoder,
      VaeTiling tiling,
      CancellationToken cancellation) {
    // One initial image is sampled once for all images, drafts once each.
    float[] samples = noise(starts.size(), drafts ? part : Optional.empty());
    float[] clean = encoded(starts, samples, encoder, tiling, cancellation);
    return pass.grid().pack(pass.schedule().noised(clean, noise(images, part)));
  }

  /**
   * Draws noise for several pictures: all from one generator, which draws and drops that of the
   * others of which they are a part; or each from its own.
   */
  private float[] noise(int count, Optional<Seeds.Part> ofPart) {
    int elements = pass.grid().latentElements();
    if (generators.size() == 1) {
      int before = ofPart.map(Seeds.Part::first).orElse(0);
      int after = ofPart.map(Seeds.Part::of).orElse(count) - before - count;
      TorchGenerator generator = generators.get(0);
      generator.skip((long) before * elements);
      float[] noise = generator.randn(Math.multiplyExact(count, elements));
      generator.skip((long) after * elements);
      return noise;
    }
    float[] all = new float[Math.multiplyExact(generators.size(), elements)];
    for (int i = 0; i < generators.size(); i++) {
      System.arraycopy(generators.get(i).randn(elements), 0, all, i * elements, elements);
    }
    return all;
  }

  /** Encodes the start pictures, resized: latents of all images, [images, channels, h, w]. */
  private float[] encoded(
      List<RgbImage> starts,
      float[] noise,
      ImageEncoder encoder,
      VaeTiling tiling,
      CancellationToken cancellation) {
    LatentGrid grid = pass.grid();
    int elements = grid.latentElements();
    boolean oneForAll = noise.length == elements;
    float[] all = new float[Math.multiplyExact(images, elements)];
    Plane encoded = null;
    for (int i = 0; i < images; i++) {
      if (i < starts.size()) {
        RgbImage resized = starts.get(i).resized(grid.width(), grid.height());
        encoded = encoder.encode(resized, tiling, cancellation);
      }
      float[] latents = encoder.sample(encoded, noise, oneForAll ? 0 : i * elements);
      System.arraycopy(latents, 0, all, i * elements, elements);
    }
    return all;
  }
}
