package io.github.urae.flux.model.internal;

import io.github.urae.ModelException;
import io.github.urae.flux.model.Component;
import io.github.urae.internal.PrintableText;
import io.github.urae.tensor.Shape;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * Networks that people give in place of FLUX.1's, known by the names of their tensors, to be
 * refused by their own name.
 */
final class OtherNetworks {

  private static final String AS_TEXT_ENCODER =
      "; it belongs into the folder of a text encoder, text_encoder/ or text_encoder_2/";

  private static final String FLUX_2 = "the transformer of FLUX.2, another model";

  private static final String HUNYUAN = "the transformer of HunyuanVideo, another model";

  private static final String LANGUAGE_MODEL = "a language model, which FLUX.1 does not use";

  /**
   * One of them.
   *
   * @param mark the beginning of a name, whatever modules come before; or with '*' first, a part
   * @param name what it is, with the way out
   */
  private record Kind(String mark, String name) {}

  /** Whose blocks have the names of FLUX.1's, so that they would be taken for it. */
  private static final List<Kind> RELATIVES =
      List.of(
          new Kind("distilled_guidance_layer.", "the transformer of Chroma, another model"),
          new Kind("double_stream_modulation_img.", FLUX_2),
          new Kind("single_stream_modulation.", FLUX_2),
          new Kind("txt_in.individual_token_refiner.", HUNYUAN),
          new Kind("double_blocks.0.img_attn_qkv.", HUNYUAN),
          new Kind("double_blocks.0.img_attn_proj.", HUNYUAN),
          new Kind("controlnet_blocks.", "a ControlNet, which is not supported"),
          new Kind("controlnet_x_embedder.", "a ControlNet, which is not supported"),
          new Kind("input_hint_block.", "a ControlNet, which is not supported"));

  /** T5 has such a table in its first block alone. */
  private static final String UMT5 =
      "encoder.block.1.layer.0.SelfAttention.relative_attention_bias.weight";

  private static final List<Kind> STRANGERS =
      List.of(
          new Kind("*lora_A.", adapter("a LoRA")),
          new Kind("*lora_B.", adapter("a LoRA")),
          new Kind("*lora_down.", adapter("a LoRA")),
          new Kind("*lora_up.", adapter("a LoRA")),
          new Kind("lora_unet_", adapter("a LoRA")),
          new Kind("*lokr_w", adapter("a LoKr")),
          new Kind("*hada_w", adapter("a LoHa")),
          new Kind("redux_up.", "FLUX.1 Redux, which turns pictures into prompts; not supported"),
          new Kind("ip_adapter", "an IP-Adapter, which is not supported"),
          new Kind("image_proj.", "an IP-Adapter, which is not supported"),
          new Kind("joint_blocks.", "the transformer of Stable Diffusion 3, another model"),
          new Kind("input_blocks.", "the U-Net of Stable Diffusion (1.5, 2 or XL), another model"),
          new Kind("decoder.mid_block.", "an autoencoder; it belongs into the folder vae/"),
          new Kind("decoder.mid.block_1.", "an autoencoder; it belongs into the folder vae/"),
          new Kind("down_blocks.0.resnets.", "the U-Net of Stable Diffusion, another model"),
          new Kind("double_stream_blocks.", "the transformer of HiDream, another model"),
          new Kind("transformer_blocks.0.img_mod.", "the transformer of Qwen-Image, another model"),
          new Kind("noise_refiner.", "the transformer of Lumina or Z-Image, another model"),
          new Kind("transformer.resblocks.", openClip()),
          new Kind("vision_model.", "CLIP's picture encoder, which FLUX.1 does not use"),
          new Kind("text_model.embeddings.", "CLIP's text encoder" + AS_TEXT_ENCODER),
          new Kind("embeddings.token_embedding.", "CLIP's text encoder" + AS_TEXT_ENCODER),
          new Kind("block.0.layer.0.SelfAttention.", "T5" + AS_TEXT_ENCODER),
          new Kind("enc.blk.", "T5 by the names of llama.cpp" + AS_TEXT_ENCODER),
          new Kind("decoder.layers.", "an autoencoder of another kind, as TAESD"),
          new Kind("double_blocks.", transformer()),
          new Kind("single_blocks.", transformer()),
          new Kind("transformer_blocks.", transformer()),
          new Kind("blocks.0.self_attn.", "the transformer of Wan or Cosmos, another model"),
          new Kind("double_layers.", "the transformer of AuraFlow, another model"),
          new Kind("model.layers.", LANGUAGE_MODEL),
          new Kind("blk.0.", LANGUAGE_MODEL));

  /** Entry of a GGUF file's metadata. */
  private static final String ARCHITECTURE = "general.architecture";

  private OtherNetworks() {}

  private static String adapter(String kind) {
    return kind + ", not a whole network; give it as an adapter (--adapter, adapter(...))";
  }

