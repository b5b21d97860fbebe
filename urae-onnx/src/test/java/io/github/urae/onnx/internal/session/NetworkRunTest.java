package io.github.urae.onnx.internal.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.onnx.proto.OnnxMl.AttributeProto;
import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.ValueInfoProto;
import io.github.urae.CancellationToken;
import io.github.urae.GenerationCancelledException;
import io.github.urae.InferenceException;
import io.github.urae.device.Device;
import io.github.urae.internal.Lease;
import io.github.urae.onnx.internal.graph.NetworkGraph;
import io.github.urae.onnx.internal.graph.OnnxMessages;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Tensor;
import io.github.urae.weights.SafetensorsFile;
import io.github.urae.weights.SafetensorsWriter;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whoever cancels does not wait for the one operator that goes on; nothing is freed under it. */
class NetworkRunTest {

  private static final int HEADS = 16;
  private static final int HEAD_DIM = 64;

  /** This thread may come when the operator has ended. */
  private static final int TRIES = 5;

  @TempDir Path folder;

  /** A network of nothing but one attention. */
  private static NetworkGraph oneAttention() {
    NodeProto attention =
        NodeProto.newBuilder()
            .setOpType("MultiHeadAttention")
            .setDomain(NetworkGraph.MICROSOFT_DOMAIN)
            .setName("attention")
            .addInput("x")
            .addInput("x")
            .addInput("x")
            .addOutput("y")
            .addAttribute(
                AttributeProto.newBuilder()
                    .setName("num_heads")
                    .setType(AttributeProto.AttributeType.INT)
                    .setI(HEADS))
            .build();
    GraphProto graph =
        GraphProto.newBuilder()
            .setName("attention")
            .addNode(attention)
            .addInput(value("x"))
            .addOutput(value("y"))
            .build();
    return new NetworkGraph("attention", ElementType.F32, graph, Map.of(), NetworkGraph.OPSET);
  }

  private static ValueInfoProto value(String name) {
    return OnnxMessages.value(name, ElementType.F32, "batch", "tokens", HEADS * HEAD_DIM);
  }

  private NetworkSession open() throws IOException {
    Path file = folder.resolve("unused.safetensors");
    SafetensorsWriter.write(file, Map.of(), Map.of("unused", Tensor.ofFloats(new float[1], 1)));
    try (SafetensorsFile weights = SafetensorsFile.open(file)) {
      SessionSettings settings = new SessionSettings(Device.cpu(), OptionalInt.of(1), false);
      return NetworkSession.open(oneAttention(), weights, Map.of(), settings);
    }
  }

  private static Map<String, Tensor> tokens(int count) {
    int width = HEADS * HEAD_DIM;
    return Map.of("x", Tensor.ofFloats(new float[count * width], 1, count, width));
  }

  /** A run that is cancelled before its thread came to it does not begin. */
  private static void awaitOperator(NetworkRun run) throws InterruptedException {
    while (!run.hasEnded()
        && Thread.getAllStackTraces().values().stream()
            .noneMatch(
                stack ->
                    stack.length > 0
                        && stack[0].isNativeMethod()
                        && stack[0].getClassName().equals("ai.onnxruntime.OrtSession"))) {
      Thread.sleep(1);
    }
  }

  /** Something that is done while an operator is at work. */
  @FunctionalInterface
  private interface Attempt {

    /** Tells whether the operator still went on when all was done. */
    boolean wasInTime() throws Exception;
  }

  private static void assertOperatorGoesOn(Attempt attempt) throws Exception {
    for (int i = 0; i < TRIES; i++) {
      if (attempt.wasInTime()) {
        return;
      }
    }
    throw new AssertionError("the operator had ended " + TRIES + " times");
  }

  /** Waits for a run in vain; tells whether that was before it ended. */
  private static boolean isGivenUp(NetworkRun run, CancellationToken token) {
    try {
      run.await(token);
      return false;
    } catch (GenerationCancelledException e) {
      return !run.hasEnded();
    }
  }

  @Test
  void cancellingDoesNotWaitForTheOperator() throws Exception {
    assertOperatorGoesOn(this::cancelsAndCloses);
  }

  private boolean cancelsAndCloses() throws Exception {
    NetworkSession session = open();
    AtomicBoolean closed = new AtomicBoolean();
    Lease<LoadedNetwork> network =
        Lease.of(
            session,
            () -> {
              session.close();
              closed.set(true);
            });
    // Seconds of work in one operator.
    NetworkRun run = NetworkRun.start(network.another(), tokens(12_288));
    awaitOperator(run);
    CancellationToken token = new CancellationToken();
    token.cancel();
    boolean goesOn = isGivenUp(run, token);
    NetworkRuns runs = new NetworkRuns(folder);
    runs.addCancelled(run);
    NetworkUse use = new NetworkUse(network, runs);
    use.close();
    use.close();
    boolean freed = closed.get();
    Optional<Lease<LoadedNetwork>> another = network.anotherIfOpen();
    boolean usable = another.isPresent();
    if (usable) {
      another.get().close();
    }
    goesOn &= !run.hasEnded(); // Closing does not wait either.
    if (goesOn) {
      assertThat(freed).isFalse();
      assertThat(usable).as("what the run holds, others may use").isTrue();
    }
    runs.awaitCancelled(new CancellationToken());
    assertThat(run.hasEnded()).isTrue();
    assertThat(closed).isTrue();
    assertThatThrownBy(() -> use.run(tokens(1), new CancellationToken()))
        .isInstanceOf(IllegalStateException.class);
    return goesOn;
  }

  @Test
  void interruptionDoesNotWaitEither() throws Exception {
    assertOperatorGoesOn(this::isInterrupted);
  }

  private boolean isInterrupted() throws Exception {
    NetworkRuns runs = new NetworkRuns(folder);
    try (Lease<LoadedNetwork> network = Lease.of(open())) {
      NetworkRun run = NetworkRun.start(network.another(), tokens(12_288));
      awaitOperator(run);
      Thread.currentThread().interrupt();
      boolean goesOn = isGivenUp(run, new CancellationToken());
      assertThat(Thread.interrupted()).isTrue();
      runs.addCancelled(run);
      runs.awaitCancelled(new CancellationToken());
      // The session is as good as before.
      assertThat(new NetworkUse(network, runs).run(tokens(2), new CancellationToken()))
          .hasSize(2 * HEADS * HEAD_DIM)
          .containsOnly(0f);
      return goesOn;
    }
  }

  /** On the caller's thread whoever closes hears of it; a run's thread has nobody to tell. */
  @Test
  void failuresOfReleasingReachWhoCloses() throws IOException {
    NetworkSession session = open();
    NetworkUse use =
        new NetworkUse(
            Lease.of(
                session,
                () -> {
                  session.close();
                  throw new IOException("the disk is gone");
                }),
            new NetworkRuns(folder));
    assertThatThrownBy(use::close).isInstanceOf(IOException.class).hasMessage("the disk is gone");
    use.close();
  }

  @Test
  void failuresReachTheCaller() throws IOException {
    try (NetworkSession session = open()) {
      assertThatThrownBy(
              () ->
                  session.run(
                      Map.of("x", Tensor.ofFloats(new float[8], 1, 1, 8)), new CancellationToken()))
          .isInstanceOf(InferenceException.class)
          .hasMessageContaining("the attention failed");
    }
  }
}
