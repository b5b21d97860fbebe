package io.github.urae.adapter.internal.match;

import io.github.urae.AdapterException;
import io.github.urae.adapter.AdapterFormat;
import io.github.urae.adapter.AdapterSpec;
import io.github.urae.adapter.UnmatchedKey;
import io.github.urae.adapter.internal.format.AdapterModule;
import io.github.urae.adapter.internal.format.Change;
import io.github.urae.adapter.internal.format.ForeignAdapters;
import io.github.urae.adapter.internal.format.ParsedAdapter;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.ModelFamily;
import io.github.urae.internal.PrintableText;
import io.github.urae.tensor.Shape;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Collects what the adapters of a chain change in a model, in order, and what does not match. Not
 * thread-safe.
 */
final class AdapterMatching {

  private static final Logger LOG = LoggerFactory.getLogger(AdapterMatching.class);

  private static final String NO_SUCH_PART = "the model has no such part";

  /** Keys that a message names. */
  private static final int EXAMPLES = 5;

  private final ModelFamily family;
  private final ModuleTargets targets;
  private final AdapterOptions options;
  private final Map<Component, Map<String, List<WeightUpdate>>> collected = new LinkedHashMap<>();
  private final Map<Component, List<AdapterSpec>> applied = new LinkedHashMap<>();
  private final List<UnmatchedKey> unmatched = new ArrayList<>();

  AdapterMatching(ModelFamily family, ModuleTargets targets, AdapterOptions options) {
    this.family = family;
    this.targets = targets;
    this.options = options;
  }

  /** Returns the changes of each network's weights, by name, in order. */
  Map<Component, Map<String, List<WeightUpdate>>> updates() {
    return Collections.unmodifiableMap(collected);
  }

  /** Returns the adapters that change each network, in order. */
  Map<Component, List<AdapterSpec>> applied() {
    return applied;
  }

  /** Returns the keys that change nothing. */
  List<UnmatchedKey> unmatched() {
    return unmatched;
  }

  /** Returns the weights of the transformer that the adapter changes. */
  Set<String> match(AdapterSpec spec, ParsedAdapter adapter) {
    boolean minor = adapter.format() == AdapterFormat.MINOR_COMPONENTS;
    Set<String> changed = new LinkedHashSet<>();
    Set<Component> networks = new LinkedHashSet<>();
    RepeatedChanges repeated = new RepeatedChanges(adapter);
    Map<String, String> leftOut = new LinkedHashMap<>();
    List<String> missed = new ArrayList<>();
    adapter.unknownKeys().forEach(key -> sortOut(key, key, leftOut, missed));
    for (AdapterModule module : adapter.modules()) {
      Optional<List<ModuleTargets.Rows>> found =
          minor
              ? targets.findMinor(module.name())
              : targets.find(module.name(), module.parameter());
      if (found.isEmpty()) {
        module.keys().forEach(key -> sortOut(key, module.name(), leftOut, missed));
        continue;
      }
      checkShape(adapter, module, found.get(), minor);
      List<ModuleTargets.Rows> rows = repeated.without(module, found.get());
      if (rows.isEmpty()) {
        String reason =
            "the same change as "
                + PrintableText.quoted(repeated.first(module))
                + ", under another name";
        module.keys().forEach(key -> leftOut.put(key, reason));
      }
      List<WeightUpdate.Part> parts = parts(found.get());
      for (ModuleTargets.Rows part : rows) {
        add(spec, adapter, module, part, parts, minor);
        networks.add(part.network());
        if (part.network() == Component.TRANSFORMER) {
          changed.add(part.weight().name());
        }
      }
    }
    settle(spec, adapter, networks.isEmpty(), missed, leftOut);
    networks.forEach(n -> applied.computeIfAbsent(n, k -> new ArrayList<>()).add(spec));
    return changed;
  }

  // Keys that change nothing

  private void sortOut(
      String key, String module, Map<String, String> leftOut, List<String> missed) {
    Optional<String> unused = targets.unused(module);
    if (unused.isPresent()) {
      leftOut.put(key, unused.get());
    } else {
      missed.add(key);
    }
  }

  private void settle(
      AdapterSpec spec,
      ParsedAdapter adapter,
      boolean nothing,
      List<String> missed,
      Map<String, String> leftOut) {
    if (nothing || (!missed.isEmpty() && !options.ignoreUnmatched())) {
      throw unmatched(adapter, nothing, missed, leftOut);
    }
    missed.forEach(key -> leftOut.put(key, NO_SUCH_PART));
    leftOut.forEach((key, reason) -> unmatched.add(new UnmatchedKey(spec, key, reason)));
    byReason(leftOut)
        .forEach(
            (reason, keys) ->
                LOG.warn(
                    "{}: {} of its keys left out, {}: {}",
                    adapter.path(),
                    keys.size(),
                    reason,
                    examples(keys)));
  }

  private static Map<String, List<String>> byReason(Map<String, String> leftOut) {
    Map<String, List<String>> keys = new LinkedHashMap<>();
    leftOut.forEach((key, reason) -> keys.computeIfAbsent(reason, r -> new ArrayList<>()).add(key));
    return keys;
  }

