package io.github.urae.flux.model.internal;

import io.github.urae.FileFormatException;
import io.github.urae.ModelException;
import io.github.urae.flux.model.Component;
import io.github.urae.internal.PrintableText;
import io.github.urae.weights.TensorInfo;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Finds a network among the tensors of its files, whatever programs have put before and between the
 * names of its parameters, and returns it by the names of diffusers and transformers. Names that
 * are other words altogether are left to {@link NetworkWeights} and {@link AutoencoderNames}.
 */
final class StoredNames {

  /** Names of modules that PyTorch puts around others, to compile, distribute or recompute them. */
  private static final List<String> WRAPPERS =
      List.of("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.");

  /** And one that it puts around the whole. */
  private static final String PARALLEL = "module.";

  /** What comes first where a file holds a network several times, averaged for instance. */
  private static final List<String> PREFERRED =
      List.of(
          "",
          "model.diffusion_model.",
          "diffusion_model.",
          "transformer.",
          "unet.",
          "model.",
          "first_stage_model.",
          "vae.");

  /** Before the names of other networks in a file that holds a whole checkpoint. */
  private static final List<String> OTHERS =
      List.of(
          "vae.",
          "first_stage_model.",
          "text_encoder.",
          "text_encoder_2.",
          "text_encoders.",
          "cond_stage_model.",
          "conditioner.",
          "model_ema.");

  private static final String CLIP = "text_model.";
  private static final String CLIP_MARK = "embeddings.token_embedding.weight";

  private static final String T5 = "encoder.";
  private static final String T5_DECODER = "decoder.";
  private static final String T5_MARK = "block.0.layer.0.SelfAttention.q.weight";
  private static final String T5_EMBEDDING = "shared.weight";

  /** Under which name a tied table of embeddings is stored where it is not {@code shared}. */
  private static final List<String> T5_TIED =
      List.of("encoder.embed_tokens.weight", "embed_tokens.weight", "decoder.embed_tokens.weight");

  private StoredNames() {}

  /**
   * Returns a network's tensors.
   *
   * @param network which one
   * @param family what it belongs to
   * @param stored all tensors of its files
   * @return by the names that they have in a checkpoint in diffusers' layout, or in Black Forest
   *     Labs' files; the same map where nothing is to be done
   * @throws FileFormatException if two tensors come to have one name
   * @throws ModelException if it is not clear which of several networks is meant
   */
  static Map<String, TensorInfo> of(
      Component network, ModelFamily family, Map<String, TensorInfo> stored) {
    Map<String, TensorInfo> tensors = unwrapped(stored);
    return switch (network) {
      case TRANSFORMER -> transformer(family, tensors);
      case TEXT_ENCODER -> clip(tensors);
      case TEXT_ENCODER_2 -> t5(tensors);
      case VAE_ENCODER, VAE_DECODER ->
          AutoencoderNames.of(below(prefix(tensors, AutoencoderNames.MARKS).orElse(""), tensors));
      case TOKENIZER, TOKENIZER_2 -> throw new IllegalArgumentException(network + " is no network");
    };
  }

  /**
   * Returns names of which a network is sure to have one.
   *
   * @param network which one
   * @param family what it belongs to
   * @return by those that {@link #of} returns
   */
  static List<String> marks(Component network, ModelFamily family) {
    return switch (network) {
      case TRANSFORMER -> List.of(family.names().diffusersMark(), family.names().mark());
      case TEXT_ENCODER -> List.of(CLIP + CLIP_MARK);
      case TEXT_ENCODER_2 -> List.of(T5 + T5_MARK);
      case VAE_ENCODER, VAE_DECODER -> AutoencoderNames.MARKS;
      case TOKENIZER, TOKENIZER_2 -> List.of();
    };
  }

  private static Map<String, TensorInfo> unwrapped(Map<String, TensorInfo> stored) {
    if (stored.keySet().stream().allMatch(name -> name.equals(unwrapped(name)))) {
      return stored;
    }
    Map<String, TensorInfo> tensors = new LinkedHashMap<>();
    stored.values().forEach(info -> put(tensors, unwrapped(info.name()), info));
    return tensors;
  }

  private static String unwrapped(String name) {
    String bare = name;
    for (String wrapper : WRAPPERS) {
      if (bare.contains(wrapper)) {
        bare = bare.replace(wrapper, "");
      }
    }
    return bare.startsWith(PARALLEL) ? bare.substring(PARALLEL.length()) : bare;
  }

