package io.github.urae.adapter.internal.format;

import io.github.urae.AdapterException;
import io.github.urae.internal.PrintableText;
import io.github.urae.tensor.Tensor;
import io.github.urae.weights.SafetensorsFile;
import java.io.IOException;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Makes changes of the tensors that a file holds for one module, and checks them: what belongs
 * together is there, the shapes fit, every value is finite. Not thread-safe.
 */
final class ChangeReader {

  /** Values that are looked at at once. */
  private static final int PIECE = 1 << 16;

  private final SafetensorsFile file;
  private final Optional<AlphaSettings> settings;
  private final String module;
  private final Map<KeyRole, String> keys;
  private final Set<KeyRole> left;
  private final List<AdapterModule> changes = new ArrayList<>();

  /**
   * @param settings what says alpha where no tensor does
   * @param module the module's name
   * @param keys its keys by role
   */
  ChangeReader(
      SafetensorsFile file,
      Optional<AlphaSettings> settings,
      String module,
      Map<KeyRole, String> keys) {
    this.file = file;
    this.settings = settings;
    this.module = module;
    this.keys = new EnumMap<>(keys);
    this.left = EnumSet.copyOf(keys.keySet());
  }

  /** Returns the module's changes, in the order in which they are applied. */
  List<AdapterModule> read() throws IOException {
    Optional<Change> product = product();
    if (product.isPresent()) {
      addProduct(product.get());
    }
    if (has(KeyRole.WEIGHT_DIFFERENCE)) {
      add(Parameter.WEIGHT, difference(KeyRole.WEIGHT_DIFFERENCE, 1), KeyRole.WEIGHT_DIFFERENCE);
    }
    if (has(KeyRole.BIAS_DIFFERENCE)) {
      add(Parameter.BIAS, difference(KeyRole.BIAS_DIFFERENCE, 1), KeyRole.BIAS_DIFFERENCE);
    }
    if (has(KeyRole.WHOLE_WEIGHT)) {
      add(Parameter.WEIGHT, replacement(KeyRole.WHOLE_WEIGHT), KeyRole.WHOLE_WEIGHT);
    }
    if (has(KeyRole.WHOLE_BIAS)) {
      add(Parameter.BIAS, replacement(KeyRole.WHOLE_BIAS), KeyRole.WHOLE_BIAS);
    }
    if (!changes.isEmpty()) {
      // Alpha divides by a rank; what has none goes without, as ComfyUI has it.
      left.remove(KeyRole.ALPHA);
    }
    return changes;
  }

  /** Returns the keys that no change was made of. */
  List<String> leftKeys() {
    return left.stream().map(keys::get).toList();
  }

  private boolean has(KeyRole role) {
    return keys.containsKey(role);
  }

  private Optional<Change> product() throws IOException {
    List<Change> products = new ArrayList<>();
    if (has(KeyRole.DOWN) || has(KeyRole.UP) || has(KeyRole.UP_BIAS)) {
      products.add(lowRank());
    }
    if (keys.keySet().stream().anyMatch(KeyRole::isOfKronecker)) {
      products.add(kronecker());
    }
    if (keys.keySet().stream().anyMatch(KeyRole::isOfHadamard)) {
      products.add(hadamard());
    }
    if (products.size() > 1) {
      throw refused(
          keys.values().iterator().next(),
          "the module is changed by products of two kinds at once; expected one");
    }
    if (products.isEmpty() && has(KeyRole.MAGNITUDE)) {
      throw refused(
          keys.get(KeyRole.MAGNITUDE), "DoRA's magnitude without the update that it belongs to");
    }
    return products.stream().findFirst();
  }

  private void addProduct(Change product) throws IOException {
    Optional<Magnitude> magnitude = Optional.empty();
    if (has(KeyRole.MAGNITUDE)) {
      magnitude = Optional.of(magnitude(product));
    }
    List<KeyRole> roles = new ArrayList<>();
    for (KeyRole role : KeyRole.values()) {
      if (has(role) && isOfProduct(role)) {
        roles.add(role);
      }
    }
    List<String> used = roles.stream().map(keys::get).toList();
    left.removeAll(roles);
    changes.add(new AdapterModule(module, Parameter.WEIGHT, product, magnitude, used));
    if (has(KeyRole.UP_BIAS)) {
      // PEFT multiplies what B gives, its bias included.
      add(Parameter.BIAS, difference(KeyRole.UP_BIAS, product.scale()), KeyRole.UP_BIAS);
    }
  }

  private static boolean isOfProduct(KeyRole role) {
    return switch (role) {
      case DOWN, UP, ALPHA, SCALE, MAGNITUDE -> true;
      default -> role.isOfKronecker() || role.isOfHadamard();
    };
  }

  private void add(Parameter parameter, Change change, KeyRole role) {
    left.remove(role);
    changes.add(
        new AdapterModule(module, parameter, change, Optional.empty(), List.of(keys.get(role))));
  }

  // Kinds

