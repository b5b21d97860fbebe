package io.github.urae.training.internal.torch;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/**
 * Tensors that outlive the {@link org.bytedeco.javacpp.PointerScope} they were made in: their owner
 * frees them. Not thread-safe.
 */
final class OwnedTensors implements AutoCloseable {

  private final List<Tensor> tensors = new ArrayList<>();

  /**
   * Takes a tensor over.
   *
   * @param tensor may be an element of a vector, which goes with the vector
   * @return another object of the same tensor, valid until this is closed
   */
  Tensor add(Tensor tensor) {
    Tensor own = new Tensor(tensor);
    own.retainReference();
    tensors.add(own);
    return own;
  }

  /** Takes several tensors over. */
  List<Tensor> addAll(List<Tensor> several) {
    return several.stream().map(this::add).toList();
  }

  @Override
  public void close() {
    tensors.forEach(Tensor::releaseReference);
    tensors.clear();
  }
}
