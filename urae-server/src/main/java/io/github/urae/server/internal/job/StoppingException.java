package io.github.urae.server.internal.job;

/** No jobs are taken any more: the server is being stopped. */
public final class StoppingException extends Exception {

  private static final long serialVersionUID = 1L;

  StoppingException() {
    super("the server is being stopped");
  }
}
