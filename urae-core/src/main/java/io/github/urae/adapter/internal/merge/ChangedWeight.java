package io.github.urae.adapter.internal.merge;

import io.github.urae.tensor.Shape;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.ValuesInMemory;
import java.io.IOException;
import java.util.Optional;

/**
 * A weight that adapters change, as whoever takes it wants it: its new values, or what is added to
 * the old ones as a product. Either is computed when it is asked for, and kept. Not thread-safe.
 */
public final class ChangedWeight {

  private final WeightMerger merger;
  private final TensorInfo stored;
  private Optional<TensorSource> values = Optional.empty();
  private Optional<LowRankSum> added = Optional.empty();

  ChangedWeight(WeightMerger merger, TensorSource base, String name) {
    this.merger = merger;
    this.stored = base.tensors().get(name);
  }

  /**
   * Returns the weight's name.
   *
   * @return its name in the network
   */
  public String name() {
    return stored.name();
  }

  /**
   * Merges the changes.
   *
   * @return holds the weight under its name, in float32
   * @throws IOException if reading fails
   * @throws io.github.urae.AdapterException if minor components cannot be computed
   */
  public TensorSource values() throws IOException {
    if (values.isEmpty()) {
      values = Optional.of(new ValuesInMemory(stored, merger.mergeToFloats(name())));
    }
    return values.get();
  }

  /**
   * Computes A, of a weight all of whose changes are of low rank.
   *
   * @return holds A [rank, columns] under the weight's name, in float32
   * @throws IOException if reading fails
   * @throws io.github.urae.AdapterException if minor components cannot be computed
   */
  public TensorSource down() throws IOException {
    float[] a = added().down();
    return matrix(a, a.length / stored.columns(), stored.columns());
  }

  /**
   * Computes B, of such a weight.
   *
   * @return holds B [rows, rank] under the weight's name, in float32
   * @throws IOException if reading fails
   * @throws io.github.urae.AdapterException if minor components cannot be computed
   */
  public TensorSource up() throws IOException {
    float[] b = added().up();
    long rows = stored.shape().dimension(0);
    return matrix(b, rows, b.length / rows);
  }

  private LowRankSum added() throws IOException {
    if (added.isEmpty()) {
      added = Optional.of(merger.lowRank(name()));
    }
    return added.get();
  }

  private TensorSource matrix(float[] elements, long rows, long columns) {
    return new ValuesInMemory(
        new TensorInfo(
            name(),
            stored.encoding(),
            Shape.of(rows, columns),
            stored.file(),
            stored.offset(),
            stored.length()),
        elements);
  }
}
