package io.github.urae.training.internal.torch;

import io.github.urae.AdapterException;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * An optimizer's memory: tensors of as many numbers as there are parameters, and scalars. Owns the
 * tensors.
 */
@SuppressWarnings("try") // A scope is there to be closed.
final class OptimizerState implements AutoCloseable {

  /** The tensor of the scalars, F64. */
  private static final String SCALARS = "scalars";

  private final OwnedTensors owned = new OwnedTensors();
  private final Map<String, Tensor> tensors = new LinkedHashMap<>();
  private final int scalarCount;
  private final long count;

  /**
   * Makes tensors of zeros.
   *
   * @param parameters like which they are
   * @param names of the tensors
   * @param scalarCount number of scalars
   */
  OptimizerState(AdapterParameters parameters, List<String> names, int scalarCount) {
    this.scalarCount = scalarCount;
    this.count = parameters.count();
    try (PointerScope temporaries = new PointerScope()) {
      for (String name : names) {
        tensors.put(name, owned.add(torch.zeros_like(parameters.values)));
      }
    } catch (Throwable e) {
      owned.close();
      throw e;
    }
  }

  Tensor tensor(String name) {
    return tensors.get(name);
  }

  /** Copies tensors and scalars. */
  Map<String, io.github.urae.tensor.Tensor> copies(double... scalars) {
    Map<String, io.github.urae.tensor.Tensor> copies = new LinkedHashMap<>();
    tensors.forEach((name, tensor) -> copies.put(name, TensorTransfer.toJava(tensor, name)));
    ByteBuffer bytes =
        ByteBuffer.allocateDirect(scalars.length * Double.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asDoubleBuffer().put(scalars);
    copies.put(
        SCALARS,
        io.github.urae.tensor.Tensor.view(
            ElementType.F64, Shape.of(scalars.length), bytes, SCALARS));
    return copies;
  }

  /**
   * Makes sure that tensors and scalars are all there.
   *
   * @throws AdapterException if not
   */
  void check(Map<String, io.github.urae.tensor.Tensor> saved) {
    Set<String> expected = new LinkedHashSet<>(tensors.keySet());
    expected.add(SCALARS);
    if (!saved.keySet().equals(expected)) {
      throw new AdapterException(
          "optimizer's state: expected "
              + expected
              + ", found "
              + saved.keySet()
              + "; it is of another optimizer");
    }
    saved.forEach(
        (name, tensor) -> {
          long length = name.equals(SCALARS) ? scalarCount : count;
          if (!tensor.shape().equals(Shape.of(length))
              || (name.equals(SCALARS) && tensor.type() != ElementType.F64)) {
            throw new AdapterException(
                "optimizer's state: tensor '"
                    + name
                    + "': expected "
                    + length
                    + " numbers, found "
                    + tensor.type()
                    + tensor.shape()
                    + "; it is of another training");
          }
        });
  }

  /** Puts what was checked, and returns the scalars. */
  double[] put(Map<String, io.github.urae.tensor.Tensor> saved) {
    try (PointerScope temporaries = new PointerScope()) {
      tensors.forEach(
          (name, tensor) ->
              tensor.copy_(
                  TensorTransfer.toTorch(
                      saved.get(name), tensor.scalar_type().intern(), new Device("cpu"))));
    }
    double[] scalars = new double[scalarCount];
    saved.get(SCALARS).data().asDoubleBuffer().get(scalars);
    return scalars;
  }

  /** Sets all tensors to zero. */
  void clear() {
    try (PointerScope temporaries = new PointerScope()) {
      tensors.values().forEach(Tensor::zero_);
    }
  }

  @Override
  public void close() {
    owned.close();
  }
}
