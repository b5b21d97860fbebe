package io.github.urae.onnx.internal.graph;

import io.github.urae.tensor.ElementType;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

/**
 * Chooses how each linear layer of a network is computed, by the arithmetic asked for, by how its
 * weight is stored, and by what the layer is in its network. Immutable.
 *
 * <p>A weight that {@linkplain Arithmetic#adapted() adapters change} is computed with as it is
 * stored, with a branch beside it, or in a way that takes any values.
 */
public final class LinearLayers {

  private static final LinearLayer GEMM = new Gemm();

  /** Ways to compute with weights as they are stored, the first that takes a weight. */
  private static final List<LinearLayer> AS_STORED =
      List.of(new DequantisedBlocks(), new DequantisedElements(), new FourBitProduct(), GEMM);

  /** Matrix products in the network's own type, whatever is stored. */
  public static final LinearLayers PLAIN =
      new LinearLayers(weight -> Optional.empty(), List.of(), Map.of());

  private final Function<String, Optional<TensorInfo>> stored;
  private final List<LinearLayer> ways;
  private final Map<String, Adaptation> adapted;

  private LinearLayers(
      Function<String, Optional<TensorInfo>> stored,
      List<LinearLayer> ways,
      Map<String, Adaptation> adapted) {
    this.stored = stored;
    this.ways = List.copyOf(ways);
    this.adapted = adapted;
  }

  /**
   * Chooses for the weights of a checkpoint.
   *
   * @param weights the checkpoint; looked at while a graph is built
   * @param arithmetic what is asked for; layers that it does not suit are computed as stored
   * @return the choice
   */
  public static LinearLayers of(TensorSource weights, Arithmetic arithmetic) {
    if (arithmetic.linear() == LinearArithmetic.PLAIN) {
      return PLAIN;
    }
    return new LinearLayers(weights::find, ways(arithmetic.linear()), arithmetic.adapted());
  }

  /** The first way that takes a weight computes its layer. */
  private static List<LinearLayer> ways(LinearArithmetic arithmetic) {
    return switch (arithmetic) {
      case PLAIN -> List.of(GEMM);
      case AS_STORED -> AS_STORED;
      case Q8 -> before(AS_STORED, RoundedProduct.EIGHT_BITS, new RoundedWeight());
      case Q4 -> before(AS_STORED, RoundedProduct.FOUR_BITS, new RoundedWeight());
      case INT8 -> integers(ElementType.I8);
      case INT8_UNSIGNED -> integers(ElementType.U8);
    };
  }

  /** What integers do not suit is computed as it is stored. */
  private static List<LinearLayer> integers(ElementType type) {
    SpareBytes memory = new SpareBytes();
    return before(
        AS_STORED, new IntegerProduct(type, false, memory), new IntegerProduct(type, true, memory));
  }

  private static List<LinearLayer> before(List<LinearLayer> rest, LinearLayer... first) {
    List<LinearLayer> ways = new ArrayList<>(List.of(first));
    ways.addAll(rest);
    return ways;
  }

  /** Chooses among some ways; where none takes a weight, a plain product is computed. */
  static LinearLayers of(TensorSource weights, List<LinearLayer> ways) {
    return new LinearLayers(weights::find, ways, Map.of());
  }

  /** Returns how a weight is stored; empty if that is not to be looked at. */
  Optional<TensorInfo> stored(String weight) {
    return stored.apply(weight);
  }

  /** Returns how a table is stored whose rows are looked up; empty if its values may be others. */
  Optional<TensorInfo> table(String weight) {
    return adapted.containsKey(weight) ? Optional.empty() : stored(weight);
  }

  /** Returns how the layer of a weight is computed. */
  LinearLayer layer(String weight, LayerRole role) {
    Optional<TensorInfo> info = stored.apply(weight);
    LinearLayer way =
        info.flatMap(found -> ways.stream().filter(w -> w.takes(found, role)).findFirst())
            .orElse(GEMM);
    // Whatever is merged into plain values is exact already.
    if (way.equals(GEMM) || !adapted.containsKey(weight)) {
      return way;
    }
    return adapted.get(weight) instanceof Adaptation.Beside beside
        ? new LowRankBranch(way, beside.rank())
        : way.ofOtherValues(info.orElseThrow(), role);
  }
}
