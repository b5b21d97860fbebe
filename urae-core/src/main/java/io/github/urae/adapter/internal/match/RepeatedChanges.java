package io.github.urae.adapter.internal.match;

import io.github.urae.AdapterException;
import io.github.urae.adapter.internal.format.AdapterModule;
import io.github.urae.adapter.internal.format.Change;
import io.github.urae.adapter.internal.format.Magnitude;
import io.github.urae.adapter.internal.format.Matrix;
import io.github.urae.adapter.internal.format.ParsedAdapter;
import io.github.urae.internal.PrintableText;
import io.github.urae.tensor.ElementType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Stream;

/**
 * Finds what one adapter holds twice. Some files have the same change under two sets of names,
 * those of diffusers and those of kohya; programs that know both apply it once. Not thread-safe.
 *
 * <p>Two modules of different names that change the same rows must do the same to them, as far as
 * the stored types can tell; otherwise one of them is not what the file's user thinks, and the
 * adapter is refused.
 */
final class RepeatedChanges {

  /** Rows of B that are looked at at once. */
  private static final int PIECE_ROWS = 256;

  private record Applied(AdapterModule module, ModuleTargets.Rows rows) {}

  private final ParsedAdapter adapter;
  private final Map<String, List<Applied>> appliedTo = new HashMap<>();
  private final IdentityHashMap<AdapterModule, String> firstKeys = new IdentityHashMap<>();

  RepeatedChanges(ParsedAdapter adapter) {
    this.adapter = adapter;
  }

  /**
   * Takes a module's rows, in the order of the file.
   *
   * @return those that no module before it has changed in the same way
   * @throws AdapterException if one has, in another
   */
  List<ModuleTargets.Rows> without(AdapterModule module, List<ModuleTargets.Rows> all) {
    List<ModuleTargets.Rows> fresh = new ArrayList<>();
    for (ModuleTargets.Rows rows : all) {
      List<Applied> before =
          appliedTo.computeIfAbsent(
              rows.network() + " " + rows.weight().name(), weight -> new ArrayList<>());
      List<ModuleTargets.Rows> left = List.of(rows);
      for (Applied other : before) {
        if (!other.module().name().equals(module.name())) {
          left = left.stream().flatMap(part -> without(module, part, other).stream()).toList();
        }
      }
      left.forEach(part -> before.add(new Applied(module, part)));
      fresh.addAll(left);
    }
    return fresh;
  }

  /** Returns what of some rows another module has not changed; what it has, it must have so. */
  private List<ModuleTargets.Rows> without(
      AdapterModule module, ModuleTargets.Rows rows, Applied other) {
    long first = Math.max(rows.weightRow(), other.rows().weightRow());
    long end =
        Math.min(rows.weightRow() + rows.rows(), other.rows().weightRow() + other.rows().rows());
    if (first >= end) {
      return List.of(rows);
    }
    Applied mine = new Applied(module, part(rows, first, end));
    Applied theirs = new Applied(other.module(), part(other.rows(), first, end));
    boolean whole = mine.rows().equals(rows);
    // Of other changes a part of a part is none.
    if (!isSame(theirs, mine) || !(whole || isProduct(module))) {
      throw different(theirs, mine);
    }
    firstKeys.put(module, other.module().keys().get(0));
    return Stream.of(
            part(rows, rows.weightRow(), first), part(rows, end, rows.weightRow() + rows.rows()))
        .filter(part -> part.rows() > 0)
        .toList();
  }

  private static boolean isProduct(AdapterModule module) {
    return module.change() instanceof Change.LowRank && module.magnitude().isEmpty();
  }

  /** Returns those of some rows that are the weight's from one to before another. */
  private static ModuleTargets.Rows part(ModuleTargets.Rows rows, long first, long end) {
    return new ModuleTargets.Rows(
        rows.network(),
        rows.weight(),
        rows.moduleRow() + first - rows.weightRow(),
        first,
        end - first);
  }

  /** Returns a key of the module that did the same before. */
  String first(AdapterModule module) {
    return firstKeys.get(module);
  }

  private AdapterException different(Applied one, Applied other) {
    return new AdapterException(
        adapter.path()
            + ": "
            + PrintableText.quoted(one.module().keys().get(0))
            + " and "
            + PrintableText.quoted(other.module().keys().get(0))
            + " change the same rows of "
            + one.rows().weight().name()
            + " in two different ways; the file holds two adapters under two sets of names: save"
            + " one of them without the other");
  }

  private static boolean isSame(Applied one, Applied other) {
    Change first = one.module().change();
    Change second = other.module().change();
    if (!isSameMagnitude(one, other)) {
      return false;
    }
    if (first instanceof Change.LowRank a && second instanceof Change.LowRank b) {
      return isSameProduct(a, one.rows(), b, other.rows());
    }
    if (first instanceof Change.Difference a && second instanceof Change.Difference b) {
      return a.scale() == b.scale() && isSameRows(a.values(), one.rows(), b.values(), other.rows());
    }
    if (first instanceof Change.Replacement a && second instanceof Change.Replacement b) {
      return isSameRows(a.values(), one.rows(), b.values(), other.rows());
    }
    boolean whole = one.rows().moduleRow() == other.rows().moduleRow();
    if (first instanceof Change.Kronecker a && second instanceof Change.Kronecker b) {
      return whole
          && a.scale() == b.scale()
          && isSame(a.left(), b.left())
          && isSame(a.right(), b.right());
    }
    if (first instanceof Change.Hadamard a && second instanceof Change.Hadamard b) {
      return whole
          && a.scale() == b.scale()
          && isSame(a.first(), b.first())
          && isSame(a.second(), b.second());
    }
    return false;
  }

