package io.github.urae.onnx.internal.session;

import io.github.urae.CancellationToken;
import io.github.urae.tensor.Tensor;
import java.io.Closeable;
import java.io.IOException;
import java.util.Map;

/** A network that can be run. Thread-safe, but for closing: that must come after the last run. */
public interface LoadedNetwork extends Closeable {

  /**
   * Returns what the network is called.
   *
   * @return for messages
   */
  String name();

  /**
   * Tells whether the network has an input.
   *
   * @param input its name
   * @return whether a run must be given it
   */
  boolean takes(String input);

  /**
   * Runs the network on the calling thread.
   *
   * @param inputs all inputs by name, float32 or int64; those that the network does not take are
   *     left out
   * @param stop ends the run between two operators
   * @return the one output, float32, row-major
   * @throws io.github.urae.GenerationCancelledException if the run was stopped
   * @throws io.github.urae.InferenceException if ONNX Runtime fails
   */
  float[] run(Map<String, Tensor> inputs, CancellationToken stop);

  /**
   * Gives back memory that is kept for the next run, where other networks need it: after the last
   * of several runs. What runs use that go on meanwhile stays.
   */
  void giveBackMemory();

  /** Releases the network. Closing twice is harmless. */
  @Override
  void close() throws IOException;
}
