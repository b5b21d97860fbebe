package io.github.urae.training.internal.torch;

import io.github.urae.AdapterException;
import io.github.urae.tensor.Shape;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * All trained numbers in one tensor, their accumulated gradients in another, and those of the
 * picture at hand in a third: each parameter is a piece of all three. Owns them.
 */
@SuppressWarnings("try") // A scope is there to be closed.
final class AdapterParameters implements AutoCloseable {

  private final OwnedTensors owned = new OwnedTensors();
  private final Map<String, Integer> places = new LinkedHashMap<>();
  private final List<Shape> shapes;
  private final long[] firsts;
  private final List<Tensor> parameters = new ArrayList<>();
  private final List<Tensor> gradientPieces = new ArrayList<>();
  private final List<Tensor> freshPieces = new ArrayList<>();
  private final Device device;

  /** All numbers, their gradients, and the gradients of one picture: [count] each. */
  final Tensor values;

  final Tensor gradients;

  private final Tensor fresh;

  /**
   * Makes room, filled with zeros.
   *
   * @param shapes of all parameters by their keys, in order
   * @param type float32 or bfloat16
   * @param device where they are
   */
  AdapterParameters(Map<String, Shape> shapes, torch.ScalarType type, Device device) {
    this.device = device;
    this.shapes = List.copyOf(shapes.values());
    this.firsts = new long[shapes.size()];
    long count = this.shapes.stream().mapToLong(Shape::elementCount).sum();
    try (PointerScope temporaries = new PointerScope()) {
      values = zeros(count, type);
      gradients = zeros(count, type);
      fresh = zeros(count, type);
      long first = 0;
      for (Map.Entry<String, Shape> parameter : shapes.entrySet()) {
        Shape shape = parameter.getValue();
        firsts[parameters.size()] = first;
        places.put(parameter.getKey(), parameters.size());
        Tensor piece = piece(values, first, shape).detach();
        parameters.add(owned.add(piece.set_requires_grad(true)));
        gradientPieces.add(owned.add(piece(gradients, first, shape)));
        freshPieces.add(owned.add(piece(fresh, first, shape)));
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

  /** Returns how many parameters there are. */
  int size() {
    return shapes.size();
  }

  /** Returns a parameter's piece of a tensor of as many numbers, in the caller's scope. */
  Tensor piece(Tensor all, int index) {
    return all.narrow(0, firsts[index], shapes.get(index).elementCount());
  }

  /** Forgets the gradients of the last picture. */
  void startPicture() {
    fresh.zero_();
  }

  /**
   * Puts gradients of the picture at hand.
   *
   * @param keys whose
   * @param result autograd's, undefined where the loss does not depend on a parameter
   * @param first index of the first of them there
   */
  void putGradients(List<String> keys, TensorVector result, int first) {
    for (int i = 0; i < keys.size(); i++) {
      Tensor gradient = result.get(first + i);
      if (gradient.defined()) {
        freshPieces.get(places.get(keys.get(i))).copy_(gradient);
      }
    }
  }

  /** Returns the sum of squares of the picture's gradients: not finite if one of them is not. */
  double freshSquares() {
    try (PointerScope temporaries = new PointerScope()) {
      Tensor wide = fresh.to(torch.ScalarType.Float);
      return wide.dot(wide).item_double();
    }
  }

  /** Adds the picture's gradients to those accumulated. */
  void addPicture(double weight) {
    try (PointerScope temporaries = new PointerScope()) {
      gradients.add_(fresh, new Scalar(weight));
    }
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

  /** Copies the values, or the gradients, to Java. */
  Map<String, io.github.urae.tensor.Tensor> copies(boolean ofGradients) {
    Map<String, io.github.urae.tensor.Tensor> copies = new LinkedHashMap<>();
    places.forEach(
        (key, place) ->
            copies.put(
                key,
                TensorTransfer.toJava(
                    (ofGradients ? gradientPieces : parameters).get(place), key)));
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

  /** Puts values, all of them. */
  void put(Map<String, io.github.urae.tensor.Tensor> saved) {
    try (PointerScope temporaries = new PointerScope();
        NoGradGuard guard = new NoGradGuard()) {
      places.forEach(
          (key, place) -> {
            Tensor target = parameters.get(place);
            target.copy_(
                TensorTransfer.toTorch(saved.get(key), target.scalar_type().intern(), device));
          });
    }
  }

  @Override
  public void close() {
    owned.close();
  }
}
