package io.github.urae.adapter.internal.match;

import io.github.urae.AdapterException;
import io.github.urae.adapter.AdapterSpec;
import io.github.urae.adapter.UnmatchedKey;
import io.github.urae.adapter.internal.format.ParsedAdapter;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.ModelFamily;
import io.github.urae.internal.OwnedResources;
import io.github.urae.weights.TensorSource;
import java.io.Closeable;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

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
      AdapterMatching matching =
          new AdapterMatching(family, new ModuleTargets(family, model), options);
      for (int i = 0; i < specs.size(); i++) {
        Set<String> weights = matching.match(specs.get(i), adapters.get(i));
        BaseFingerprint.check(i, adapters, model.get(Component.TRANSFORMER), weights);
      }
      return new AdapterChain(
          specs, adapters, matching.updates(), matching.applied(), matching.unmatched(), opened);
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
   * Returns the keys that change nothing: for parts that the family does not use, the same change
   * under another name, and with {@link AdapterOptions#ignoreUnmatched()} all others.
   *
   * @return immutable
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

  /** Returns the networks of which some weight changes. */
  public Set<Component> changedNetworks() {
    return new LinkedHashSet<>(updates.keySet());
  }
}
