package io.github.urae.training.internal.data;

import io.github.urae.UraeException;
import io.github.urae.internal.Sha256;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;

/**
 * Which caches that are there may stay.
 *
 * @param stamp of the model
 * @param settings what is wanted now
 * @param textTokens tokens of T5
 */
record CacheCheck(CacheStamp stamp, PreparationSettings settings, int textTokens) {

  /**
   * What is to be done about a cache.
   *
   * @param keep whether it stays
   * @param conflict in what it differs from what is wanted; empty where it fits, is missing,
   *     damaged or of what the picture or caption was before
   */
  record Verdict(boolean keep, Optional<String> conflict) {
    static final Verdict KEEP = new Verdict(true, Optional.empty());
    static final Verdict MAKE = new Verdict(false, Optional.empty());

    static Verdict conflict(String difference) {
      return new Verdict(false, Optional.of(difference));
    }
  }

  /** Looks at latents; reads the picture only where it was touched after they were made. */
  Verdict ofLatents(Path cache, Path picture) throws IOException {
    if (!Files.exists(cache)) {
      return Verdict.MAKE;
    }
    CacheFile found;
    try {
      found = CacheFile.ofLatents(cache);
    } catch (UraeException e) {
      return Verdict.MAKE;
    }
    Map<String, String> wanted = stamp.ofLatents(settings.sizing(), "");
    Optional<String> difference =
        CacheStamp.difference(
            found.stamp(), wanted, CacheStamp.VAE, CacheStamp.RESOLUTION, CacheStamp.FIT);
    if (difference.isPresent()) {
      return Verdict.conflict(difference.get());
    }
    if (!found.stamp().containsKey(CacheStamp.RESOLUTION)) {
      long height = found.first().dimension(1) * 8;
      long width = found.first().dimension(2) * 8;
      if (!settings.sizing().mayGive(height, width)) {
        return Verdict.conflict(
            "holds a picture of "
                + width
                + "x"
                + height
                + ", which resolution "
                + settings.sizing().resolutionName()
                + " never gives");
      }
    }
    return isOf(cache, picture, found.stamp().get(CacheStamp.PICTURE))
        ? Verdict.KEEP
        : Verdict.MAKE;
  }

  /** Tells whether latents are still those of a picture. */
  private static boolean isOf(Path cache, Path picture, String noted) throws IOException {
    boolean untouched =
        Files.getLastModifiedTime(picture).compareTo(Files.getLastModifiedTime(cache)) <= 0;
    return noted == null || untouched || noted.equals(Sha256.nameOfContent(picture));
  }

  /** Looks at a caption's embeddings. */
  Verdict ofText(Path cache, String caption) throws IOException {
    if (!Files.exists(cache)) {
      return Verdict.MAKE;
    }
    CacheFile found;
    try {
      found = CacheFile.ofText(cache);
    } catch (UraeException e) {
      return Verdict.MAKE;
    }
    Map<String, String> wanted = stamp.ofText(caption);
    if (CacheStamp.difference(found.stamp(), wanted, CacheStamp.CAPTION).isPresent()) {
      return Verdict.MAKE;
    }
    Optional<String> difference =
        CacheStamp.difference(found.stamp(), wanted, CacheStamp.CLIP, CacheStamp.T5);
    if (difference.isPresent()) {
      return Verdict.conflict(difference.get());
    }
    long tokens = found.first().dimension(0);
    return tokens == textTokens
        ? Verdict.KEEP
        : Verdict.conflict("holds " + tokens + " tokens, not " + textTokens);
  }
}
