package io.github.urae.training.internal.torch;

import java.util.List;
import java.util.function.Supplier;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;

/**
 * Frees what is on the way to a result as soon as that is there, and not with the step: of
 * activations that no gradient needs, only those of one expression are held.
 */
@SuppressWarnings("try") // A scope is there to be closed.
final class Scopes {

  private Scopes() {}

  /** Computes a tensor that belongs to the caller's scope. */
  static Tensor one(Supplier<Tensor> expression) {
    return several(() -> List.of(expression.get())).get(0);
  }

  /** Computes tensors that belong to the caller's scope. */
  static List<Tensor> several(Supplier<List<Tensor>> expression) {
    List<Tensor> results;
    try (PointerScope scope = new PointerScope()) {
      results = expression.get();
      results.forEach(Tensor::retainReference);
    }
    PointerScope outer = PointerScope.getInnerScope();
    for (Tensor result : results) {
      outer.attach(result);
      result.releaseReference();
    }
    return results;
  }
}
