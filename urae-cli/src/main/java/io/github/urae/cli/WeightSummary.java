package io.github.urae.cli;

import io.github.urae.ModelException;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.Flux1;
import io.github.urae.flux.model.internal.StoredNetworks;
import io.github.urae.tensor.ElementType;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.quantised.RecognisedEncodings;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** What {@code inspect} says of weights: how many, how they are stored, and what runs them. */
final class WeightSummary {

  /** What to do about a network that a file lacks, in the order of messages. */
  private static final Map<Component, String> WAYS = new LinkedHashMap<>();

  static {
    WAYS.put(Component.TRANSFORMER, "--transformer FILE (flux1-dev)");
    WAYS.put(Component.TEXT_ENCODER, "--text-encoder FILE (clip_l)");
    WAYS.put(Component.TEXT_ENCODER_2, "--text-encoder-2 FILE (t5xxl)");
    WAYS.put(Component.VAE_DECODER, "--vae FILE (ae)");
  }

  private WeightSummary() {}

  /** Describes the tensors of open files, whatever they are encoded in. */
  static Map<String, Object> of(TensorSource weights) throws IOException {
    Map<String, Object> summary = new LinkedHashMap<>();
    summary.put("files", weights.files().size());
    Map<String, TensorInfo> tensors = weights.tensors();
    try {
      tensors = RecognisedEncodings.of(weights);
    } catch (ModelException e) {
      summary.put("not supported", e.getMessage());
    }
    summary.putAll(counts(tensors.values()));
    return summary;
  }

  /** The same of a file that may hold networks, with what they are and need. */
  static Map<String, Object> ofFile(TensorSource weights) throws IOException {
    Map<String, Object> summary = of(weights);
    if (summary.containsKey("not supported")) {
      return summary;
    }
    Map<Component, String> networks =
        StoredNetworks.describe(weights, RecognisedEncodings.of(weights), Flux1.FAMILY);
    if (networks.isEmpty()) {
      return summary;
    }
    Map<String, Object> named = new LinkedHashMap<>();
    networks.forEach((network, text) -> named.put(network.folder(), text));
    summary.put("networks", named);
    List<String> needed = new ArrayList<>();
    WAYS.forEach(
        (network, way) -> {
          if (!networks.containsKey(network)) {
            needed.add(way);
          }
        });
    needed.add("tokenizers: --tokenizers DIR, unless they are found");
    summary.put("needs beside it", needed);
    return summary;
  }

  private static Map<String, Object> counts(Collection<TensorInfo> tensors) {
    long parameters = 0;
    long bytes = 0;
    Map<String, Object> counts = new TreeMap<>();
    Map<String, Object> sizes = new TreeMap<>();
    for (TensorInfo tensor : tensors) {
      long own = tensor.length();
      for (TensorInfo companion : tensor.encoding().companions()) {
        own += companion.length();
      }
      parameters += tensor.shape().elementCount();
      bytes += own;
      String encoding = tensor.encoding().name();
      counts.merge(encoding, 1L, (a, b) -> (Long) a + (Long) b);
      sizes.merge(encoding, own, (a, b) -> (Long) a + (Long) b);
    }
    Map<String, Object> summary = new LinkedHashMap<>();
    summary.put("tensors", tensors.size());
    summary.put("parameters", parameters);
    summary.put("bytes", bytes);
    summary.put("element types", counts);
    summary.put("bytes by type", sizes);
    Map<String, Object> memory = new LinkedHashMap<>();
    memory.put("as stored", bytes);
    memory.put("float16 or bfloat16", ElementType.F16.byteSize(parameters));
    memory.put("float32", ElementType.F32.byteSize(parameters));
    summary.put("bytes of weights that run", memory);
    return summary;
  }
}