  private Change lowRank() throws IOException {
    if (!has(KeyRole.DOWN) || !has(KeyRole.UP)) {
      throw missing(
          has(KeyRole.DOWN) ? KeyRole.DOWN : has(KeyRole.UP) ? KeyRole.UP : KeyRole.UP_BIAS);
    }
    Matrix down = matrix(KeyRole.DOWN);
    Matrix up = matrix(KeyRole.UP);
    checkProduct(KeyRole.DOWN, down, KeyRole.UP, up);
    Scale scale = scale(down.rows(), KeyRole.DOWN);
    return new Change.LowRank(down, up, scale.alpha, scale.factor);
  }

  private Change kronecker() throws IOException {
    Change.Factor left =
        factor(KeyRole.KRONECKER_1, KeyRole.KRONECKER_1_A, KeyRole.KRONECKER_1_B, Optional.empty());
    Change.Factor right =
        factor(
            KeyRole.KRONECKER_2,
            KeyRole.KRONECKER_2_A,
            KeyRole.KRONECKER_2_B,
            Optional.of(KeyRole.KRONECKER_2_CORE));
    int rank = right.rank() > 0 ? right.rank() : left.rank();
    Scale scale =
        rank == 0
            ? scaleOfWholeFactors()
            : scale(rank, right.rank() > 0 ? KeyRole.KRONECKER_2_B : KeyRole.KRONECKER_1_B);
    return new Change.Kronecker(left, right, scale.alpha, scale.factor);
  }

  /** Alpha beside two whole factors says nothing: writers put a large number there. */
  private Scale scaleOfWholeFactors() {
    Optional<Double> configured =
        has(KeyRole.ALPHA)
            ? Optional.empty()
            : settings.flatMap(alpha -> alpha.scaleOfWholeFactors(module));
    if (configured.isPresent() && !Double.isFinite(configured.get())) {
      throw refused(
          keys.get(KeyRole.KRONECKER_1),
          "expected a finite alpha / r in the configuration, found " + configured.get());
    }
    return new Scale(0, configured.orElse(1.0));
  }

  private Change hadamard() throws IOException {
    Change.Factor first =
        product(KeyRole.HADAMARD_1_A, KeyRole.HADAMARD_1_B, Optional.of(KeyRole.HADAMARD_1_CORE));
    Change.Factor second =
        product(KeyRole.HADAMARD_2_A, KeyRole.HADAMARD_2_B, Optional.of(KeyRole.HADAMARD_2_CORE));
    if (first.rows() != second.rows() || first.columns() != second.columns()) {
      throw refused(
          keys.get(KeyRole.HADAMARD_1_A),
          "expected two products of one shape, found ["
              + first.rows()
              + ", "
              + first.columns()
              + "] and ["
              + second.rows()
              + ", "
              + second.columns()
              + "]");
    }
    Scale scale = scale(first.rank(), KeyRole.HADAMARD_1_B);
    return new Change.Hadamard(first, second, scale.alpha, scale.factor);
  }

  private Change.Factor factor(KeyRole whole, KeyRole up, KeyRole down, Optional<KeyRole> core)
      throws IOException {
    if (!has(whole)) {
      return product(up, down, core);
    }
    if (has(up) || has(down) || core.map(this::has).orElse(false)) {
      throw refused(keys.get(whole), "is stored whole and as a product at once; expected one");
    }
    return Change.Factor.whole(matrix(whole));
  }

  private Change.Factor product(KeyRole upRole, KeyRole downRole, Optional<KeyRole> coreRole)
      throws IOException {
    if (!has(upRole) || !has(downRole)) {
      throw missing(
          has(upRole) ? upRole : has(downRole) ? downRole : keys.keySet().iterator().next());
    }
    Matrix up = matrix(upRole);
    Matrix down = matrix(downRole);
    if (coreRole.isEmpty() || !has(coreRole.get())) {
      checkProduct(downRole, down, upRole, up);
      return Change.Factor.product(up, down);
    }
    Matrix core = matrix(coreRole.get());
    if (down.rows() == 0 || core.columns() != down.rows() || core.rows() != up.rows()) {
      throw refused(
          keys.get(coreRole.get()),
          "expected [rank, rank] between [rank, outputs] and [rank, inputs], found "
              + core.tensor().shape()
              + " between "
              + up.tensor().shape()
              + " and "
              + down.tensor().shape());
    }
    return Change.Factor.tucker(core, up, down);
  }

  private void checkProduct(KeyRole downRole, Matrix down, KeyRole upRole, Matrix up) {
    if (down.rows() == 0 && up.columns() == 0) {
      throw refused(
          keys.get(downRole),
          "an empty pair of rank 0, "
              + down.tensor().shape()
              + " and "
              + up.tensor().shape()
              + ": its program did not save what it had trained; save the adapter again, or"
              + " remove the pair");
    }
    if (down.rows() == 0 || up.columns() != down.rows()) {
      throw new AdapterException(
          file.path()
              + ": "
              + PrintableText.quoted(keys.get(downRole))
              + " "
              + down.tensor().shape()
              + " and "
              + PrintableText.quoted(keys.get(upRole))
              + " "
              + up.tensor().shape()
              + ": expected [rank, inputs] and [outputs, rank] of the same rank");
    }
  }

