package io.github.urae.adapter.internal.merge;

import io.github.urae.AdapterException;
import io.github.urae.adapter.internal.algebra.DenseAlgebra;
import io.github.urae.adapter.internal.algebra.MinorFactors;
import io.github.urae.adapter.internal.format.AdapterModule;
import io.github.urae.adapter.internal.format.Change;
import io.github.urae.adapter.internal.format.Magnitude;
import io.github.urae.adapter.internal.format.Matrix;
import io.github.urae.adapter.internal.match.AdapterChain;
import io.github.urae.adapter.internal.match.WeightUpdate;
import io.github.urae.flux.model.Component;
import io.github.urae.internal.TaskReporter;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Tensor;
import io.github.urae.tensor.internal.Elements;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.ByteSink;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.atomic.AtomicReference;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Computes the weights of one network after an {@link AdapterChain}: low-rank updates become {@code
 * W' = W + sum of scale_i * (alpha_i / rank_i) * B_i A_i}, others are done one after the other, row
 * by row. Accumulated in float32 and rounded once.
 *
 * <p>Minor components follow URAE's order: of the weight as the adapters before them leave it, in
 * float32, the smallest singular components are replaced by the trained ones.
 *
 * <p>Holds a piece of 8 MB and the adapters' factors of one weight in float32, several times; for a
 * weight with minor components, the weight in float32 and what {@link DenseAlgebra} needs. Weights
 * of a million elements and more are merged by OpenBLAS where urae-openblas is there, in about half
 * the time. Thread-safe.
 */
public final class WeightMerger {

  private static final Logger LOG = LoggerFactory.getLogger(WeightMerger.class);

  /** Elements of a weight from which on a library is worth loading: no weight of a small model. */
  private static final long LEAST_FOR_ALGEBRA = 1 << 20;

  /** Size of a piece of the result. */
  private static final int PIECE_BYTES = 8 << 20;

  private final AdapterChain chain;
  private final Component network;
  private final TensorSource base;

  private final Object loading = new Object();

  /** What multiplies large weights; empty until it was tried, and where there is none. */
  private Optional<DenseAlgebra> algebra = Optional.empty();

  private boolean tried;

  /** What was computed of whole columns, by the parts of the module that it belongs to. */
  private final Map<List<WeightUpdate.Part>, float[]> columnFactors = new HashMap<>();

  /** A piece's memory, kept for the next weight: the system takes longer to hand out new pages. */
  private final AtomicReference<ByteBuffer> spare = new AtomicReference<>();

  /**
   * Creates a merger.
   *
   * @param chain matched against this network's weights; not closed
   * @param network the network
   * @param base its weights as stored; not closed
   */
  public WeightMerger(AdapterChain chain, Component network, TensorSource base) {
    this.chain = chain;
    this.network = network;
    this.base = base;
  }

  /**
   * Loads what minor components need, if any of the network's weights has some: what is missing is
   * told before long work, not in its midst.
   *
   * @throws AdapterException if there is no library of dense algebra, or it does not load
   */
  public void prepare() {
    for (String weight : chain.changedWeights(network)) {
      for (WeightUpdate update : effective(chain.updatesOf(network, weight))) {
        if (update instanceof WeightUpdate.Minor) {
          DenseAlgebra.load();
          return;
        }
      }
    }
  }

  /**
   * Merges one weight.
   *
   * @param name a weight of the network; one that no adapter changes comes out as it is stored,
   *     rounded to the type
   * @param type F32, BF16, F16 or F64
   * @param sink takes the bytes of the result
   * @param reporter counts them
   * @throws IOException if reading or writing fails
   * @throws io.github.urae.AdapterException if minor components cannot be computed
   */
  public void merge(String name, ElementType type, ByteSink sink, TaskReporter reporter)
      throws IOException {
    TensorInfo info = base.tensors().get(name);
    List<WeightUpdate> updates = effective(chain.updatesOf(network, name));
    if (updates.isEmpty() && info.isPlain(type)) {
      copy(name, sink, reporter);
    } else if (updates.isEmpty() || (areLowRank(updates) && info.shape().rank() == 2)) {
      stream(name, type, lowRank(updates), sink, reporter);
    } else if (updates.stream().noneMatch(update -> update instanceof WeightUpdate.Minor)) {
      streamRows(name, type, updates, sink, reporter);
    } else {
      write(mergeToFloats(name), type, sink, reporter);
    }
  }

  private static boolean areLowRank(List<WeightUpdate> updates) {
    return updates.stream().allMatch(update -> update instanceof WeightUpdate.LowRank);
  }

  private static List<WeightUpdate.LowRank> lowRank(List<WeightUpdate> updates) {
    return updates.stream().map(update -> (WeightUpdate.LowRank) update).toList();
  }

  /**
   * Merges one weight, unrounded.
   *
   * @param name a weight of the network
   * @return the result in float32, row-major
   * @throws IOException if reading fails
   * @throws io.github.urae.AdapterException if minor components cannot be computed
   */
  public float[] mergeToFloats(String name) throws IOException {
    return mergeToFloats(name, effective(chain.updatesOf(network, name)));
  }

  /**
   * Returns the rank of all updates of a weight as one product.
   *
   * @param name a weight of the network
   * @return 0 where nothing changes; empty if some update is of no low rank
   */
  public OptionalInt rank(String name) {
    return LowRankSum.rank(effective(chain.updatesOf(network, name)));
  }

  /**
   * Computes all updates of a weight as one product.
   *
   * @param name a weight whose updates have a {@link #rank}
   * @return what is added to the weight, in float32
   * @throws IOException if reading fails
   * @throws io.github.urae.AdapterException if minor components cannot be computed
   */
  public LowRankSum lowRank(String name) throws IOException {
    TensorInfo info = base.tensors().get(name);
    int rows = Math.toIntExact(info.shape().dimension(0));
    int columns = Math.toIntExact(info.columns());
    return LowRankSum.of(
        effective(chain.updatesOf(network, name)),
        rows,
        columns,
        (before, count) ->
            DenseAlgebra.load().minorFactors(mergeToFloats(name, before), rows, columns, count));
  }

  /** At scale 0 nothing is to be computed, least of all minor components. */
  private static List<WeightUpdate> effective(List<WeightUpdate> updates) {
    return updates.stream().filter(update -> update.scale() != 0).toList();
  }

  /** Merges some of a weight's updates only. */
  public float[] mergeToFloats(String name, List<WeightUpdate> updates) throws IOException {
    TensorInfo info = base.tensors().get(name);
    float[] weight = new float[Math.toIntExact(info.shape().elementCount())];
    base.readFloats(name, 0, weight, 0, weight.length);
    int columns = columns(info);
    int rows = weight.length / columns;
    List<WeightUpdate> pending = new ArrayList<>();
    for (WeightUpdate update : updates) {
      if (update instanceof WeightUpdate.Minor minor) {
        applyInPlace(weight, rows, columns, pending);
        pending.clear();
        addInPlace(weight, rows, columns, replacement(weight, rows, columns, minor));
      } else {
        pending.add(update);
      }
    }
    applyInPlace(weight, rows, columns, pending);
    return weight;
  }

  /** Returns the columns of a weight taken as a matrix: a bias or a norm's scale is one column. */
  private static int columns(TensorInfo info) {
    return info.shape().rank() == 1 ? 1 : Math.toIntExact(Math.max(1, info.columns()));
  }

  /** The trained components, less those that the weight has now. */
  private List<WeightUpdate.LowRank> replacement(
      float[] weight, int rows, int columns, WeightUpdate.Minor minor) {
    int rank = minor.change().rank();
    MinorFactors now = DenseAlgebra.load().minorFactors(weight, rows, columns, rank);
    Change.LowRank removed =
        new Change.LowRank(Matrix.of(now.a, rank, columns), Matrix.of(now.b, rows, rank), rank, 1);
    return List.of(
        new WeightUpdate.LowRank(minor.module(), removed, -minor.scale(), 0, 0, rows),
        new WeightUpdate.LowRank(minor.module(), minor.change(), minor.scale(), 0, 0, rows));
  }

  private void applyInPlace(float[] weight, int rows, int columns, List<WeightUpdate> updates)
      throws IOException {
    if (areLowRank(updates)) {
      addInPlace(weight, rows, columns, lowRank(updates));
    } else {
      try (RowUpdates inRows = inRows(rows, columns, updates)) {
        inRows.applyInPlace(0, rows, weight);
      }
    }
  }

  private void addInPlace(
      float[] weight, int rows, int columns, List<WeightUpdate.LowRank> updates) {
    if (!updates.isEmpty()) {
      try (LowRankProduct product = product(rows, columns, false, updates)) {
        product.addInPlace(weight);
      }
    }
  }

  private void copy(String name, ByteSink sink, TaskReporter reporter) throws IOException {
    Tensor stored = base.tensor(name);
    for (long first = 0; first < stored.byteSize(); first += PIECE_BYTES) {
      int count = (int) Math.min(PIECE_BYTES, stored.byteSize() - first);
      sink.accept(stored.data(first, count));
      reporter.advance(count);
    }
  }

  private void stream(
      String name,
      ElementType type,
      List<WeightUpdate.LowRank> updates,
      ByteSink sink,
      TaskReporter reporter)
      throws IOException {
    TensorInfo info = base.tensors().get(name);
    int columns = Math.toIntExact(Math.max(1, info.columns()));
    long rows = info.shape().elementCount() / columns;
    BaseRows source = new BaseRows(base, info);
    boolean split = RowCodec.splits(columns, source.type(), type);
    long fromBytes = source.type().byteSize(columns);
    long toBytes = type.byteSize(columns);
    int pieceRows = (int) Math.max(1, PIECE_BYTES / Math.max(fromBytes, toBytes));
    ByteBuffer memory = spare.getAndSet(null);
    if (memory == null || memory.capacity() < pieceRows * toBytes) {
      memory = direct(pieceRows * toBytes);
    }
    try (LowRankProduct product = product(Math.toIntExact(rows), columns, split, updates)) {
      for (long row = 0; row < rows; row += pieceRows) {
        int count = (int) Math.min(pieceRows, rows - row);
        ByteBuffer piece = memory.slice(0, (int) (count * toBytes));
        product.addTo(
            (int) row,
            count,
            new RowCodec.Stored(source.type(), source.read(row, count)),
            new RowCodec.Stored(type, piece));
        sink.accept(piece);
        reporter.advance(count * toBytes);
      }
    }
    spare.set(memory);
  }

  private void streamRows(
      String name,
      ElementType type,
      List<WeightUpdate> updates,
      ByteSink sink,
      TaskReporter reporter)
      throws IOException {
    TensorInfo info = base.tensors().get(name);
    int columns = columns(info);
    int rows = Math.toIntExact(info.shape().elementCount() / columns);
    int pieceRows = (int) Math.max(1, PIECE_BYTES / type.byteSize(columns));
    ByteBuffer piece = direct(type.byteSize((long) Math.min(pieceRows, rows) * columns));
    forRows(
        name,
        0,
        rows,
        updates,
        (values, count) -> {
          Elements.fromFloats(type, values, 0, count * columns, piece.clear());
          int bytes = piece.flip().remaining();
          sink.accept(piece);
          reporter.advance(bytes);
        });
  }

  /** What takes changed rows, piece by piece. */
  @FunctionalInterface
  private interface RowSink {
    void accept(float[] values, int rows) throws IOException;
  }

  /** Changes some rows of a weight, none of them by minor components, in pieces. */
  private void forRows(
      String name, int firstRow, int rowCount, List<WeightUpdate> updates, RowSink sink)
      throws IOException {
    TensorInfo info = base.tensors().get(name);
    int columns = columns(info);
    int allRows = Math.toIntExact(info.shape().elementCount() / columns);
    int pieceRows = Math.max(1, Math.min(rowCount, PIECE_BYTES / Float.BYTES / columns));
    float[] values = new float[Math.multiplyExact(pieceRows, columns)];
    try (RowUpdates inRows = inRows(allRows, columns, updates)) {
      for (int row = firstRow; row < firstRow + rowCount; row += pieceRows) {
        int count = Math.min(pieceRows, firstRow + rowCount - row);
        base.readFloats(name, (long) row * columns, values, 0, count * columns);
        inRows.applyInPlace(row, count, values);
        sink.accept(values, count);
      }
    }
  }

  private RowUpdates inRows(int rows, int columns, List<WeightUpdate> updates) throws IOException {
    Optional<DenseAlgebra> multiplier =
        (long) rows * columns >= LEAST_FOR_ALGEBRA ? algebraIfThere() : Optional.empty();
    List<RowUpdate> prepared = new ArrayList<>();
    try {
      for (WeightUpdate update : updates) {
        prepared.add(
            update instanceof WeightUpdate.LowRank low
                ? new RowUpdate(low, columns, ChangeRows.of(low.change(), multiplier))
                : inRows((WeightUpdate.General) update, columns, multiplier));
      }
      return new RowUpdates(columns, prepared);
    } catch (Throwable e) {
      prepared.forEach(RowUpdate::close);
      throw e;
    }
  }

  private RowUpdate inRows(
      WeightUpdate.General update, int columns, Optional<DenseAlgebra> multiplier)
      throws IOException {
    Optional<float[]> columnFactors =
        update.module().magnitude().map(Magnitude::ofColumns).orElse(false)
            ? Optional.of(columnFactors(update))
            : Optional.empty();
    return new RowUpdate(
        update, columns, ChangeRows.of(update.module().change(), multiplier), columnFactors);
  }

  /**
   * What each column of a module is multiplied by after its change, so that it gets the length that
   * it should have. Columns go through all weights that the module lies in.
   */
  private float[] columnFactors(WeightUpdate.General update) throws IOException {
    synchronized (columnFactors) {
      float[] known = columnFactors.get(update.parts());
      if (known != null) {
        return known;
      }
    }
    float[] factors = update.module().magnitude().orElseThrow().lengths().toFloats();
    double[] squares = new double[factors.length];
    for (WeightUpdate.Part part : update.parts()) {
      addSquares(update.module(), part, squares);
    }
    for (int i = 0; i < factors.length; i++) {
      factors[i] = squares[i] == 0 ? 0 : (float) (factors[i] / Math.sqrt(squares[i]));
    }
    synchronized (columnFactors) {
      columnFactors.put(update.parts(), factors);
    }
    return factors;
  }

  private void addSquares(AdapterModule module, WeightUpdate.Part part, double[] squares)
      throws IOException {
    List<WeightUpdate> updates =
        new ArrayList<>(
            effective(chain.updatesOf(network, part.weight()).subList(0, part.before())));
    AdapterModule changeOnly =
        new AdapterModule(
            module.name(), module.parameter(), module.change(), Optional.empty(), module.keys());
    updates.add(
        new WeightUpdate.General(
            changeOnly, 1, part.moduleRow(), part.weightRow(), part.rows(), List.of()));
    int firstRow = Math.toIntExact(part.weightRow());
    int rows = Math.toIntExact(part.rows());
    if (updates.stream().anyMatch(before -> before instanceof WeightUpdate.Minor)) {
      addSquares(mergeToFloats(part.weight(), updates), firstRow, rows, squares);
    } else {
      forRows(
          part.weight(),
          firstRow,
          rows,
          updates,
          (values, count) -> addSquares(values, 0, count, squares));
    }
  }

  private static void addSquares(float[] values, int firstRow, int rows, double[] squares) {
    for (int row = firstRow; row < firstRow + rows; row++) {
      for (int i = 0; i < squares.length; i++) {
        double value = values[row * squares.length + i];
        squares[i] += value * value;
      }
    }
  }

  private LowRankProduct product(
      int rows, int columns, boolean split, List<WeightUpdate.LowRank> updates) {
    boolean large = !updates.isEmpty() && (long) rows * columns >= LEAST_FOR_ALGEBRA;
    return new LowRankProduct(
        rows, columns, split, large ? algebraIfThere() : Optional.empty(), updates);
  }

  private Optional<DenseAlgebra> algebraIfThere() {
    synchronized (loading) {
      if (!tried) {
        tried = true;
        try {
          algebra = Optional.of(DenseAlgebra.load());
        } catch (AdapterException e) {
          LOG.debug("merging in plain Java, which takes longer", e);
        }
      }
      return algebra;
    }
  }

  private static void write(float[] weight, ElementType type, ByteSink sink, TaskReporter reporter)
      throws IOException {
    int pieceElements = PIECE_BYTES / Double.BYTES;
    ByteBuffer piece = direct(type.byteSize(pieceElements));
    for (int first = 0; first < weight.length; first += pieceElements) {
      int count = Math.min(pieceElements, weight.length - first);
      Elements.fromFloats(type, weight, first, count, piece.clear());
      int bytes = piece.flip().remaining();
      sink.accept(piece);
      reporter.advance(bytes);
    }
  }

  private static ByteBuffer direct(long bytes) {
    return ByteBuffer.allocateDirect(Math.toIntExact(bytes)).order(ByteOrder.LITTLE_ENDIAN);
  }
}
