package io.github.urae.onnx.internal.model;

import io.github.urae.flux.model.Component;
import io.github.urae.onnx.internal.graph.NetworkGraph;
import io.github.urae.weights.TensorSource;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tensors of a network's files that its graph does not read: the sign of weights that belong to
 * another model or configuration, which would draw wrong pictures without a word.
 */
final class UnreadTensors {

  private static final Logger LOG = LoggerFactory.getLogger(UnreadTensors.class);

  /** How many are named. */
  private static final int NAMED = 3;

  /** What text encoders are stored with and no picture needs, and a second name of a first one. */
  private static final Pattern NOT_NEEDED =
      Pattern.compile(
          "(text_model\\.)?(embeddings\\.)?position_ids|text_projection(\\.weight)?|logit_scale"
              + "|(encoder|decoder)\\.embed_tokens\\.weight|lm_head\\.weight"
              + "|spiece_model|vision_model\\..*|visual_projection\\..*|decoder\\..*");

  private UnreadTensors() {}

  /** Logs a warning where there are some. */
  static void report(Component component, NetworkGraph graph, TensorSource source) {
    List<String> unread = of(component, graph, source);
    if (!unread.isEmpty()) {
      LOG.warn(
          "{}: {} of {} tensors are read by nothing in the {}, such as {}; the file may be of"
              + " another model or configuration",
          source.files().get(0),
          unread.size(),
          source.tensors().size(),
          component.id(),
          unread.subList(0, Math.min(NAMED, unread.size())));
    }
  }

  /** Returns their names, in the order of the files. */
  static List<String> of(Component component, NetworkGraph graph, TensorSource source) {
    Set<String> parameters = graph.parameters().keySet();
    return source.tensors().keySet().stream()
        .filter(name -> !parameters.contains(name) && belongs(component, name))
        .toList();
  }

  /** The autoencoder's halves lie in one file. */
  private static boolean belongs(Component component, String name) {
    return switch (component) {
      case VAE_ENCODER -> !name.startsWith("decoder.");
      case VAE_DECODER -> !name.startsWith("encoder.");
      case TEXT_ENCODER, TEXT_ENCODER_2 -> !NOT_NEEDED.matcher(name).matches();
      default -> true;
    };
  }
}