  private Change difference(KeyRole role, double scale) throws IOException {
    return new Change.Difference(matrix(role), scale);
  }

  private Change replacement(KeyRole role) throws IOException {
    return new Change.Replacement(matrix(role));
  }

  /** The shape says which: OneTrainer writes [1, inputs], or [outputs, 1]; PEFT [outputs]. */
  private Magnitude magnitude(Change change) throws IOException {
    Tensor tensor = tensor(KeyRole.MAGNITUDE);
    long count = tensor.shape().elementCount();
    boolean lies = tensor.shape().rank() > 1 && tensor.shape().dimension(0) == 1;
    boolean ofColumns = lies && (count != change.outputs() || count == change.inputs());
    if (count != (ofColumns ? change.inputs() : change.outputs())) {
      throw refused(
          keys.get(KeyRole.MAGNITUDE),
          "expected DoRA's magnitude of "
              + change.outputs()
              + " rows or "
              + change.inputs()
              + " columns, found "
              + tensor.shape());
    }
    return new Magnitude(new Matrix(tensor, count, 1), ofColumns);
  }

  // Alpha

  private record Scale(double alpha, double factor) {}

  private Scale scale(long rank, KeyRole named) throws IOException {
    double alpha = rank;
    double factor = 1;
    String key = keys.get(has(KeyRole.SCALE) ? KeyRole.SCALE : KeyRole.ALPHA);
    if (has(KeyRole.SCALE)) {
      factor = scalar(key);
      alpha = factor * rank;
    } else if (key != null) {
      alpha = scalar(key);
      factor = alpha / rank;
    } else if (settings.isPresent()) {
      alpha = settings.get().alpha(module, rank);
      factor =
          settings.get().isRankStabilised(module) ? alpha / Math.sqrt((double) rank) : alpha / rank;
    }
    // Zero is meant: so blocks are switched off.
    if (!Double.isFinite(factor)) {
      throw refused(key == null ? keys.get(named) : key, "expected a finite alpha, found " + alpha);
    }
    return new Scale(alpha, factor);
  }

  private double scalar(String key) throws IOException {
    Tensor tensor = file.tensor(key);
    if (tensor.shape().elementCount() != 1 || !tensor.type().isConvertible()) {
      throw refused(key, "expected one number, found " + tensor.type() + tensor.shape());
    }
    return tensor.toFloats()[0];
  }

  // Tensors

  /** A vector is a column, and of a convolution of size 1 the last dimensions are left out. */
  private Matrix matrix(KeyRole role) throws IOException {
    Tensor tensor = tensor(role);
    int rank = tensor.shape().rank();
    // Of pairs without a rank more is said elsewhere.
    boolean isEmpty =
        tensor.shape().elementCount() == 0 && role != KeyRole.DOWN && role != KeyRole.UP;
    boolean flat = rank > 0 && !isEmpty;
    for (int axis = 2; axis < rank; axis++) {
      flat &= tensor.shape().dimension(axis) == 1;
    }
    if (!flat || (rank == 1 && isOfProduct(role))) {
      throw refused(
          keys.get(role),
          "expected a matrix of floating-point numbers, found " + tensor.type() + tensor.shape());
    }
    return new Matrix(
        tensor, tensor.shape().dimension(0), rank == 1 ? 1 : tensor.shape().dimension(1));
  }

  private Tensor tensor(KeyRole role) throws IOException {
    String key = keys.get(role);
    Tensor tensor = file.tensor(key);
    if (!tensor.type().isFloatingPoint() || !tensor.type().isConvertible()) {
      throw refused(
          key,
          "expected a matrix of floating-point numbers, found " + tensor.type() + tensor.shape());
    }
    float[] values = new float[(int) Math.min(PIECE, tensor.shape().elementCount())];
    for (long first = 0; first < tensor.shape().elementCount(); first += PIECE) {
      int count = (int) Math.min(PIECE, tensor.shape().elementCount() - first);
      tensor.toFloats(first, values, 0, count);
      for (int i = 0; i < count; i++) {
        if (!Float.isFinite(values[i])) {
          throw refused(
              key, "holds a value that is not finite (" + values[i] + "); the adapter is damaged");
        }
      }
    }
    return tensor;
  }

  private AdapterException missing(KeyRole found) {
    return refused(
        keys.get(found),
        found == KeyRole.DOWN || found == KeyRole.UP
            ? "the other half of the pair is missing"
            : "what it is multiplied with is missing");
  }

  private AdapterException refused(String key, String fault) {
    return new AdapterException(file.path() + ": " + PrintableText.quoted(key) + ": " + fault);
  }
}
