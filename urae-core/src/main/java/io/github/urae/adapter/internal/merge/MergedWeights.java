package io.github.urae.adapter.internal.merge;

import io.github.urae.CancellationToken;
import io.github.urae.ProgressListener;
import io.github.urae.Stage;
import io.github.urae.adapter.AdapterSpec;
import io.github.urae.adapter.internal.match.AdapterChain;
import io.github.urae.flux.model.Component;
import io.github.urae.internal.TaskReporter;
import io.github.urae.tensor.ElementType;
import io.github.urae.weights.SafetensorsFile;
import io.github.urae.weights.SafetensorsWriter;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.CacheKey;
import io.github.urae.weights.internal.WeightCache;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** The weights that a chain of adapters changes, merged into a file of the cache. */
public final class MergedWeights {

  private MergedWeights() {}

  /**
   * Finds the merged weights of a network in the cache, or merges them.
   *
   * @param chain the adapters, matched against {@code base}
   * @param network the network; some weight of it changes
   * @param base its weights as stored
   * @param type element type of the result
   * @param cache where the result lies; its key is made of the checkpoint's files, the content of
   *     the adapters that change this network, their scales and the element type
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
      ElementType type,
      WeightCache cache,
      ProgressListener listener,
      CancellationToken cancellation)
      throws IOException {
    Set<String> changed = chain.changedWeights(network);
    List<TensorInfo> tensors =
        base.tensors().values().stream().filter(t -> changed.contains(t.name())).toList();
    long bytes = tensors.stream().mapToLong(t -> type.byteSize(t.shape().elementCount())).sum();
    CacheKey key = new CacheKey("merged weights 1").addCheckpoint(base).add(network).add(type);
    for (AdapterSpec spec : chain.adaptersOf(network)) {
      key.add(chain.digestOf(spec)).add(spec.scale());
    }
    WeightMerger merger = new WeightMerger(chain, network, base);
    WeightCache.Producer producer =
        target -> {
          TaskReporter reporter =
              new TaskReporter(listener, cancellation, Stage.MERGING, network.id(), bytes);
          write(merger, tensors, type, target, reporter);
          base.checkUnchanged();
        };
    try (WeightCache.Lease lease = cache.obtain(key, bytes, producer)) {
      return SafetensorsFile.open(lease.file());
    }
  }

  private static void write(
      WeightMerger merger,
      List<TensorInfo> tensors,
      ElementType type,
      Path target,
      TaskReporter reporter)
      throws IOException {
    List<SafetensorsWriter.Declaration> declarations =
        tensors.stream()
            .map(t -> new SafetensorsWriter.Declaration(t.name(), type, t.shape()))
            .toList();
    try (SafetensorsWriter writer = SafetensorsWriter.create(target, Map.of(), declarations)) {
      for (TensorInfo tensor : tensors) {
        merger.merge(tensor.name(), type, piece -> writer.write(tensor.name(), piece), reporter);
      }
      writer.finish();
    }
  }
}
