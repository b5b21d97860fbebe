package io.github.urae.flux.model.internal;

import io.github.urae.flux.arithmetic.LatentLayout;
import io.github.urae.flux.model.Component;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/** FLUX.1, text to image: -dev, -schnell and what was trained from them. */
public final class Flux1 {

  /** 16 channels at an eighth of the size, tokens of 2x2: 64 channels for each 16x16 pixels. */
  public static final LatentLayout LATENTS = new LatentLayout(16, 8, 2);

  private static final VaeConfig AUTOENCODER =
      new VaeConfig(16, List.of(128, 256, 512, 512), 2, 32, 1024, 0.3611, 0.1159);

  /** The family. */
  public static final ModelFamily FAMILY =
      new ModelFamily(
          "FLUX.1",
          "FLUX.1-dev, FLUX.1-schnell and their fine-tunings",
          List.of("FluxPipeline", "FluxImg2ImgPipeline", "FluxInpaintPipeline"),
          Map.of(
              "FluxFillPipeline", "FLUX.1 Fill",
              "FluxKontextPipeline", "FLUX.1 Kontext",
              "FluxControlPipeline", "FLUX.1 Canny or Depth (Control)",
              "FluxPriorReduxPipeline", "FLUX.1 Redux",
              "Flux2Pipeline", "FLUX.2",
              "ChromaPipeline", "Chroma",
              "StableDiffusionXLPipeline", "Stable Diffusion XL",
              "StableDiffusion3Pipeline", "Stable Diffusion 3",
              "StableDiffusionPipeline", "Stable Diffusion"),
          List.of(Component.values()),
          LATENTS,
          new ModelFamily.Transformer(
              "FluxTransformer2DModel",
              LATENTS.packedChannels(),
              Map.of(384, "FLUX.1 Fill", 128, "FLUX.1 Canny, FLUX.1 Depth or FLUX.2"),
              "time_text_embed.guidance_embedder",
              List.of(16, 56, 56)),
          new ModelFamily.Defaults("FLUX.1-dev", 28, 512, SchedulerConfig.ofFlux(3, true)),
          new ModelFamily.Defaults("FLUX.1-schnell", 4, 256, SchedulerConfig.ofFlux(1, false)),
          3.5,
          Flux1Names.BLACK_FOREST_LABS,
          new ModelFamily.Adapters(
              Flux1Names.ADAPTER_PREFIXES,
              List.of(
                  Flux1Names.XLABS, Flux1Names.ONE_TRAINER, Flux1Names.DIFFSYNTH, Flux1Names.FUSED),
              Flux1Names.UNUSED_BY_ADAPTERS,
              // The image's attention in double blocks, all attention in single ones.
              Pattern.compile(
                  "(single_)?transformer_blocks\\.\\d+\\.attn\\.to_(q|k|v|out\\.0)\\.weight")),
          AUTOENCODER,
          Map.of(AUTOENCODER, previews()),
          new TextToImage());

  private Flux1() {}

  /**
   * Factors by InvokeAI, under the Apache License 2.0.
   *
   * @see <a
   *     href="https://github.com/invoke-ai/InvokeAI/blob/main/invokeai/app/util/step_callback.py">
   *     InvokeAI: {@code FLUX_LATENT_RGB_FACTORS}</a>
   */
  private static PreviewFactors previews() {
    return PreviewFactors.of(
        -0.0412, 0.0149, 0.0521, 0.0056, 0.0291, 0.0768, 0.0342, -0.0681, -0.0427, -0.0258, 0.0092,
        0.0463, 0.0863, 0.0784, 0.0547, -0.0017, 0.0402, 0.0158, 0.0501, 0.1058, 0.1152, -0.0209,
        -0.0218, -0.0329, -0.0314, 0.0083, 0.0896, 0.0851, 0.0665, -0.0472, -0.0534, 0.0238,
        -0.0024, 0.0452, -0.0026, 0.0048, 0.0892, 0.0831, 0.0881, -0.1117, -0.0304, -0.0789, 0.0027,
        -0.0479, -0.0043, -0.1146, -0.0827, -0.0598);
  }
}
