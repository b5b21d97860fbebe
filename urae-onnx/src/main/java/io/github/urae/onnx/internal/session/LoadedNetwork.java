package io.github.urae.onnx.internal.session;

import io.github.urae.CancellationToken;
import io.github.urae.tensor.Tensor;
import java.util.Map;

/** A network that can be run. Thread-safe. */
public interface LoadedNetwork extends AutoCloseable {

  /**
   * Tells whether the network has an input.
   *
   * @param input its name
   * @return whether a run must be given it
   */
  boolean takes(String input);

  /**
   * Starts a run on a thread of its own.
   *
   * @param inputs all inputs by name, float32 or int64; those that the network does not take are
   *     left out
   * @return the run
   * @throws IllegalStateException if this network is closed
   */
  NetworkRun start(Map<String, Tensor> inputs);

  /**
   * Runs the network.
   *
   * @param inputs all inputs by name, as above
   * @param cancellation ends the run between two operators; the caller does not wait for that
   * @return the one output, float32, row-major
   * @throws io.github.urae.GenerationCancelledException if the run was cancelled
   * @throws io.github.urae.InferenceException if ONNX Runtime fails
   * @throws IllegalStateException if this network is closed
   */
  default float[] run(Map<String, Tensor> inputs, CancellationToken cancellation) {
    cancellation.throwIfCancelled();
    return start(inputs).await(cancellation);
  }

  /**
   * Releases the network; a run that goes on is completed first, on its own thread. Closing twice
   * is harmless.
   */
  @Override
  void close();
}