  private static String openClip() {
    return "CLIP by the names of OpenAI or OpenCLIP, which are not read; use the text encoder as"
        + " transformers stores it";
  }

  private static String transformer() {
    return "a transformer; give it as such (--transformer, transformer(...)), or put it into the"
        + " folder transformer/";
  }

  /**
   * Refuses what is another network for sure, and what lacks the network that it should be.
   *
   * @param source where the tensors are from, for messages
   * @param family of which a network is expected
   * @param network which one is expected
   * @param tensors by the names under which the network would be known
   */
  static void refuse(
      TensorSource source, ModelFamily family, Component network, Map<String, TensorInfo> tensors) {
    List<String> marks = StoredNames.marks(network, family);
    String what = source.files().get(0) + ": expected the " + network.id() + " of FLUX.1, found ";
    if (network == Component.TRANSFORMER) {
      find(RELATIVES, tensors)
          .ifPresent(
              found -> refuse(what + found.getValue().name(), found.getKey(), source, tensors));
      refuseOtherInputs(what, family, tensors);
    }
    if (marks.stream().anyMatch(tensors::containsKey)) {
      return;
    }
    find(STRANGERS, tensors)
        .ifPresent(
            found -> {
              boolean part =
                  network == Component.TRANSFORMER && found.getValue().name().equals(transformer());
              String kind = part ? aPart(marks) : found.getValue().name();
              refuse(what + kind, found.getKey(), source, tensors);
            });
    if (source.metadata().containsKey(ARCHITECTURE)) {
      refuse(what + "another network", tensors.keySet().iterator().next(), source, tensors);
    }
  }

  /**
   * Tells whether tensors are those of a relative of a network, which has the same names and more.
   *
   * @param network which one is expected
   * @param tensors by the names under which the network would be known
   * @return whether they are of Chroma, FLUX.2, a ControlNet or UMT5
   */
  static boolean isRelative(Component network, Map<String, TensorInfo> tensors) {
    return switch (network) {
      case TRANSFORMER -> find(RELATIVES, tensors).isPresent();
      case TEXT_ENCODER_2 -> tensors.containsKey(UMT5);
      default -> false;
    };
  }

  private static String aPart(List<String> marks) {
    return "only a part of it, without "
        + marks.stream().map(mark -> "'" + mark + "'").collect(Collectors.joining(" or "))
        + "; take the whole file";
  }

  private static void refuse(
      String what, String name, TensorSource source, Map<String, TensorInfo> tensors) {
    String architecture = source.metadata().get(ARCHITECTURE);
    throw new ModelException(
        what
            + " (by the name of one of its "
            + tensors.size()
            + " tensors, "
            + PrintableText.quoted(name)
            + (architecture == null
                ? ""
                : "; the file calls itself " + PrintableText.quoted(architecture))
            + ")");
  }

  /** Some relatives differ in what they are given beside latents. */
  private static void refuseOtherInputs(
      String what, ModelFamily family, Map<String, TensorInfo> tensors) {
    int expected = family.transformer().inputChannels();
    for (ParameterTable.Entry entry : family.names().entries()) {
      for (ParameterTable.Piece piece : entry.pieces()) {
        if (piece.module().equals(ModelFamily.Transformer.INPUT)) {
          for (String module : List.of(entry.module(), piece.module())) {
            TensorInfo input = tensors.get(module + ".weight");
            boolean foreign =
                input != null && input.shape().rank() == 2 && input.columns() != expected;
            if (foreign && fitsItsBias(input, tensors.get(module + ".bias"))) {
              String relative = family.transformer().relatives().get((int) input.columns());
              throw new ModelException(
                  what
                      + (relative == null ? "another one" : relative + ", which is not supported")
                      + ": "
                      + PrintableText.quoted(input.name())
                      + " "
                      + input.shape()
                      + " takes "
                      + input.columns()
                      + " channels, not "
                      + expected
                      + "; use a transformer of "
                      + family.members());
            }
          }
        }
      }
    }
  }

  /** Tells whether a matrix has as many rows as its bias, or none: it is no damaged tensor. */
  private static boolean fitsItsBias(TensorInfo matrix, TensorInfo bias) {
    return bias == null || bias.shape().equals(Shape.of(matrix.shape().dimension(0)));
  }

  private static Optional<Map.Entry<String, Kind>> find(
      List<Kind> kinds, Map<String, TensorInfo> tensors) {
    for (Kind kind : kinds) {
      for (String name : tensors.keySet()) {
        if (fits(kind.mark(), name)) {
          return Optional.of(Map.entry(name, kind));
        }
      }
    }
    return Optional.empty();
  }

  private static boolean fits(String mark, String name) {
    return mark.startsWith("*")
        ? name.contains(mark.substring(1))
        : name.startsWith(mark) || name.contains("." + mark);
  }
}
