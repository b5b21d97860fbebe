package io.github.urae.training.internal.torch;

import io.github.urae.training.internal.engine.OptimizerSettings;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;

/**
 * AdamW in PyTorch's order of operations.
 *
 * @see <a href="https://docs.pytorch.org/docs/stable/generated/torch.optim.AdamW.html">PyTorch:
 *     {@code torch.optim.AdamW}</a>
 */
@SuppressWarnings("try") // A scope is there to be closed.
final class AdamWOptimizer implements AdapterOptimizer {

  /** Numbers that are changed at once: enough to be quick, few enough for temporaries. */
  private static final long SPAN = 1 << 20;

  private final OptimizerSettings.AdamW settings;
  private final AdapterParameters parameters;
  private final OptimizerState state;
  private final Tensor mean;
  private final Tensor square;
  private long updates;

  AdamWOptimizer(OptimizerSettings.AdamW settings, AdapterParameters parameters) {
    this.settings = settings;
    this.parameters = parameters;
    state = new OptimizerState(parameters, List.of("exp_avg", "exp_avg_sq"), 1);
    mean = state.tensor("exp_avg");
    square = state.tensor("exp_avg_sq");
  }

  @Override
  public void update(double learningRate) {
    long step = updates + 1;
    double ofMean = 1 - Math.pow(settings.beta1(), (double) step);
    double ofSquare = 1 - Math.pow(settings.beta2(), (double) step);
    // Each number is on its own here, so that parameters need not be told apart.
    for (long first = 0; first < parameters.count(); first += SPAN) {
      long length = Math.min(SPAN, parameters.count() - first);
      try (PointerScope temporaries = new PointerScope()) {
        Tensor value = parameters.values.narrow(0, first, length);
        Tensor gradient = parameters.gradients.narrow(0, first, length);
        value.mul_(new Scalar(1 - learningRate * settings.weightDecay()));
        Tensor ownMean =
            mean.narrow(0, first, length).lerp_(gradient, new Scalar(1 - settings.beta1()));
        Tensor root =
            square
                .narrow(0, first, length)
                .mul_(new Scalar(settings.beta2()))
                .addcmul_(gradient, gradient, new Scalar(1 - settings.beta2()))
                .sqrt()
                .div_(new Scalar(Math.sqrt(ofSquare)))
                .add_(new Scalar(settings.epsilon()));
        value.addcdiv_(ownMean, root, new Scalar(-learningRate / ofMean));
      }
    }
    updates = step;
  }

  @Override
  public long updates() {
    return updates;
  }

  @Override
  public OptionalDouble stepSize() {
    return OptionalDouble.empty();
  }

  @Override
  public Map<String, io.github.urae.tensor.Tensor> state() {
    return state.copies((double) updates);
  }

  @Override
  public void check(Map<String, io.github.urae.tensor.Tensor> saved) {
    state.check(saved);
  }

  @Override
  public void put(Map<String, io.github.urae.tensor.Tensor> saved) {
    if (saved.isEmpty()) {
      state.clear();
      updates = 0;
    } else {
      updates = (long) state.put(saved)[0];
    }
  }

  @Override
  public void close() {
    state.close();
  }
}
