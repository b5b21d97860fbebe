package io.github.urae.adapter.internal.format;

import com.google.re2j.Pattern;
import io.github.urae.internal.PrintableText;
import java.util.Collection;
import java.util.List;
import java.util.Optional;

/** Kinds of files for FLUX.1 that no merge can use, told by their keys, with the way out. */
final class UnusableAdapters {

  /** No program writes longer ones; a file may hold them. */
  private static final int MAX_KEY_LENGTH = 1000;

  private static final String AS_LORA =
      "; look for a LoRA of it, or have the program that trained it merge it into a checkpoint";

  /** What a file is, in words, by what is found in one of its keys. */
  private record Kind(Pattern key, String name, String wayOut) {

    static Kind of(String key, String name, String wayOut) {
      return new Kind(Pattern.compile(key), name, wayOut);
    }

    private String of(String found) {
      return name + ", by its key " + PrintableText.quoted(found) + wayOut;
    }

    /** A kind of PEFT or LyCORIS, by how the last parts of its keys begin. */
    static Kind part(String part, String name) {
      return of("\\.(" + part + ")", name, AS_LORA);
    }
  }

  private static final List<Kind> ADAPTERS =
      List.of(
          Kind.of("\\.(a1|a2|b1|b2|bm1|bm2)(\\.weight)?$", "a GLoRA adapter", AS_LORA),
          Kind.part("boft_", "a BOFT adapter"),
          Kind.part("oft_|lora_oft", "an OFT adapter"),
          Kind.part("ia3_|on_input$", "an IA3 adapter"),
          Kind.part("vera_lambda", "a VeRA adapter"),
          Kind.part("lora_E(\\.|$)|ranknum", "an AdaLoRA adapter"),
          Kind.part("hra_", "an HRA adapter"),
          Kind.part("fourierft_", "a FourierFT adapter"),
          Kind.part("vblora_", "a VB-LoRA adapter"),
          Kind.part("randlora_", "a RandLoRA adapter"),
          Kind.part("bone_|miss_block", "a Bone or MiSS adapter"),
          Kind.part("shira_", "a SHiRA adapter"),
          Kind.part("c3a_kernel", "a C3A adapter"),
          Kind.part("road_(theta|alpha)", "a RoAd adapter"),
          Kind.part("waveft_", "a WaveFT adapter"),
          Kind.part("(q|p|lambda)_layer(\\.weight)?$", "a T-LoRA adapter"),
          Kind.part("lora_embedding_[AB]", "a LoRA of embeddings"),
          Kind.of(
              "reshape_weight$",
              "a control LoRA (FLUX.1 Canny or Depth), which widens the transformer's input for a"
                  + " structure picture",
              "; it cannot be used without one, and such models are not supported"),
          Kind.of(
              "distilled_guidance_layer",
              "an adapter for Chroma, whose transformer is another than FLUX.1's",
              "; choose one that was trained on FLUX.1"),
          Kind.of(
              "transformer_blocks\\.\\d+\\.(qkv_proj|qkv_proj_context|mlp_fc1|mlp_context_fc1)\\.",
              "a LoRA converted for Nunchaku, which packs it in its own way",
              "; take the LoRA that it was converted from"));

  private static final List<Kind> OTHERS =
      List.of(
          Kind.of(
              "ip_adapter|^image_proj|\\.image_proj_model|^ip_layers",
              "an IP-Adapter, which draws after a picture",
              "; it is no change of weights, and not supported"),
          Kind.of(
              "(^|[._])(controlnet|control_model|input_hint_block|controlnet_blocks)([._]|$)",
              "a ControlNet",
              "; it is a network of its own, and not supported"),
          Kind.of("(^|\\.)pulid_|^id_encoder", "a PuLID model", "; not supported"));

  /** The only keys of files with embeddings of new words. */
  private static final Pattern WORDS =
      Pattern.compile("clip_l(_out)?|clip_g(_out)?|t5(xxl)?(_out)?|emb_params|\\*|<[^>]*>");

  private static final Pattern TRANSFORMER =
      Pattern.compile(
          "(^|\\.)(double_blocks\\.0\\.img_attn\\.qkv|transformer_blocks\\.0\\.attn\\.to_q)\\.weight$");

  private static final Pattern OTHER_NETWORK =
      Pattern.compile(
          "(^|\\.)(encoder|decoder)\\.(conv_in|block\\.0\\.layer\\.0\\.SelfAttention\\.q)\\.weight$"
              + "|encoder\\.layers\\.0\\.self_attn\\.q_proj\\.weight$"
              + "|(input_blocks|down_blocks)\\.0\\.");

  private UnusableAdapters() {}

  /**
   * Says what a file is that holds keys of such a kind.
   *
   * @param keys all its keys
   * @return to follow {@code "this is "}; empty if no key tells
   */
  static Optional<String> kind(Collection<String> keys) {
    return kind(ADAPTERS, keys).or(() -> kind(OTHERS, keys));
  }

  private static Optional<String> kind(List<Kind> kinds, Collection<String> keys) {
    return kinds.stream()
        .flatMap(kind -> first(keys, kind.key()).map(kind::of).stream())
        .findFirst();
  }

  /**
   * Tells whether a key is one of an adapter of such a kind.
   *
   * @param key a key of a file
   * @return whether it alone tells
   */
  static boolean isOfSomeKind(String key) {
    return kind(ADAPTERS, List.of(key)).isPresent();
  }

  /**
   * Says what a file is without any key of an adapter.
   *
   * @param keys all its keys
   * @return to follow {@code "this is "}; empty if they do not tell
   */
  static Optional<String> otherWeights(Collection<String> keys) {
    if (!keys.isEmpty()
        && keys.stream().allMatch(key -> fits(key) && WORDS.matcher(key).matches())) {
      return Optional.of(
          "a textual inversion: embeddings of new words, which are not supported; there may be a"
              + " LoRA of the same subject");
    }
    if (first(keys, TRANSFORMER).isPresent()) {
      return Optional.of(
          "a whole transformer, not an adapter; use it in the place of the model's own, with"
              + " transformer(...), on the command line --transformer");
    }
    return first(keys, OTHER_NETWORK)
        .map(
            key ->
                "whole weights of a network, as a checkpoint has them; an adapter holds changes of"
                    + " weights");
  }

  private static Optional<String> first(Collection<String> keys, Pattern pattern) {
    return keys.stream().filter(key -> fits(key) && pattern.matcher(key).find()).findFirst();
  }

  private static boolean fits(String key) {
    return key.length() <= MAX_KEY_LENGTH;
  }
}
