package io.github.urae.training.internal.data;

import io.github.urae.tensor.Tensor;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** A picture with its caches, whose headers were checked. */
public final class CachedExample {

  private final String name;
  private final CacheFile latents;
  private final Optional<CacheFile> prompt;
  private final Optional<CacheFile> generated;

  /** Takes the caches; there is at least one of text. */
  CachedExample(
      String name, CacheFile latents, Optional<CacheFile> prompt, Optional<CacheFile> generated) {
    this.name = name;
    this.latents = latents;
    this.prompt = prompt;
    this.generated = generated;
  }

  /** Returns the picture's path within the folder, without its ending. */
  public String name() {
    return name;
  }

  /** Returns the channels of latents; 16 for FLUX.1. */
  public int channels() {
    return (int) latents.first().dimension(0);
  }

  /** Returns the height of latents. */
  public int latentHeight() {
    return (int) latents.first().dimension(1);
  }

  /** Returns the width of latents. */
  public int latentWidth() {
    return (int) latents.first().dimension(2);
  }

  /** Returns the number of text tokens, of the longer where there are two captions. */
  public int textTokens() {
    return (int) Math.max(tokens(prompt), tokens(generated));
  }

  private static long tokens(Optional<CacheFile> text) {
    return text.map(cache -> cache.first().dimension(0)).orElse(0L);
  }

  /** Returns the width of T5's embeddings; 4096 for FLUX.1. */
  public int textWidth() {
    return (int) anyText().first().dimension(1);
  }

  /** Returns the width of CLIP's embedding; 768 for FLUX.1. */
  public int pooledWidth() {
    return (int) anyText().second().dimension(0);
  }

  /** Tells whether there is a caption of a kind. */
  public boolean has(CaptionKind kind) {
    return text(kind).isPresent();
  }

  private Optional<CacheFile> text(CaptionKind kind) {
    return kind == CaptionKind.PROMPT ? prompt : generated;
  }

  private CacheFile anyText() {
    return prompt.or(() -> generated).orElseThrow();
  }

  CacheFile latents() {
    return latents;
  }

  List<CacheFile> texts() {
    return Stream.of(prompt, generated).flatMap(Optional::stream).toList();
  }

  /**
   * Chooses a caption as URAE does.
   *
   * @param uniform drawn from [0, 1)
   * @param realPromptRatio probability of the original one where both are there
   */
  CaptionKind choose(double uniform, double realPromptRatio) {
    boolean original = prompt.isPresent() && (generated.isEmpty() || uniform < realPromptRatio);
    return original ? CaptionKind.PROMPT : CaptionKind.GENERATED_PROMPT;
  }

  /** Lets a digest take in what the caches hold. */
  void digestInto(MessageDigest digest) throws IOException {
    latents.digestInto(digest, CacheFile.LATENTS);
    for (CaptionKind kind : CaptionKind.values()) {
      if (has(kind)) {
        digest.update((kind + "\0").getBytes(StandardCharsets.UTF_8));
        text(kind).orElseThrow().digestInto(digest, CacheFile.TEXT);
      }
    }
  }

  /**
   * Reads the caches into memory.
   *
   * @param kind one that there is
   * @throws IOException if a file cannot be read
   * @throws io.github.urae.FileFormatException if one is damaged, or holds numbers that are not
   *     finite
   */
  public LoadedExample load(CaptionKind kind) throws IOException {
    List<Tensor> posterior = latents.load(CacheFile.LATENTS);
    List<Tensor> embeddings = text(kind).orElseThrow().load(CacheFile.TEXT);
    return new LoadedExample(
        this, kind, posterior.get(0), posterior.get(1), embeddings.get(0), embeddings.get(1));
  }
}
