package io.github.urae.flux.model.internal;

import io.github.urae.ModelException;
import io.github.urae.flux.model.Component;
import io.github.urae.weights.Safetensors;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.quantised.RecognisedEncodings;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The networks of a family that a file holds, one or several, told by the names and shapes of its
 * tensors and not by the file's name.
 *
 * @param path the file
 * @param widths of each network that is there, the width by which others meet it: of a text
 *     encoder's embeddings, of the transformer's tokens, or of latents
 */
public record StoredNetworks(Path path, Map<Component, Long> widths) {

  /** The networks that are kept in files; the autoencoder's halves share one. */
  public static final List<Component> KINDS =
      List.of(
          Component.TRANSFORMER,
          Component.TEXT_ENCODER,
          Component.TEXT_ENCODER_2,
          Component.VAE_DECODER);

  /** Before the names of any model's main network where a file holds others beside it. */
  private static final List<String> MAIN_NETWORK =
      List.of("model.diffusion_model.", "model.joint_blocks.", "model.input_blocks.");

  /** Copies the map. */
  public StoredNetworks {
    widths = Collections.unmodifiableMap(new EnumMap<>(widths));
  }

  /**
   * Looks into a file.
   *
   * @param path a file or an index of shards
   * @param family whose networks are looked for
   * @return what it holds of the family; nothing if it is of another model
   * @throws IOException if it is missing or cannot be read
   * @throws io.github.urae.UraeException if it is damaged, or in an encoding that is not supported
   */
  public static StoredNetworks in(Path path, ModelFamily family) throws IOException {
    try (TensorSource source = Safetensors.open(path)) {
      return new StoredNetworks(path, widths(RecognisedEncodings.of(source), family));
    }
  }

  /**
   * Looks through a folder of files, as programs keep them, whether or not they are one model.
   *
   * @param folder the folder, or that of the program; folders in it are looked through too
   * @param family whose networks are looked for
   * @return the files that hold some; those of other models, and what cannot be read, are left out
   * @throws IOException if a folder cannot be read
   * @throws ModelException if there are too many files
   */
  public static List<StoredNetworks> inFolder(Path folder, ModelFamily family) throws IOException {
    return ModelFiles.in(folder, family);
  }

  /**
   * Describes the networks among the tensors of a file.
   *
   * @param source the open file
   * @param tensors its tensors, in their encodings
   * @param family whose networks are looked for
   * @return for people, by network; empty if there is none of the family
   */
  public static Map<Component, String> describe(
      TensorSource source, Map<String, TensorInfo> tensors, ModelFamily family) {
    Map<Component, String> descriptions = new EnumMap<>(Component.class);
    for (Component kind : widths(tensors, family).keySet()) {
      try {
        descriptions.put(
            kind,
            describe(
                kind,
                family,
                new ShapeConfigurations(
                    family,
                    source.files().get(0),
                    NetworkWeights.of(source, family, kind, tensors))));
      } catch (ModelException e) {
        descriptions.put(kind, e.getMessage());
      }
    }
    return descriptions;
  }

  private static String describe(Component kind, ModelFamily family, ShapeConfigurations shapes) {
    return switch (kind) {
      case TRANSFORMER -> {
        TransformerConfig config = shapes.transformer(Optional.empty());
        yield (config.guidance() ? "with guidance, as " : "without guidance, as ")
            + family.defaults(config.guidance()).example()
            + ": "
            + config.doubleBlocks()
            + " double and "
            + config.singleBlocks()
            + " single blocks, "
            + config.heads()
            + " heads of "
            + config.headDim();
      }
      case TEXT_ENCODER -> {
        ClipTextConfig config = shapes.clip(Optional.empty());
        yield "CLIP: " + config.layers() + " layers, " + config.width() + " wide";
      }
      case TEXT_ENCODER_2 -> {
        T5Config config = shapes.t5(Optional.empty());
        yield "T5: " + config.layers() + " layers, " + config.width() + " wide";
      }
      default -> "autoencoder: latents of " + family.latents().channels() + " channels";
    };
  }

  private static Map<Component, Long> widths(Map<String, TensorInfo> tensors, ModelFamily family) {
    Map<Component, Long> widths = new EnumMap<>(Component.class);
    for (Component kind : KINDS) {
      long width = width(kind, tensors, family);
      if (width > 0) {
        widths.put(kind, width);
      }
    }
    boolean ofAnother =
        !widths.containsKey(Component.TRANSFORMER)
            && tensors.keySet().stream().anyMatch(StoredNetworks::isInMainNetwork);
    return ofAnother ? Map.of() : widths;
  }

  private static boolean isInMainNetwork(String name) {
    return MAIN_NETWORK.stream().anyMatch(name::startsWith);
  }

  /** Returns 0 where the network is not there or not the family's. */
  private static long width(Component kind, Map<String, TensorInfo> tensors, ModelFamily family) {
    Map<String, TensorInfo> named;
    try {
      named = StoredNames.of(kind, family, tensors);
    } catch (ModelException e) {
      return 0; // Several of this kind, as in checkpoints of other models.
    }
    List<String> marks = StoredNames.marks(kind, family);
    if (marks.stream().noneMatch(named::containsKey) || OtherNetworks.isRelative(kind, named)) {
      return 0;
    }
    return switch (kind) {
      case TRANSFORMER -> {
        String other = family.names().nameOf("x_embedder") + ".weight";
        String input = named.containsKey(other) ? other : "x_embedder.weight";
        boolean own = dimension(named, input, 1) == family.transformer().inputChannels();
        yield own ? dimension(named, input, 0) : 0;
      }
      case TEXT_ENCODER -> dimension(named, "text_model.embeddings.token_embedding.weight", 1);
      case TEXT_ENCODER_2 -> dimension(named, "shared.weight", 1);
      default -> {
        long latents = dimension(named, "decoder.conv_in.weight", 1);
        yield latents == family.latents().channels() ? latents : 0;
      }
    };
  }

  private static long dimension(Map<String, TensorInfo> tensors, String name, int axis) {
    TensorInfo info = tensors.get(name);
    return info != null && info.shape().rank() > axis ? info.shape().dimension(axis) : 0;
  }
}
