package io.github.urae.training.internal.torch;

import io.github.urae.InferenceException;
import io.github.urae.training.internal.engine.OptimizerSettings;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;

/**
 * Prodigy in the order of operations of its authors' program, parameter by parameter.
 *
 * @see <a href="https://github.com/konstmish/prodigy">prodigyopt</a>
 */
@SuppressWarnings("try") // A scope is there to be closed.
final class ProdigyOptimizer implements AdapterOptimizer {

  private final OptimizerSettings.Prodigy settings;
  private final AdapterParameters parameters;
  private final OptimizerState state;
  private final Tensor mean;
  private final Tensor square;

  /** What d's estimate is divided by, before its absolute values are summed. */
  private final Tensor direction;

  private final Tensor start;
  private long updates;

  /** Updates that moved something: those that the correction counts. */
  private long moves;

  private double d;
  private double largestD;
  private double numerator;

  ProdigyOptimizer(OptimizerSettings.Prodigy settings, AdapterParameters parameters) {
    this.settings = settings;
    this.parameters = parameters;
    state = new OptimizerState(parameters, List.of("exp_avg", "exp_avg_sq", "s", "p0"), 5);
    mean = state.tensor("exp_avg");
    square = state.tensor("exp_avg_sq");
    direction = state.tensor("s");
    start = state.tensor("p0");
    startAnew();
  }

  private void startAnew() {
    state.clear();
    try (PointerScope temporaries = new PointerScope()) {
      start.copy_(parameters.values);
    }
    updates = 0;
    moves = 0;
    d = settings.initialD();
    largestD = d;
    numerator = 0;
  }

  @Override
  public void update(double learningRate) {
    double correction =
        settings.biasCorrection()
            ? Math.sqrt(1 - Math.pow(settings.beta2(), moves + 1.0))
                / (1 - Math.pow(settings.beta1(), moves + 1.0))
            : 1;
    double rate = d * learningRate * correction;
    // Without a rate or any gradient, nothing is learnt and nothing decays.
    if (rate > 0 && estimate(rate)) {
      move(rate);
      moves++;
    }
    updates++;
  }

  /**
   * Takes the gradient in, and estimates d anew.
   *
   * @return whether there ever was a gradient
   */
  private boolean estimate(double rate) {
    double share = d / settings.initialD();
    double gain = 0;
    double length = 0;
    for (int i = 0; i < parameters.size(); i++) {
      try (PointerScope temporaries = new PointerScope()) {
        Tensor value = parameters.piece(parameters.values, i);
        Tensor gradient = parameters.piece(parameters.gradients, i);
        if (settings.weightDecay() != 0 && !settings.decoupled()) {
          gradient.add_(value, new Scalar(settings.weightDecay()));
        }
        Tensor way = parameters.piece(start, i).sub(value);
        gain += share * rate * gradient.dot(way).item_double();
        parameters
            .piece(mean, i)
            .mul_(new Scalar(settings.beta1()))
            .add_(gradient, new Scalar(d * (1 - settings.beta1())));
        parameters
            .piece(square, i)
            .mul_(new Scalar(settings.beta2()))
            .addcmul_(gradient, gradient, new Scalar(d * d * (1 - settings.beta2())));
        length +=
            parameters
                .piece(direction, i)
                .mul_(new Scalar(settings.beta3()))
                .add_(gradient, new Scalar(share * (settings.safeguardWarmup() ? d : rate)))
                .abs()
                .sum()
                .item_double();
      }
    }
    if (length == 0) {
      return false;
    }
    numerator = numerator * settings.beta3() + gain;
    double estimate = settings.coefficient() * numerator / length;
    if (!Double.isFinite(estimate)) {
      throw new InferenceException(
          "Prodigy's estimate of its step size is not finite: " + numerator + " / " + length);
    }
    if (d == settings.initialD()) {
      d = Math.max(d, estimate);
    }
    largestD = Math.max(largestD, estimate);
    d = Math.min(largestD, d * settings.growthRate());
    return true;
  }

  /** The rate is that of before the estimate, epsilon's factor that of after it. */
  private void move(double rate) {
    for (int i = 0; i < parameters.size(); i++) {
      try (PointerScope temporaries = new PointerScope()) {
        Tensor value = parameters.piece(parameters.values, i);
        if (settings.weightDecay() != 0 && settings.decoupled()) {
          value.add_(value, new Scalar(-settings.weightDecay() * rate));
        }
        Tensor root = parameters.piece(square, i).sqrt().add_(new Scalar(d * settings.epsilon()));
        value.addcdiv_(parameters.piece(mean, i), root, new Scalar(-rate));
      }
    }
  }

  @Override
  public long updates() {
    return updates;
  }

  @Override
  public OptionalDouble stepSize() {
    return OptionalDouble.of(d);
  }

  @Override
  public Map<String, io.github.urae.tensor.Tensor> state() {
    return state.copies((double) updates, (double) moves, d, largestD, numerator);
  }

  @Override
  public void check(Map<String, io.github.urae.tensor.Tensor> saved) {
    state.check(saved);
  }

  @Override
  public void put(Map<String, io.github.urae.tensor.Tensor> saved) {
    if (saved.isEmpty()) {
      startAnew();
      return;
    }
    double[] scalars = state.put(saved);
    updates = (long) scalars[0];
    moves = (long) scalars[1];
    d = scalars[2];
    largestD = scalars[3];
    numerator = scalars[4];
  }

  @Override
  public void close() {
    state.close();
  }
}
