package io.github.urae.cli;

import io.github.urae.CancellationToken;
import io.github.urae.internal.FileReplacement;
import java.io.PrintWriter;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.IntConsumer;

/**
 * Ctrl-C and termination: the command is cancelled and has some seconds to end in order, so that it
 * takes away what it has begun to write; a second signal ends it at once.
 *
 * <p>A shutdown hook would not do: in it, a second signal is no longer heard, and what was done
 * before the signal came would still end with the signal's status. Java tells of signals without a
 * shutdown through {@code sun.misc.Signal} only, of the supported module {@code jdk.unsupported}.
 */
final class Interruption {

  /** How long the command may take to end. */
  private static final Duration PATIENCE = Duration.ofSeconds(10);

  /** Exit status by signal: 128 and its number. */
  private static final Map<String, Integer> STATUS = Map.of("HUP", 129, "INT", 130, "TERM", 143);

  private final CancellationToken cancellation = new CancellationToken();
  private final CountDownLatch ended = new CountDownLatch(1);
  private final PrintWriter err;
  private final IntConsumer halt;
  private Duration patience;
  private String outcome = "what was begun is removed";
  private int status;

  /**
   * Creates one that hears nothing.
   *
   * @param err standard error
   * @param patience how long the command may take to end
   * @param halt ends the process with a status
   */
  Interruption(PrintWriter err, Duration patience, IntConsumer halt) {
    this.err = err;
    this.patience = patience;
    this.halt = halt;
  }

  /** Creates one that hears this process's signals from now on. */
  static Interruption bySignals(PrintWriter err) {
    Interruption interruption =
        new Interruption(err, PATIENCE, status -> Runtime.getRuntime().halt(status));
    STATUS.forEach(interruption::listen);
    return interruption;
  }

  /** Creates one for a command that no signal ends. */
  static Interruption none(PrintWriter err) {
    return new Interruption(err, PATIENCE, status -> {});
  }

  /**
   * Says what a signal does to the command that runs.
   *
   * @param newPatience how long it may take to end
   * @param newOutcome what has become of its work by then
   */
  synchronized void expect(Duration newPatience, String newOutcome) {
    patience = newPatience;
    outcome = newOutcome;
  }

  /** Compiling against the class would be warned of, so that it is looked up. */
  private void listen(String signal, int signalStatus) {
    try {
      Class<?> signals = Class.forName("sun.misc.Signal");
      Class<?> handlers = Class.forName("sun.misc.SignalHandler");
      Object handler =
          Proxy.newProxyInstance(
              Interruption.class.getClassLoader(),
              new Class<?>[] {handlers},
              (proxy, method, arguments) -> {
                if (method.getName().equals("handle")) {
                  interrupt(signalStatus);
                }
                return null;
              });
      signals
          .getMethod("handle", signals, handlers)
          .invoke(null, signals.getConstructor(String.class).newInstance(signal), handler);
    } catch (ReflectiveOperationException e) {
      // Without this signal, as on Windows, or told to ignore it: Java then does what it does.
    }
  }

  /** Returns what a signal cancels. */
  CancellationToken cancellation() {
    return cancellation;
  }

  /** Cancels the command and waits for its end; the second time ends the process. */
  void interrupt(int signalStatus) throws InterruptedException {
    boolean first;
    long millis;
    synchronized (this) {
      first = status == 0;
      status = signalStatus;
      millis = patience.toMillis();
    }
    if (first) {
      cancellation.cancel();
      if (ended.await(millis, TimeUnit.MILLISECONDS)) {
        return; // The command ends the process.
      }
    }
    err.println("urae: interrupted before the work could end; what it had begun is removed");
    FileReplacement.discardAll();
    halt.accept(signalStatus);
  }

  /**
   * Ends the process after its command.
   *
   * @param commandStatus the command's exit status
   */
  void end(int commandStatus) {
    ended.countDown();
    int signalStatus;
    String end;
    synchronized (this) {
      signalStatus = status;
      end = outcome;
    }
    if (signalStatus == 0 || commandStatus == 0) {
      System.exit(commandStatus);
    }
    err.println("urae: interrupted; " + end);
    System.exit(signalStatus);
  }
}
