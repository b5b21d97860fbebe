package io.github.urae.training.internal.torch;

import io.github.urae.AdapterException;
import io.github.urae.tensor.Shape;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * All trained numbers in one tensor, and their accumulated gradients in another: each parameter is
 * a piece of both. Owns them.
 */
@SuppressWarnings("try") // A scope is there to be closed.
final class AdapterParameters implements AutoCloseable {

  private final OwnedTensors owned = new OwnedTensors();
  private final Map<String, Integer> places = new LinkedHashMap<>();
  private final List<Shape> shapes;
  private final long[] firsts;
  private final List<Tensor> parameters = new ArrayList<>();
  private final List<Tensor> gradientPieces = new ArrayList<>();
  private final Set<String> ups;
  private final Device device;

  /** All numbers, and their gradients: [count] each. */
  final Tensor values;

  final Tensor gradients;

  /**
   * Makes room, filled with zeros.
   *
   * @param shapes of all parameters by their keys, in order
   * @param ups keys of the factors B
   * @param type float32 or bfloat16
   * @param device where they are
   */
  AdapterParameters(
      Map<String, Shape> shapes, Set<String> ups, torch.ScalarType type, Device device) {
    this.device = device;
    this.ups = Set.copyOf(ups);
    this.shapes = List.copyOf(shapes.values());
    this.firsts = new long[shapes.size()];
    long count = this.shapes.stream().mapToLong(Shape::elementCount).sum();
    try (PointerScope temporaries = new PointerScope()) {
      values = zeros(count, type);
      gradients = zeros(count, type);
      long first = 0;
      for (Map.Entry<String, Shape> parameter : shapes.entrySet()) {
        Shape shape = parameter.getValue();
        firsts[parameters.size()] = first;
        places.put(parameter.getKey(), parameters.size());
        Tensor piece = piece(values, first, shape).detach();
        parameters.add(owned.add(piece.set_requires_grad(true)));
        gradientPieces.add(owned.add(piece(gradients, first, shape)));
        first += shape.elementCount();
      }
    } catch (Throwable e) {
      owned.close();
      throw e;
    }
  }

  private Tensor zeros(long count, torch.ScalarType type) {
    return owned.add(torch.zeros(new long[] {count}, new TensorOptions(type)).to(device, type));
  }

  private static Tensor piece(Tensor all, long first, Shape shape) {
    return all.narrow(0, first, shape.elementCount()).view(shape.toArray());
  }

  /** Returns how many numbers there are. */
  long count() {
    return values.numel();
  }

  /** Returns the keys, in order. */
  List<String> keys() {
    return List.copyOf(places.keySet());
  }

  /** Returns a parameter, a leaf of autograd's graphs. */
  Tensor parameter(String key) {
    return parameters.get(places.get(key));
  }

  /** Returns all parameters, in order. */
  List<Tensor> parameters() {
    return parameters;
  }

  /** Returns the shape of a parameter. */
  Shape shape(int index) {
    return shapes.get(index);
  }

  /** Returns how many parameters there are. */
  int size() {
    return shapes.size();
  }

  /** Returns a parameter's piece of a tensor of as many numbers, in the caller's scope. */
  Tensor piece(Tensor all, int index) {
    return all.narrow(0, firsts[index], shapes.get(index).elementCount());
  }

  /** Returns a parameter's place among all. */
  int place(String key) {
    return places.get(key);
  }

  /** Makes room for the gradients of pictures at hand; the caller closes it. */
  FreshGradients fresh() {
    return new FreshGradients(this);
  }

  /**
   * Returns the norm of all gradients, from the norms of the parameters as torch's {@code
   * clip_grad_norm_}.
   */
  double gradientNorm() {
    try (PointerScope temporaries = new PointerScope()) {
      List<Tensor> norms = new ArrayList<>();
      for (Tensor piece : gradientPieces) {
        norms.add(piece.to(torch.ScalarType.Float).norm());
      }
      return torch.stack(new TensorVector(norms.toArray(new Tensor[0]))).norm().item_double();
    }
  }

  /** Copies the gradients to Java. */
  Map<String, io.github.urae.tensor.Tensor> gradients() {
    Map<String, io.github.urae.tensor.Tensor> copies = new LinkedHashMap<>();
    places.forEach(
        (key, place) -> copies.put(key, TensorTransfer.toJava(gradientPieces.get(place), key)));
    return copies;
  }

  /** Copies the values to Java, the factors B multiplied by a scale. */
  Map<String, io.github.urae.tensor.Tensor> adapter(double scale) {
    Map<String, io.github.urae.tensor.Tensor> copies = new LinkedHashMap<>();
    try (NoGradGuard guard = new NoGradGuard()) {
      places.forEach(
          (key, place) -> {
            try (PointerScope temporaries = new PointerScope()) {
              Tensor value = parameters.get(place);
              Tensor given = scale != 1 && ups.contains(key) ? value.mul(new Scalar(scale)) : value;
              copies.put(key, TensorTransfer.toJava(given, key));
            }
          });
    }
    return copies;
  }

  /**
   * Makes sure that values may be put.
   *
   * @throws AdapterException if they are not exactly these parameters
   */
  void check(Map<String, io.github.urae.tensor.Tensor> saved) {
    places.forEach(
        (key, place) -> {
          io.github.urae.tensor.Tensor tensor = saved.get(key);
          if (tensor == null) {
            throw new AdapterException(
                "expected a tensor '" + key + "', found none; the adapter is of another training");
          }
          if (!tensor.shape().equals(shapes.get(place))) {
            throw new AdapterException(
                "tensor '"
                    + key
                    + "': expected shape "
                    + shapes.get(place)
                    + ", found "
                    + tensor.shape()
                    + "; the adapter is of another training");
          }
        });
    saved.keySet().stream()
        .filter(key -> !places.containsKey(key))
        .findFirst()
        .ifPresent(
            key -> {
              throw new AdapterException(
                  "tensor '"
                      + key
                      + "' is of no trained layer; the adapter is of another training");
            });
  }

  /** Puts values, all of them, the factors B divided by a scale. */
  void put(Map<String, io.github.urae.tensor.Tensor> saved, double scale) {
    try (PointerScope temporaries = new PointerScope();
        NoGradGuard guard = new NoGradGuard()) {
      places.forEach(
          (key, place) -> {
            Tensor target = parameters.get(place);
            Tensor value =
                TensorTransfer.toTorch(saved.get(key), target.scalar_type().intern(), device);
            target.copy_(scale != 1 && ups.contains(key) ? value.div(new Scalar(scale)) : value);
          });
    }
  }

  /**
   * Makes sure that values may be put as they were trained.
   *
   * @param saved all values in one tensor; null where there are none
   * @param scale of the factors B in adapters: without one, they are what was trained
   * @throws AdapterException if they are missing or not as many
   */
  void checkTrained(io.github.urae.tensor.Tensor saved, double scale) {
    boolean wanted = scale != 1;
    if (wanted != (saved != null) || (wanted && !saved.shape().equals(Shape.of(count())))) {
      throw new AdapterException(
          "trained factors: expected "
              + (wanted ? count() + " numbers" : "none")
              + ", found "
              + (saved == null ? "none" : saved.shape())
              + "; the state is of another training");
    }
  }

  /** Puts what was checked, bit for bit. */
  void putTrained(io.github.urae.tensor.Tensor saved) {
    try (PointerScope temporaries = new PointerScope();
        NoGradGuard guard = new NoGradGuard()) {
      values.copy_(TensorTransfer.toTorch(saved, values.scalar_type().intern(), device));
    }
  }

  @Override
  public void close() {
    owned.close();
  }
}
