package io.github.urae.training.internal.data;

import io.github.urae.flux.model.Component;
import io.github.urae.pipeline.FluxPipeline;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * What is noted in the metadata of a cache of how it was made, so that another is told from it: the
 * networks by their fingerprints, the way of resizing, and what it was made of.
 *
 * @param vae fingerprint of the autoencoder's encoder
 * @param clip fingerprint of CLIP's text encoder
 * @param t5 fingerprint of T5's encoder
 */
record CacheStamp(String vae, String clip, String t5) {

  static final String VAE = "urae_vae";
  static final String CLIP = "urae_text_encoder";
  static final String T5 = "urae_text_encoder_2";
  static final String RESOLUTION = "urae_resolution";
  static final String FIT = "urae_fit";
  static final String PICTURE = "urae_picture";
  static final String CAPTION = "urae_caption";

  /** Digests the networks of a model. */
  static CacheStamp of(FluxPipeline pipeline) {
    return new CacheStamp(
        pipeline.fingerprint(Component.VAE_ENCODER),
        pipeline.fingerprint(Component.TEXT_ENCODER),
        pipeline.fingerprint(Component.TEXT_ENCODER_2));
  }

  /**
   * Returns the stamp of latents.
   *
   * @param picture digest of the picture's file
   */
  Map<String, String> ofLatents(PictureSizing sizing, String picture) {
    Map<String, String> stamp = new TreeMap<>();
    stamp.put(VAE, vae);
    stamp.put(RESOLUTION, sizing.resolutionName());
    stamp.put(FIT, sizing.fitName());
    stamp.put(PICTURE, picture);
    return stamp;
  }

  /** Returns the stamp of a caption's embeddings. */
  Map<String, String> ofText(String caption) {
    Map<String, String> stamp = new TreeMap<>();
    stamp.put(CLIP, clip);
    stamp.put(T5, t5);
    stamp.put(CAPTION, Captions.digest(caption));
    return stamp;
  }

  /**
   * Says in what a stamp differs.
   *
   * @param found of a cache that is there
   * @param wanted what it would have now
   * @param keys what is compared; where one of them is not noted, it passes
   * @return for messages; empty if it fits
   */
  static Optional<String> difference(
      Map<String, String> found, Map<String, String> wanted, String... keys) {
    for (String key : keys) {
      String noted = found.get(key);
      if (noted != null && !noted.equals(wanted.get(key))) {
        return Optional.of(
            switch (key) {
              case VAE -> "was made with another autoencoder";
              case CLIP, T5 -> "was made with another text encoder";
              case RESOLUTION -> "was made at resolution " + noted + ", not " + wanted.get(key);
              case FIT -> "was made with '" + noted + "', not '" + wanted.get(key) + "'";
              default -> "was made of something else";
            });
      }
    }
    return Optional.empty();
  }
}
