package io.github.urae.adapter.internal.merge;

import io.github.urae.CancellationToken;
import io.github.urae.ProgressListener;
import io.github.urae.Stage;
import io.github.urae.adapter.AdapterSpec;
import io.github.urae.adapter.internal.match.AdapterChain;
import io.github.urae.flux.model.Component;
import io.github.urae.internal.TaskReporter;
import io.github.urae.tensor.ElementType;
import io.github.urae.weights.SafetensorsWriter;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.ByteSink;
import io.github.urae.weights.internal.CacheKey;
import io.github.urae.weights.internal.WeightCache;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;

/** The weights that a chain of adapters changes, merged into a file of the cache. */
public final class MergedWeights {

  private MergedWeights() {}

  /**
   * A tensor that a network takes in place of a changed weight, or beside it.
   *
   * @param tensor its name there, type and shape
   * @param weight the weight that changes
   * @param description what it is of that weight; part of the file's key in the cache
   * @param maker makes it
   */
  public record Derived(
      SafetensorsWriter.Declaration tensor, String weight, String description, Maker maker) {}

  /** Makes a tensor of a weight that changes. */
  @FunctionalInterface
  public interface Maker {

    /**
     * Makes a tensor.
     *
     * @param changed the weight
     * @param sink takes the tensor's bytes
     * @throws IOException if reading or writing fails
     * @throws io.github.urae.AdapterException if minor components cannot be computed
     */
    void write(ChangedWeight changed, ByteSink sink) throws IOException;
  }

  private static CacheKey key(
      AdapterChain chain, Component network, TensorSource base, List<Derived> tensors)
      throws IOException {
    CacheKey key = new CacheKey("made of merged weights 1").addCheckpoint(base).add(network);
    for (Derived derived : tensors) {
      key.add(derived.tensor().name()).add(derived.tensor().type()).add(derived.tensor().shape());
      key.add(derived.weight()).add(derived.description());
    }
    return addAdapters(key, chain, network);
  }

  private static CacheKey addAdapters(CacheKey key, AdapterChain chain, Component network)
      throws IOException {
    for (AdapterSpec spec : chain.adaptersOf(network)) {
      key.add(chain.digestOf(spec)).add(spec.scale());
    }
    return key;
  }

  /**
   * Makes sure that {@link #openDerived} would find its tensors or can make them. To be called
   * before anything else that takes long.
   *
   * @param chain the adapters, matched against {@code base}
   * @param network the network
   * @param base its weights as stored
   * @param tensors what is made of the changed weights
   * @param cache where they lie
   * @throws IOException if a file cannot be read
   * @throws io.github.urae.AdapterException if the tensors are not there, and what computes minor
   *     components is missing
   */
  public static void checkDerived(
      AdapterChain chain,
      Component network,
      TensorSource base,
      List<Derived> tensors,
      WeightCache cache)
      throws IOException {
    if (!cache.holds(key(chain, network, base, tensors))) {
      new WeightMerger(chain, network, base).prepare();
    }
  }

  /**
   * Finds what is made of the changed weights of a network in the cache, or makes it, one weight at
   * a time in memory.
   *
   * @param chain the adapters, matched against {@code base}
   * @param network the network; some weight of it changes
   * @param base its weights as stored
   * @param tensors what is made of the changed weights; those of one weight follow one another
   * @param cache where the result lies; its key is made of the checkpoint's files, the content of
   *     the adapters that change this network, their scales, and the tensors' descriptions
   * @param listener hears of the merging
   * @param cancellation ends the merging
   * @return the tensors, in one file; the caller closes it
   * @throws IOException if reading or writing fails, or the cache has no room
   * @throws io.github.urae.AdapterException if minor components cannot be computed
   */
  public static TensorSource openDerived(
      AdapterChain chain,
      Component network,
      TensorSource base,
      List<Derived> tensors,
      WeightCache cache,
      ProgressListener listener,
      CancellationToken cancellation)
      throws IOException {
    List<SafetensorsWriter.Declaration> declarations =
        tensors.stream().map(Derived::tensor).toList();
    long bytes = declarations.stream().mapToLong(SafetensorsWriter.Declaration::byteSize).sum();
    WeightMerger merger = new WeightMerger(chain, network, base);
    WeightCache.Content content =
        sink -> {
          TaskReporter reporter =
              new TaskReporter(listener, cancellation, Stage.MERGING, network.id(), bytes);
          ChangedWeight changed = null;
          for (Derived derived : tensors) {
            if (changed == null || !changed.name().equals(derived.weight())) {
              changed = new ChangedWeight(merger, base, derived.weight());
            }
            derived
                .maker()
                .write(
                    changed,
                    piece -> {
                      int size = piece.remaining();
                      sink.write(derived.tensor().name(), piece);
                      reporter.advance(size);
                    });
          }
          base.checkUnchanged();
        };
    return cache.open(
        key(chain, network, base, tensors),
        declarations,
        Map.of(),
        content,
        listener,
        cancellation);
  }

