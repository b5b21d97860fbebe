package io.github.urae.cli;

import io.github.urae.AdapterException;
import io.github.urae.adapter.Adapter;
import io.github.urae.adapter.AdapterFormat;
import io.github.urae.adapter.AdapterSpec;
import io.github.urae.adapter.UnmatchedKey;
import io.github.urae.adapter.internal.match.AdapterChain;
import io.github.urae.adapter.internal.match.AdapterOptions;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.Checkpoint;
import io.github.urae.internal.HuggingFaceCache;
import io.github.urae.internal.OwnedResources;
import io.github.urae.onnx.internal.model.AdaptableWeights;
import io.github.urae.weights.Safetensors;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** What {@code inspect} finds out about adapters. */
final class AdapterInspection {

  /** Whole networks of Nunchaku's have low-rank parts beside such weights. */
  private static final String PACKED = ".qweight";

  private AdapterInspection() {}

  /** Tells whether a path is a folder in which PEFT or diffusers keep an adapter. */
  static boolean isAdapterFolder(Path path) {
    return HuggingFaceCache.ADAPTER_NAMES.stream().anyMatch(n -> Files.exists(path.resolve(n)));
  }

  /**
   * Describes an adapter.
   *
   * @return empty if the file holds other weights
   */
  static Optional<Map<String, Object>> ofAdapter(Path path) throws IOException {
    if (path.getFileName().toString().endsWith(".json")) {
      return Optional.empty(); // An index of shards: no adapter is that large.
    }
    if (!isAdapterFolder(path)) {
      try (TensorSource file = Safetensors.open(path)) {
        boolean packed = file.tensors().keySet().stream().anyMatch(n -> n.endsWith(PACKED));
        if (packed || !Adapter.isAdapter(file)) {
          return Optional.empty();
        }
      }
    }
    try (Adapter adapter = Adapter.open(path)) {
      return Optional.of(describe(adapter));
    }
  }

  private static Map<String, Object> describe(Adapter adapter) {
    Map<String, Object> kinds = new TreeMap<>();
    Map<String, Object> ranks = new TreeMap<>();
    Map<String, Object> alphas = new TreeMap<>();
    Map<String, Object> types = new TreeMap<>();
    long parameters = 0;
    for (Adapter.Module module : adapter.modules()) {
      count(kinds, kind(module));
      count(types, module.elementType().name());
      if (module.rank() > 0) {
        count(ranks, Integer.toString(module.rank()));
        count(alphas, Double.toString(module.alpha()));
      }
      parameters += module.parameters();
    }
    Map<String, Object> findings = new LinkedHashMap<>();
    findings.put("kind", "adapter");
    String names = adapter.format().description();
    findings.put(
        "format",
        adapter.format() == AdapterFormat.MINOR_COMPONENTS
            ? names
            : String.join(" and ", kinds.keySet()) + ", " + names);
    findings.put("parameters", parameters);
    findings.put("modules by kind", kinds);
    findings.put("modules by rank", ranks);
    findings.put("modules by alpha", alphas);
    findings.put("modules by element type", types);
    if (adapter.format() == AdapterFormat.MINOR_COMPONENTS) {
      findings.put("needs", "the adapter that it was trained on before it (URAE: the 2K adapter)");
    }
    findings.put("metadata", new LinkedHashMap<String, Object>(adapter.metadata()));
    findings.put("keys of no known form", adapter.unknownKeys());
    findings.put("modules", adapter.modules().stream().map(AdapterInspection::describe).toList());
    return findings;
  }

  private static String kind(Adapter.Module module) {
    if (!module.isDora()) {
      return module.kind().description();
    }
    return module.kind() == Adapter.Kind.LORA ? "DoRA" : module.kind().description() + " with DoRA";
  }

  private static String describe(Adapter.Module module) {
    return module.name()
        + (module.parameter().equals("weight") ? "" : "." + module.parameter())
        + ": ["
        + module.outputs()
        + ", "
        + module.inputs()
        + "], "
        + (module.rank() > 0 ? "rank " + module.rank() : kind(module));
  }

  private static void count(Map<String, Object> counts, String key) {
    counts.merge(key, 1L, (a, b) -> (Long) a + (Long) b);
  }

  /** Says what the adapter would change in a checkpoint, and what of it would not. */
  static Map<String, Object> matched(Path path, Path model) throws IOException {
    Map<String, Object> findings = new LinkedHashMap<>();
    Checkpoint checkpoint = Checkpoint.open(model);
    findings.put("model", checkpoint.name());
    OwnedResources opened = new OwnedResources();
    try {
      Map<Component, TensorSource> weights = opened.add(AdaptableWeights.open(model)).byNetwork();
      // Everything is let pass, so that all of it is listed.
      List<AdapterSpec> chain = List.of(new AdapterSpec(path, 1));
      AdapterChain matched =
          opened.add(
              AdapterChain.open(
                  chain, checkpoint.family(), weights, new AdapterOptions(true, true)));
      Map<String, Object> changed = new LinkedHashMap<>();
      for (Component network : Component.adaptable()) {
        int count = matched.changedWeights(network).size();
        if (count > 0) {
          changed.put(network.folder(), count);
        }
      }
      findings.put("weights changed", changed);
      findings.put("would not apply", matched.unmatched().stream().map(UnmatchedKey::key).toList());
    } catch (AdapterException e) {
      findings.put("does not fit", e.getMessage());
    } finally {
      opened.close();
    }
    return findings;
  }
}
