package io.github.urae.server.internal.http;

import java.util.Map;

/** What fields of the library's requests are called here. */
final class RequestNames {

  private static final Map<String, String> NAMES =
      Map.ofEntries(
          Map.entry("prompts", "prompt"),
          Map.entry("width", "size"),
          Map.entry("height", "size"),
          Map.entry("seeds", "seed"),
          Map.entry("images_per_prompt", "n"),
          Map.entry("start", "coarse_to_fine"),
          Map.entry("start.strength", "strength"),
          Map.entry("start.image", "image"),
          Map.entry("start.draft_steps", "coarse_to_fine"),
          Map.entry("true_guidance.negative_prompts", "negative_prompt"),
          Map.entry("true_guidance.scale", "true_cfg"));

  private RequestNames() {}

  /** Returns the name here; null for null. */
  static String of(String parameter) {
    return parameter == null ? null : NAMES.getOrDefault(parameter, parameter);
  }
}
