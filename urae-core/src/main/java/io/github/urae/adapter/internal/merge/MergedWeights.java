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
      for (AdapterSpec spec : chain.adaptersOf(network)) {
        key.add(chain.digestOf(spec)).add(spec.scale());
      }
      return new Recipe(tensors, key);
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
