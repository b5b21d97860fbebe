package io.github.urae.training.internal.engine;

import io.github.urae.flux.model.internal.TransformerConfig;
import io.github.urae.tensor.Tensor;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;

/**
 * A transformer whose adapters are trained: gradients are accumulated over pictures, clipped, and
 * applied.
 *
 * <p>Not thread-safe, and every call computes on the calling thread and the library's own. Owns
 * native memory and open files until {@link #close()}. After an exception of {@link #accumulate},
 * {@link #clipGradients} or {@link #update}, the adapters are as they were before the call.
 */
public interface TrainingEngine extends AutoCloseable {

  /**
   * Returns what the transformer is like.
   *
   * @return its configuration
   */
  TransformerConfig config();

  /**
   * Computes the losses of pictures at once, and adds the gradient of {@code weight} times their
   * sum.
   *
   * @param pictures at least one; those of one size, with captions of one length, are computed at
   *     once
   * @param weight factor on the gradient, such as 1 / pictures of an update
   * @return the losses, without the factor, in the order of the pictures
   * @throws io.github.urae.InferenceException if the loss or a gradient is not finite, and the
   *     gradients that were there are kept; or if memory does not suffice
   * @throws io.github.urae.GenerationCancelledException if it was cancelled, which the engine's
   *     token is asked for before each block; the gradients that were there are kept
   * @throws IllegalArgumentException if the inputs do not fit the transformer
   */
  List<Double> accumulate(List<StepInputs> pictures, double weight);

  /**
   * Computes a picture's loss, and adds the gradient of {@code weight} times it.
   *
   * @param picture the picture
   * @param weight factor on the gradient
   * @return the loss, without the factor
   * @throws RuntimeException as for {@link #accumulate(List, double)}
   */
  default double accumulate(StepInputs picture, double weight) {
    return accumulate(List.of(picture), weight).get(0);
  }

  /**
   * Computes a picture's loss and no gradient.
   *
   * @param inputs the picture
   * @return the loss
   * @throws RuntimeException as for {@link #accumulate}
   */
  double evaluate(StepInputs inputs);

  /**
   * Computes a picture's velocity.
   *
   * @param inputs the picture; its target is not looked at
   * @return [rows * columns, 64], row-major
   * @throws RuntimeException as for {@link #accumulate}
   */
  float[] prediction(StepInputs inputs);

  /**
   * Scales the accumulated gradients so that their norm is at most a bound, by {@code maxNorm /
   * (norm + 1e-6)} as torch does.
   *
   * @param maxNorm positive; infinity clips nothing
   * @return the norm of all gradients before that
   * @throws io.github.urae.InferenceException if the norm is not finite
   */
  double clipGradients(double maxNorm);

  /** Sets the accumulated gradients to zero. */
  void discardGradients();

  /**
   * Lets the optimizer change the adapters by the accumulated gradients, and sets those to zero.
   *
   * @param learningRate at least 0; Prodigy's is a factor on its own estimate
   * @throws io.github.urae.InferenceException if the adapters would not be finite any more
   */
  void update(double learningRate);

  /**
   * Returns how many updates were made, those before {@link #restore} included.
   *
   * @return at least 0
   */
  long updates();

  /**
   * Returns Prodigy's estimate of the step size.
   *
   * @return d; empty for other optimizers
   */
  OptionalDouble stepSize();

  /**
   * Returns how many numbers are trained.
   *
   * @return at least 1
   */
  long parameters();

  /**
   * Returns the adapters by the names of URAE's files: {@code transformer.MODULE.lora_A.weight} and
   * {@code lora_B}, or {@code BLOCK.attn.processor.to_q_a.weight} and {@code to_q_b}. A LoRA's B is
   * multiplied by alpha / rank, so that every program reads it the same: those that are told alpha
   * by a file look for it in different places, or not at all.
   *
   * @return copies, in the order of the network
   */
  Map<String, Tensor> adapter();

  /**
   * Returns the accumulated gradients.
   *
   * @return copies, by the names of {@link #adapter()}
   */
  Map<String, Tensor> gradients();

  /**
   * Returns all that the optimizer knows, its scalars included; and the factors as they are trained
   * where {@link #adapter()} has them multiplied.
   *
   * @return copies, as many as {@link #restore} wants back
   */
  Map<String, Tensor> optimizerState();

  /**
   * Puts back adapters and the optimizer's state, bit for bit, and discards the gradients.
   *
   * @param adapter as of {@link #adapter()}
   * @param optimizerState as of {@link #optimizerState()}; empty starts the optimizer anew from
   *     these adapters
   * @throws io.github.urae.AdapterException if names, shapes or types are not those of this engine;
   *     nothing is changed then
   */
  void restore(Map<String, Tensor> adapter, Map<String, Tensor> optimizerState);

  /**
   * Returns what is held of native memory.
   *
   * @return of the whole process
   */
  NativeMemory memory();

  /**
   * Frees native memory and closes files; twice is once.
   *
   * @throws IOException if a file cannot be closed
   */
  @Override
  void close() throws IOException;
}
