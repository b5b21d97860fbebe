package io.github.urae.pipeline;

import io.github.urae.CancellationToken;
import io.github.urae.session.NetworkSession;
import io.github.urae.tensor.Tensor;
import java.io.Closeable;
import java.util.Map;

/** A loaded network, for as long as this is not closed. Runs are thread-safe, closing is not. */
final class NetworkUse implements Closeable {

  private final NetworkSession session;
  private Runnable release;

  NetworkUse(NetworkSession session, Runnable release) {
    this.session = session;
    this.release = release;
  }

  /** Runs the network, as {@link NetworkSession#run}. */
  float[] run(Map<String, Tensor> inputs, CancellationToken cancellation) {
    return session.run(inputs, cancellation);
  }

  /** Returns the session that runs. */
  NetworkSession session() {
    return session;
  }

  @Override
  public void close() {
    if (release != null) {
      Runnable once = release;
      release = null;
      once.run();
    }
  }
}
