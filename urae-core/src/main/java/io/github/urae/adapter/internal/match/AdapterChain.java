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
import io.github.urae.internal.OwnedResources;
import io.github.urae.tensor.Shape;
import io.github.urae.weights.TensorSource;
import java.io.Closeable;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Adapters in order, matched against the weights of a model: which weight changes by what. Nothing
 * is computed yet, but everything is checked. Immutable and thread-safe; owns the adapters until
 * {@link #close()}, not the model.
 */
public final class AdapterChain implements Closeable {

  private final List<AdapterSpec> specs;
  private final List<ParsedAdapter> adapters;
  private final Map<Component, Map<String, List<WeightUpdate>>> updates;
  private final Map<Component, List<AdapterSpec>> applied;
  private final List<UnmatchedKey> unmatched;
  private final OwnedResources opened;

  private AdapterChain(
      List<AdapterSpec> specs,
      List<ParsedAdapter> adapters,
      Map<Component, Map<String, List<WeightUpdate>>> updates,
      Map<Component, List<AdapterSpec>> applied,
      List<UnmatchedKey> unmatched,
      OwnedResources opened) {
    this.specs = List.copyOf(specs);
    this.adapters = List.copyOf(adapters);
    this.updates = updates;
    this.applied = applied;
    this.unmatched = List.copyOf(unmatched);
    this.opened = opened;
  }

  /**
   * Opens adapters and matches them against a model.
   *
   * @param specs the adapters, in the order in which they are applied
   * @param family which kind of model it is, and how adapters for it name what they change
   * @param model the weights of each network, as stored; not closed
   * @param options what is let pass
   * @return the chain; the caller closes it
   * @throws IOException if a file is missing or cannot be read
   * @throws io.github.urae.FileFormatException if a file breaks the safetensors format
   * @throws AdapterException if an adapter is not supported, damaged, made for another model, or
   *     holds keys that change nothing; or if minor components lack the adapter they were trained
   *     on
   */
  public static AdapterChain open(
      List<AdapterSpec> specs,
      ModelFamily family,
      Map<Component, TensorSource> model,
      AdapterOptions options)
      throws IOException {
    OwnedResources opened = new OwnedResources();
    try {
      List<ParsedAdapter> adapters = new ArrayList<>();
      for (AdapterSpec spec : specs) {
        adapters.add(opened.add(ParsedAdapter.open(spec.path())));
      }
      Matching matching = new Matching(new ModuleTargets(family, model), options);
      for (int i = 0; i < specs.size(); i++) {
        Set<String> weights = matching.match(specs.get(i), adapters.get(i));
        BaseFingerprint.check(i, adapters, model.get(Component.TRANSFORMER), weights);
      }
      return new AdapterChain(
          specs, adapters, matching.updates(), matching.applied, matching.unmatched, opened);
    } catch (Throwable e) {
      opened.closeAfter(e);
      throw e;
    }
  }

  /**
   * Returns the adapters of this chain.
   *
   * @return immutable, in the order in which they are applied
   */
  public List<AdapterSpec> specs() {
    return specs;
  }

  /**
   * Returns the opened adapters.
   *
   * @return immutable, as many as {@link #specs()}; open until this is closed
   */
  public List<ParsedAdapter> adapters() {
    return adapters;
  }

  /**
   * Returns the names of the weights that change.
   *
   * @param network a network
   * @return immutable; empty if none changes
   */
  public Set<String> changedWeights(Component network) {
    return updates.getOrDefault(network, Map.of()).keySet();
  }

  /**
   * Returns the adapters that change some weight of a network. Its weights depend on no others.
   *
   * @param network a network
   * @return immutable, in the order in which they are applied; empty if none changes it
   */
  public List<AdapterSpec> adaptersOf(Component network) {
    return List.copyOf(applied.getOrDefault(network, List.of()));
  }

  /**
   * Returns what a network's changed weights depend on, beside the model.
   *
   * @param network a network
   * @return content and scale of each adapter that changes it, in order; empty if none does
   * @throws IOException if a file cannot be read
   */
  public List<String> recipeOf(Component network) throws IOException {
    List<String> recipe = new ArrayList<>();
    for (AdapterSpec spec : adaptersOf(network)) {
      recipe.add(digestOf(spec) + "=" + spec.scale());
    }
    return recipe;
  }

  /**
   * Returns what identifies the content of one of this chain's adapters.
   *
   * @param spec one of {@link #specs()}
   * @return as {@link ParsedAdapter#digest}
   * @throws IOException if its file cannot be read
   */
  public String digestOf(AdapterSpec spec) throws IOException {
    return adapters.get(specs.indexOf(spec)).digest();
  }

  /**
   * Returns the keys that change nothing.
   *
   * @return immutable; empty unless {@link AdapterOptions#ignoreUnmatched()}
   */
  public List<UnmatchedKey> unmatched() {
    return unmatched;
  }

  /** Returns the changes of a weight, in order. */
  public List<WeightUpdate> updatesOf(Component network, String weight) {
    return updates.getOrDefault(network, Map.of()).getOrDefault(weight, List.of());
  }

  @Override
  public void close() throws IOException {
    opened.close();
  }

  /** Collects the updates of all adapters, and what does not match. */
  private static final class Matching {

    private final ModuleTargets targets;
    private final AdapterOptions options;
    private final Map<Component, Map<String, List<WeightUpdate>>> collected = new LinkedHashMap<>();
    private final Map<Component, List<AdapterSpec>> applied = new LinkedHashMap<>();
    private final List<UnmatchedKey> unmatched = new ArrayList<>();

    Matching(ModuleTargets targets, AdapterOptions options) {
      this.targets = targets;
      this.options = options;
    }

    Map<Component, Map<String, List<WeightUpdate>>> updates() {
      return Collections.unmodifiableMap(collected);
    }

    /** Returns the weights of the transformer that the adapter changes. */
    Set<String> match(AdapterSpec spec, ParsedAdapter adapter) {
      Set<String> changed = new LinkedHashSet<>();
      boolean minor = adapter.format() == AdapterFormat.MINOR_COMPONENTS;
      Set<Component> networks = new LinkedHashSet<>();
      List<String> missed = new ArrayList<>(adapter.unknownKeys());
      for (AdapterModule module : adapter.modules()) {
        Optional<List<ModuleTargets.Rows>> rows =
            minor
                ? targets.findMinor(module.name())
                : targets.find(module.name(), module.parameter());
        if (rows.isEmpty()) {
          missed.addAll(module.keys());
        } else {
          checkShape(adapter, module, rows.get(), minor);
          List<WeightUpdate.Part> parts = parts(rows.get());
          for (ModuleTargets.Rows part : rows.get()) {
            add(spec, adapter, module, part, parts, minor);
            networks.add(part.network());
            if (part.network() == Component.TRANSFORMER) {
              changed.add(part.weight().name());
            }
          }
        }
      }
      if (!missed.isEmpty()) {
        refuseOrKeep(spec, adapter, missed);
      }
      networks.forEach(n -> applied.computeIfAbsent(n, k -> new ArrayList<>()).add(spec));
      return changed;
    }

    private void refuseOrKeep(AdapterSpec spec, ParsedAdapter adapter, List<String> missed) {
      long known = adapter.modules().stream().mapToLong(m -> m.keys().size()).sum();
      boolean nothing = missed.size() == known + adapter.unknownKeys().size();
      if (nothing || !options.ignoreUnmatched()) {
        throw new AdapterException(
            adapter.path()
                + ": "
                + missed.size()
                + " of "
                + (known + adapter.unknownKeys().size())
                + " keys change nothing in this model"
                + (nothing
                    ? "; the adapter was made for another one: "
                    : "; leave them out with ignoreUnmatched, if that is meant: ")
                + String.join(", ", missed)
                + familyOf(adapter));
      }
      missed.forEach(key -> unmatched.add(new UnmatchedKey(spec, key)));
    }

    private static String familyOf(ParsedAdapter adapter) {
      List<String> keys = new ArrayList<>(adapter.unknownKeys());
      adapter.modules().forEach(module -> keys.addAll(module.keys()));
      return ForeignAdapters.hint(keys);
    }

    private static void checkShape(
        ParsedAdapter adapter, AdapterModule module, List<ModuleTargets.Rows> rows, boolean minor) {
      Change change = module.change();
      Shape first = rows.get(0).weight().shape();
      long outputs = rows.stream().mapToLong(ModuleTargets.Rows::rows).sum();
      long inputs = first.rank() == 1 ? 1 : first.dimension(1);
      if (change.outputs() != outputs || change.inputs() != inputs) {
        throw new AdapterException(
            adapter.path()
                + ": "
                + module.keys().stream()
                    .limit(2)
                    .map(key -> "'" + key + "'")
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
                + "; the adapter was made for another model"
                + familyOf(adapter));
      }
      // A low-rank update may have more: rank 128 on the 64 inputs of x_embedder is common.
      if (minor && change.rank() > Math.min(outputs, inputs)) {
        throw new AdapterException(
            adapter.path()
                + ": '"
                + module.keys().get(0)
                + "': "
                + rows.get(0).weight().name()
                + " "
                + Shape.of(outputs, inputs)
                + " has fewer minor components than the rank "
                + change.rank());
      }
    }

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
                  + ": '"
                  + module.keys().get(0)
                  + "': minor components are trained on top"
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

  /** Returns the networks of which some weight changes. */
  public Set<Component> changedNetworks() {
    return new LinkedHashSet<>(updates.keySet());
  }
}
