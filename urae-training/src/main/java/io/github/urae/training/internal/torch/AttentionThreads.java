package io.github.urae.training.internal.torch;

import java.util.function.Supplier;
import org.bytedeco.openblas.global.openblas_nolapack;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorBase;
import org.bytedeco.pytorch.VoidTensorHook;

/**
 * Keeps OpenBLAS to one thread while libtorch's attention computes on the processor. Attention asks
 * for products from all threads of libtorch at once, and OpenBLAS's own threads work for one caller
 * at a time, for whom the others wait: with both, a step takes longer the more threads there are.
 * Anywhere else a product is asked for alone, and takes all of OpenBLAS's threads.
 *
 * <p>The number is the whole process's. What is set apart from here meanwhile is lost.
 */
final class AttentionThreads {

  private static final Object LOCK = new Object();

  /** How many threads OpenBLAS had: -1 unless a number was set, which also sets its own choice. */
  private static int before;

  private static boolean taken;

  /** Called in the course of a gradient. There is one of each, as JavaCPP has room for ten. */
  private static final Hook BEGIN = new Hook(AttentionThreads::take);

  private static final Hook END = new Hook(AttentionThreads::giveBack);

  private AttentionThreads() {}

  /**
   * Computes attention, and has its gradient computed the same way.
   *
   * @param query with the next two what attention is computed of
   * @param attention computes it of just these tensors
   * @return what it computes
   */
  static Tensor during(Tensor query, Tensor key, Tensor value, Supplier<Tensor> attention) {
    take();
    Tensor result;
    try {
      result = attention.get();
    } finally {
      giveBack();
    }
    if (result.requires_grad()) {
      result.register_hook(BEGIN);
      for (Tensor input : new Tensor[] {query, key, value}) {
        if (input.requires_grad()) {
          input.register_hook(END);
        }
      }
    }
    return result;
  }

  private static void take() {
    synchronized (LOCK) {
      int threads = openblas_nolapack.blas_get_num_threads();
      if (threads != 1) {
        openblas_nolapack.blas_set_num_threads(1);
        before = threads;
        taken = true;
      }
    }
  }

  /** Ends what a gradient that failed has begun; does nothing otherwise. */
  static void giveBack() {
    synchronized (LOCK) {
      if (taken) {
        openblas_nolapack.blas_set_num_threads(before);
        taken = false;
      }
    }
  }

  private static final class Hook extends VoidTensorHook {

    private final Runnable action;

    Hook(Runnable action) {
      this.action = action;
      // The scope in which this class happens to be initialised is not to free it.
      retainReference();
    }

    @Override
    public void call(TensorBase gradient) {
      action.run();
    }
  }
}