  private static boolean isSameMagnitude(Applied one, Applied other) {
    Optional<Magnitude> first = one.module().magnitude();
    Optional<Magnitude> second = other.module().magnitude();
    if (first.isEmpty() || second.isEmpty()) {
      return first.isEmpty() && second.isEmpty();
    }
    if (first.get().ofColumns() != second.get().ofColumns()) {
      return false;
    }
    return first.get().ofColumns()
        ? isSame(first.get().lengths(), second.get().lengths())
        : isSameRows(first.get().lengths(), one.rows(), second.get().lengths(), other.rows());
  }

  private static boolean isSame(Change.Factor one, Change.Factor other) {
    return one.isUpTransposed() == other.isUpTransposed()
        && isSame(one.down(), other.down())
        && isSame(one.up(), other.up())
        && isSame(one.core(), other.core());
  }

  private static boolean isSame(Optional<Matrix> one, Optional<Matrix> other) {
    if (one.isEmpty() || other.isEmpty()) {
      return one.isEmpty() && other.isEmpty();
    }
    return isSame(one.get(), other.get());
  }

  private static boolean isSame(Matrix one, Matrix other) {
    return one.rows() == other.rows()
        && one.columns() == other.columns()
        && isClose(one.toFloats(), other.toFloats(), tolerance(one.type(), other.type()));
  }

  private static boolean isSameRows(
      Matrix one, ModuleTargets.Rows oneRows, Matrix other, ModuleTargets.Rows otherRows) {
    double tolerance = tolerance(one.type(), other.type());
    for (long row = 0; row < oneRows.rows(); row += PIECE_ROWS) {
      int count = (int) Math.min(PIECE_ROWS, oneRows.rows() - row);
      if (!isClose(
          rows(one, oneRows.moduleRow() + row, count),
          rows(other, otherRows.moduleRow() + row, count),
          tolerance)) {
        return false;
      }
    }
    return true;
  }

  private static float[] rows(Matrix matrix, long first, int count) {
    float[] values = new float[Math.toIntExact(count * matrix.columns())];
    matrix.readRows(first, count, values);
    return values;
  }

  /**
   * Compares two products by what they do to a vector of noise: factors may be scaled or arranged
   * in many ways.
   */
  private static boolean isSameProduct(
      Change.LowRank one,
      ModuleTargets.Rows oneRows,
      Change.LowRank other,
      ModuleTargets.Rows rows) {
    double tolerance =
        Math.max(
            tolerance(one.down().type(), one.up().type()),
            tolerance(other.down().type(), other.up().type()));
    Random random = new Random(one.inputs());
    double[] noise = random.doubles(one.inputs(), -1, 1).toArray();
    return isClose(product(one, oneRows, noise), product(other, rows, noise), tolerance);
  }

  private static float[] product(Change.LowRank change, ModuleTargets.Rows rows, double[] vector) {
    int rank = change.rank();
    double[] inner = new double[rank];
    for (int k = 0; k < rank; k++) {
      float[] row = rows(change.down(), k, 1);
      for (int i = 0; i < row.length; i++) {
        inner[k] += row[i] * vector[i];
      }
    }
    float[] result = new float[Math.toIntExact(rows.rows())];
    for (int first = 0; first < result.length; first += PIECE_ROWS) {
      int count = Math.min(PIECE_ROWS, result.length - first);
      float[] up = rows(change.up(), rows.moduleRow() + first, count);
      for (int i = 0; i < count; i++) {
        double sum = 0;
        for (int k = 0; k < rank; k++) {
          sum += up[i * rank + k] * inner[k];
        }
        result[first + i] = (float) (change.scale() * sum);
      }
    }
    return result;
  }

  /** How far two copies may be apart that were rounded to these types. */
  private static double tolerance(ElementType one, ElementType other) {
    return Math.max(tolerance(one), tolerance(other));
  }

  private static double tolerance(ElementType type) {
    return switch (type) {
      case F64, F32 -> 1e-5;
      case F16 -> 4e-3;
      case BF16 -> 3e-2;
      default -> 0.25;
    };
  }

  private static boolean isClose(float[] one, float[] other, double tolerance) {
    if (one.length != other.length) {
      return false;
    }
    if (Arrays.equals(one, other)) {
      return true;
    }
    double difference = 0;
    double norm = 0;
    for (int i = 0; i < one.length; i++) {
      difference += Math.pow((double) one[i] - other[i], 2);
      norm += Math.max(one[i] * (double) one[i], other[i] * (double) other[i]);
    }
    return Math.sqrt(difference) <= tolerance * Math.sqrt(norm);
  }
}