  private static AdapterException unmatched(
      ParsedAdapter adapter, boolean nothing, List<String> missed, Map<String, String> leftOut) {
    long all =
        adapter.unknownKeys().size()
            + adapter.modules().stream().mapToLong(module -> module.keys().size()).sum();
    String advice =
        nothing
            ? "; the adapter was made for another one: "
            : "; leave them out with ignoreUnmatched, on the command line --ignore-unmatched, if"
                + " that is meant: ";
    if (missed.isEmpty()) {
      return new AdapterException(
          adapter.path()
              + ": changes nothing in this model: "
              + byReason(leftOut).entrySet().stream()
                  .map(reason -> examples(reason.getValue()) + " (" + reason.getKey() + ")")
                  .collect(Collectors.joining("; ")));
    }
    return new AdapterException(
        adapter.path()
            + ": "
            + familyOf(adapter)
            + missed.size()
            + " of "
            + all
            + " keys change nothing in this model"
            + advice
            + examples(missed));
  }

  private static String examples(List<String> keys) {
    String shown =
        keys.stream().limit(EXAMPLES).map(PrintableText::quoted).collect(Collectors.joining(", "));
    return keys.size() > EXAMPLES ? shown + " and " + (keys.size() - EXAMPLES) + " more" : shown;
  }

  private static String familyOf(ParsedAdapter adapter) {
    List<String> keys = new ArrayList<>(adapter.unknownKeys());
    adapter.modules().forEach(module -> keys.addAll(module.keys()));
    return ForeignAdapters.family(keys)
        .map(name -> "its keys are those of adapters for " + name + "; choose one for this model. ")
        .orElse("");
  }

  // Shapes

  private void checkShape(
      ParsedAdapter adapter, AdapterModule module, List<ModuleTargets.Rows> rows, boolean minor) {
    Change change = module.change();
    Shape first = rows.get(0).weight().shape();
    long outputs = rows.stream().mapToLong(ModuleTargets.Rows::rows).sum();
    long inputs = first.rank() == 1 ? 1 : first.dimension(1);
    if (change.outputs() != outputs || change.inputs() != inputs) {
      throw new AdapterException(
          adapter.path()
              + ": "
              + familyOf(adapter)
              + controlOf(change, rows, inputs)
              + module.keys().stream()
                  .limit(2)
                  .map(PrintableText::quoted)
                  .collect(Collectors.joining(" and "))
              + ": expected "
              + (change.rank() == 0 ? "values" : "a product")
              + " of shape "
              + Shape.of(outputs, inputs)
              + " for "
              + rows.get(0).weight().name()
              + (rows.size() > 1 ? " and what follows it" : "")
              + ", found "
              + change.shape()
              + "; the adapter was made for another model");
    }
    // A low-rank update may have more: rank 128 on the 64 inputs of x_embedder is common.
    if (minor && change.rank() > Math.min(outputs, inputs)) {
      throw new AdapterException(
          adapter.path()
              + ": "
              + PrintableText.quoted(module.keys().get(0))
              + ": "
              + rows.get(0).weight().name()
              + " "
              + Shape.of(outputs, inputs)
              + " has fewer minor components than the rank "
              + change.rank());
    }
  }

  /** An adapter that widens the transformer's input is for a model with more to look at. */
  private String controlOf(Change change, List<ModuleTargets.Rows> rows, long inputs) {
    if (rows.get(0).network() != Component.TRANSFORMER
        || inputs != family.transformer().inputChannels()
        || change.inputs() <= inputs) {
      return "";
    }
    return "this is "
        + (change.inputs() == 2 * inputs
            ? "a control LoRA (FLUX.1 Canny or Depth), which draws after a structure picture"
            : "an adapter for a model with more inputs, as FLUX.1 Fill")
        + "; such models are not supported. ";
  }

  // Updates

  private List<WeightUpdate> updatesOf(ModuleTargets.Rows rows) {
    return collected
        .computeIfAbsent(rows.network(), n -> new LinkedHashMap<>())
        .computeIfAbsent(rows.weight().name(), w -> new ArrayList<>());
  }

  private List<WeightUpdate.Part> parts(List<ModuleTargets.Rows> rows) {
    return rows.stream()
        .map(
            part ->
                new WeightUpdate.Part(
                    part.weight().name(),
                    updatesOf(part).size(),
                    part.moduleRow(),
                    part.weightRow(),
                    part.rows()))
        .toList();
  }

  private void add(
      AdapterSpec spec,
      ParsedAdapter adapter,
      AdapterModule module,
      ModuleTargets.Rows rows,
      List<WeightUpdate.Part> parts,
      boolean minor) {
    List<WeightUpdate> before = updatesOf(rows);
    if (minor) {
      if (before.isEmpty() && !options.allowBareMinorComponents()) {
        throw new AdapterException(
            adapter.path()
                + ": "
                + PrintableText.quoted(module.keys().get(0))
                + ": minor components are trained on top"
                + " of another adapter (URAE's 4K on its 2K); put that one before this, or set"
                + " allowBareMinorComponents");
      }
      before.add(new WeightUpdate.Minor(module, (Change.LowRank) module.change(), spec.scale()));
    } else if (module.change() instanceof Change.LowRank change && module.magnitude().isEmpty()) {
      before.add(
          new WeightUpdate.LowRank(
              module,
              change,
              spec.scale() * change.scale(),
              rows.moduleRow(),
              rows.weightRow(),
              rows.rows()));
    } else {
      before.add(
          new WeightUpdate.General(
              module, spec.scale(), rows.moduleRow(), rows.weightRow(), rows.rows(), parts));
    }
  }
}