  private static Map<String, TensorInfo> transformer(
      ModelFamily family, Map<String, TensorInfo> tensors) {
    Optional<String> prefix = prefix(tensors, marks(Component.TRANSFORMER, family));
    if (prefix.isPresent() && prefix.get().isEmpty()) {
      Map<String, TensorInfo> own = new LinkedHashMap<>(tensors);
      own.keySet().removeIf(name -> OTHERS.stream().anyMatch(name::startsWith));
      return own;
    }
    return prefix.map(before -> below(before, tensors)).orElse(tensors);
  }

  private static Map<String, TensorInfo> clip(Map<String, TensorInfo> tensors) {
    Optional<String> prefix = prefix(tensors, List.of(CLIP + CLIP_MARK));
    if (prefix.isPresent()) {
      return below(prefix.get(), tensors);
    }
    // Since version 5, transformers writes no 'text_model.'.
    return prefix(tensors, List.of(CLIP_MARK))
        .map(before -> moved(before, CLIP, tensors))
        .orElse(tensors);
  }

  private static Map<String, TensorInfo> t5(Map<String, TensorInfo> stored) {
    Map<String, TensorInfo> tensors =
        prefix(stored, List.of(LlamaNames.MARK))
            .map(before -> LlamaNames.of(below(before, stored)))
            .orElse(stored);
    Optional<String> prefix = prefix(tensors, List.of(T5 + T5_MARK));
    Map<String, TensorInfo> encoder;
    if (prefix.isPresent()) {
      encoder = below(prefix.get(), tensors);
    } else {
      Optional<String> bare = prefix(tensors, List.of(T5_MARK));
      if (bare.isEmpty() || bare.get().endsWith(T5_DECODER)) {
        return tensors;
      }
      encoder = moved(bare.get(), T5, tensors);
    }
    if (encoder.containsKey(T5_EMBEDDING)) {
      return encoder;
    }
    for (String tied : T5_TIED) {
      TensorInfo embedding = encoder.get(tied);
      if (embedding != null) {
        Map<String, TensorInfo> completed = new LinkedHashMap<>(encoder);
        completed.remove(tied);
        put(completed, T5_EMBEDDING, embedding);
        return completed;
      }
    }
    return encoder;
  }

  /** Returns what comes before a name that is sure to be there; empty if it is not. */
  private static Optional<String> prefix(Map<String, TensorInfo> tensors, List<String> marks) {
    Set<String> prefixes = new LinkedHashSet<>();
    for (String mark : marks) {
      addPrefixes(tensors.keySet(), mark, prefixes);
    }
    if (prefixes.size() <= 1) {
      return prefixes.stream().findFirst();
    }
    Optional<String> preferred = PREFERRED.stream().filter(prefixes::contains).findFirst();
    if (preferred.isEmpty()) {
      throw new ModelException(
          tensors.values().iterator().next().file()
              + ": expected one network, found several, whose names begin with "
              + PrintableText.shortened(prefixes.toString()));
    }
    return preferred;
  }

  private static void addPrefixes(Collection<String> names, String mark, Set<String> prefixes) {
    for (String name : names) {
      if (name.equals(mark) || name.endsWith("." + mark)) {
        prefixes.add(name.substring(0, name.length() - mark.length()));
      }
    }
  }

  private static Map<String, TensorInfo> below(String prefix, Map<String, TensorInfo> tensors) {
    return prefix.isEmpty() ? tensors : moved(prefix, "", tensors);
  }

  /** Exchanges what stands before names; others are left out, or stay where nothing does. */
  private static Map<String, TensorInfo> moved(
      String from, String to, Map<String, TensorInfo> tensors) {
    Map<String, TensorInfo> moved = new LinkedHashMap<>();
    tensors.forEach(
        (name, info) -> {
          if (name.startsWith(from)) {
            put(moved, to + name.substring(from.length()), info);
          }
        });
    return moved;
  }

  private static void put(Map<String, TensorInfo> tensors, String name, TensorInfo info) {
    TensorInfo named = named(info, name);
    TensorInfo before = tensors.put(name, named);
    if (before != null) {
      throw new FileFormatException(
          info.file() + ": two tensors stand for " + PrintableText.quoted(name));
    }
  }

  /** Returns the same tensor by another name. */
  static TensorInfo named(TensorInfo info, String name) {
    return info.name().equals(name)
        ? info
        : new TensorInfo(
            name, info.encoding(), info.shape(), info.file(), info.offset(), info.length());
  }
}
