package io.github.urae.training.internal.torch;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * Gradients of the pictures at hand, before they are added to those of an update: a picture whose
 * gradient is not finite changes nothing. Owns its tensor; of one thread at a time.
 */
@SuppressWarnings("try") // A scope is there to be closed.
final class FreshGradients implements AutoCloseable {

  private final AdapterParameters parameters;
  private final OwnedTensors owned = new OwnedTensors();
  private final List<Tensor> pieces = new ArrayList<>();
  private final Tensor all;

  FreshGradients(AdapterParameters parameters) {
    this.parameters = parameters;
    try (PointerScope temporaries = new PointerScope()) {
      all = owned.add(torch.zeros_like(parameters.gradients));
      for (int i = 0; i < parameters.size(); i++) {
        pieces.add(owned.add(parameters.piece(all, i).view(parameters.shape(i).toArray())));
      }
    } catch (Throwable e) {
      owned.close();
      throw e;
    }
  }

  /** Forgets all. */
  void clear() {
    all.zero_();
  }

  /**
   * Adds gradients.
   *
   * @param keys of which parameters
   * @param result autograd's, undefined where the loss does not depend on a parameter
   * @param first index of the first of them there
   */
  void add(List<String> keys, TensorVector result, int first) {
    for (int i = 0; i < keys.size(); i++) {
      Tensor gradient = result.get(first + i);
      if (gradient.defined()) {
        pieces.get(parameters.place(keys.get(i))).add_(gradient);
      }
    }
  }

  /** Returns the sum of squares: not finite if one of the gradients is not. */
  double squares() {
    try (PointerScope temporaries = new PointerScope()) {
      Tensor wide = all.to(torch.ScalarType.Float);
      return wide.dot(wide).item_double();
    }
  }

  /** Adds all to the gradients of the update. */
  void addToUpdate(double weight) {
    try (PointerScope temporaries = new PointerScope()) {
      parameters.gradients.add_(all, new Scalar(weight));
    }
  }

  @Override
  public void close() {
    owned.close();
  }
}
