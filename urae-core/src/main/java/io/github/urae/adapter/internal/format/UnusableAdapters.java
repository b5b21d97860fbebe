package io.github.urae.adapter.internal.format;

import com.google.re2j.Pattern;
import io.github.urae.internal.PrintableText;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Kinds of files for FLUX.1 that no merge can use, told by their keys, with the way out. */
final class UnusableAdapters {

  /** No program writes longer ones; a file may hold them. */
  private static final int MAX_KEY_LENGTH = 1000;

  private static final String AS_LORA =
      "; look for a LoRA of it, or have the program that trained it merge it into a checkpoint";

  /**
   * What a file is, in words, by parts of its keys. Every adapter is asked for all of them: plain
   * texts, which take no time.
   *
   * @param parts any of them tells; with {@code $} at its end only where the key ends so
   */
  private record Kind(String name, String wayOut, List<String> parts) {

    static Kind of(String name, String... parts) {
      return new Kind(name, AS_LORA, List.of(parts));
    }

    private boolean has(String key) {
      for (String part : parts) {
        boolean end = part.endsWith("$");
        if (end ? key.endsWith(part.substring(0, part.length() - 1)) : key.contains(part)) {
          return true;
        }
      }
      return false;
    }

    private String by(String key) {
      return name + ", by its key " + PrintableText.quoted(key) + wayOut;
    }
  }

  private static final List<Kind> ADAPTERS =
      List.of(
          Kind.of(
              "a GLoRA adapter",
              ".a1.weight$",
              ".a2.weight$",
              ".b1.weight$",
              ".b2.weight$",
              ".bm1.weight$",
              ".bm2.weight$"),
          Kind.of("a BOFT adapter", ".boft_"),
          Kind.of("an OFT adapter", ".oft_", ".lora_oft"),
          Kind.of("an IA3 adapter", ".ia3_", ".on_input$"),
          Kind.of("a VeRA adapter", ".vera_lambda"),
          Kind.of("an AdaLoRA adapter", ".lora_E", ".ranknum"),
          Kind.of("an HRA adapter", ".hra_"),
          Kind.of("a FourierFT adapter", ".fourierft_"),
          Kind.of("a VB-LoRA adapter", ".vblora_"),
          Kind.of("a RandLoRA adapter", ".randlora_"),
          Kind.of("a Bone or MiSS adapter", ".bone_", ".miss_block"),
          Kind.of("a SHiRA adapter", ".shira_"),
          Kind.of("a C3A adapter", ".c3a_kernel"),
          Kind.of("a RoAd adapter", ".road_theta", ".road_alpha"),
          Kind.of("a WaveFT adapter", ".waveft_"),
          Kind.of("a T-LoRA adapter", ".q_layer.weight$", ".p_layer.weight$", ".lambda_layer$"),
          Kind.of("a LoRA of embeddings", ".lora_embedding_A", ".lora_embedding_B"),
          new Kind(
              "a control LoRA (FLUX.1 Canny or Depth), which widens the transformer's input for a"
                  + " structure picture",
              "; it cannot be used without one, and such models are not supported",
              List.of(".reshape_weight$")),
          new Kind(
              "an adapter for Chroma, whose transformer is another than FLUX.1's",
              "; choose one that was trained on FLUX.1",
              List.of("distilled_guidance_layer")),
          new Kind(
              "a LoRA converted for Nunchaku, which packs it in its own way",
              "; take the LoRA that it was converted from",
              List.of(".qkv_proj.", ".qkv_proj_context.", ".mlp_fc1.", ".mlp_context_fc1.")));

  private static final List<Kind> OTHERS =
      List.of(
          new Kind(
              "an IP-Adapter, which draws after a picture",
              "; it is no change of weights, and not supported",
              List.of("ip_adapter", "image_proj.")),
          new Kind(
              "a ControlNet",
              "; it is a network of its own, and not supported",
              List.of("controlnet_", "controlnet.", "control_model.", "input_hint_block")),
          new Kind("a PuLID model", "; not supported", List.of("pulid_", "id_encoder.")));

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
    Collection<String> different = differentKeys(keys);
    return kind(ADAPTERS, different).or(() -> kind(OTHERS, different));
  }

  /** Leaves out what differs from another by its numbers only: all blocks but one. */
  private static Collection<String> differentKeys(Collection<String> keys) {
    Map<String, String> byLetters = new LinkedHashMap<>();
    for (String key : keys) {
      StringBuilder letters = new StringBuilder(key.length());
      for (int i = 0; i < key.length(); i++) {
        if (key.charAt(i) < '0' || key.charAt(i) > '9') {
          letters.append(key.charAt(i));
        }
      }
      byLetters.putIfAbsent(letters.toString(), key);
    }
    return byLetters.values();
  }

  private static Optional<String> kind(List<Kind> kinds, Collection<String> keys) {
    for (Kind kind : kinds) {
      for (String key : keys) {
        if (kind.has(key)) {
          return Optional.of(kind.by(key));
        }
      }
    }
    return Optional.empty();
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
