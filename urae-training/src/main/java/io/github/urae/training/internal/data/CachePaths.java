package io.github.urae.training.internal.data;

import java.nio.file.Path;

/**
 * Where caches lie: under the names that URAE's scripts give them.
 *
 * @param root the folder of the pictures, or another of the same structure
 */
record CachePaths(Path root) {

  static final String LATENTS = "_latent_code.safetensors";

  /** Returns the latents' file of a picture. */
  Path latents(String name) {
    return root.resolve(name + LATENTS);
  }

  /** Returns the file of a caption's embeddings. */
  Path text(String name, CaptionKind kind) {
    return root.resolve(name + "_" + kind.column() + "_embed.safetensors");
  }
}