  /**
   * What the file of the cache holds and is called.
   *
   * @param tensors the changed weights, in the order of the base
   */
  private record Recipe(List<SafetensorsWriter.Declaration> tensors, CacheKey key) {

    static Recipe of(
        AdapterChain chain,
        Component network,
        TensorSource base,
        Function<String, ElementType> types)
        throws IOException {
      Set<String> changed = chain.changedWeights(network);
      List<SafetensorsWriter.Declaration> tensors =
          base.tensors().values().stream()
              .filter(t -> changed.contains(t.name()))
              .map(
                  t ->
                      new SafetensorsWriter.Declaration(t.name(), types.apply(t.name()), t.shape()))
              .toList();
      CacheKey key = new CacheKey("merged weights 3").addCheckpoint(base).add(network);
      tensors.forEach(tensor -> key.add(tensor.name()).add(tensor.type()));
      return new Recipe(tensors, addAdapters(key, chain, network));
    }
  }

  /**
   * Makes sure that {@link #open} would find the merged weights or can merge them. To be called
   * before anything else that takes long.
   *
   * @param chain the adapters, matched against {@code base}
   * @param network the network
   * @param base its weights as stored
   * @param types element type of each weight of the result
   * @param cache where the result lies
   * @throws IOException if a file cannot be read
   * @throws io.github.urae.AdapterException if the weights are not there, and what computes minor
   *     components is missing
   */
  public static void check(
      AdapterChain chain,
      Component network,
      TensorSource base,
      Function<String, ElementType> types,
      WeightCache cache)
      throws IOException {
    if (!cache.holds(Recipe.of(chain, network, base, types).key())) {
      new WeightMerger(chain, network, base).prepare();
    }
  }

  /**
   * Finds the merged weights of a network in the cache, or merges them.
   *
   * @param chain the adapters, matched against {@code base}
   * @param network the network; some weight of it changes
   * @param base its weights as stored
   * @param types element type of each weight of the result
   * @param cache where the result lies; its key is made of the checkpoint's files, the content of
   *     the adapters that change this network, their scales and the element types
   * @param listener hears of the merging
   * @param cancellation ends the merging
   * @return the changed weights and no others, in one file; the caller closes it
   * @throws IOException if reading or writing fails, or the cache has no room
   * @throws io.github.urae.AdapterException if minor components cannot be computed
   */
  public static TensorSource open(
      AdapterChain chain,
      Component network,
      TensorSource base,
      Function<String, ElementType> types,
      WeightCache cache,
      ProgressListener listener,
      CancellationToken cancellation)
      throws IOException {
    Recipe recipe = Recipe.of(chain, network, base, types);
    List<SafetensorsWriter.Declaration> tensors = recipe.tensors();
    long bytes = tensors.stream().mapToLong(SafetensorsWriter.Declaration::byteSize).sum();
    WeightMerger merger = new WeightMerger(chain, network, base);
    WeightCache.Content content =
        sink -> {
          TaskReporter reporter =
              new TaskReporter(listener, cancellation, Stage.MERGING, network.id(), bytes);
          for (SafetensorsWriter.Declaration tensor : tensors) {
            merger.merge(
                tensor.name(), tensor.type(), piece -> sink.write(tensor.name(), piece), reporter);
          }
          base.checkUnchanged();
        };
    return cache.open(recipe.key(), tensors, Map.of(), content, listener, cancellation);
  }
}
