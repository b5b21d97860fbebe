package io.github.urae.onnx.internal.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ai.onnx.proto.OnnxMl.AttributeProto;
import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import io.github.urae.CancellationToken;
import io.github.urae.GenerationCancelledException;
import io.github.urae.InferenceException;
import io.github.urae.device.Device;
import io.github.urae.internal.Lease;
import io.github.urae.onnx.internal.graph.NetworkGraph;
import io.github.urae.onnx.internal.graph.OnnxMessages;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import io.github.urae.weights.SafetensorsFile;
import io.github.urae.weights.SafetensorsWriter;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * A network keeps the memory that it works in from run to run, and gives it back when its use ends.
 * Where there is no GPU the processor's memory shows it, which is treated like one here.
 */
class MemoryArenaTest {

  /** What a run takes, in MB, beside its input: far more than Java's heap grows or shrinks by. */
  private static final int WORKED_IN = 512;

  private static final int COPIES = 4;

  private static final int ELEMENTS = WORKED_IN / COPIES * (1 << 18);

  private static final MemoryArena PROCESSOR = new MemoryArena("cpu:0");

  /** Held, so that it is not freed while memory is looked at. */
  private static final Tensor LARGE =
      Tensor.view(
          ElementType.F32,
          Shape.of(ELEMENTS),
          ByteBuffer.allocateDirect(ELEMENTS * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN),
          "zeros");

  private final NetworkRuns runs = new NetworkRuns(Path.of("unused"));

  @TempDir Path folder;

  @BeforeEach
  void memoryCanBeRead() {
    assumeTrue(Files.exists(Path.of("/proc/self/status")), "needs Linux to count memory");
  }

  /** The input, several times one after the other; the least of the exponentials. */
  private static NetworkGraph network() {
    NodeProto.Builder copies =
        NodeProto.newBuilder()
            .setOpType("Concat")
            .addAllInput(Collections.nCopies(COPIES, "x"))
            .addOutput("copies");
    copies.addAttributeBuilder().setName("axis").setType(AttributeProto.AttributeType.INT).setI(0);
    NodeProto exp =
        NodeProto.newBuilder().setOpType("Exp").addInput("copies").addOutput("exp").build();
    NodeProto least =
        NodeProto.newBuilder().setOpType("ReduceMin").addInput("exp").addOutput("least").build();
    GraphProto graph =
        GraphProto.newBuilder()
            .setName("network")
            .addNode(copies)
            .addNode(exp)
            .addNode(least)
            .addInput(OnnxMessages.value("x", ElementType.F32, "n"))
            .addOutput(OnnxMessages.value("least", ElementType.F32, 1))
            .build();
    return new NetworkGraph("network", ElementType.F32, graph, Map.of(), NetworkGraph.OPSET);
  }

  private Lease<LoadedNetwork> open(Optional<MemoryArena> arena) throws IOException {
    Path file = folder.resolve("unused.safetensors");
    SafetensorsWriter.write(file, Map.of(), Map.of("unused", Tensor.ofFloats(new float[1], 1)));
    SessionSettings settings = new SessionSettings(Device.cpu(), OptionalInt.of(1), false);
    try (SafetensorsFile weights = SafetensorsFile.open(file)) {
      Lease<LoadedNetwork> network =
          Lease.of(NetworkSession.open(network(), weights, Map.of(), settings, runs, arena));
      // What a processor's arena begins with it keeps.
      try (NetworkUse use = use(network)) {
        use.run(Map.of("x", Tensor.ofFloats(new float[1], 1)), new CancellationToken());
      }
      return network;
    }
  }

  private NetworkUse use(Lease<LoadedNetwork> network) {
    return new NetworkUse(network.another(), runs);
  }

  private void run(NetworkUse use) {
    assertThat(use.run(Map.of("x", LARGE), new CancellationToken())).containsExactly(1);
  }

  /** Returns the process's anonymous memory in MB. */
  private static long memory() throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
      if (line.startsWith("RssAnon:")) {
        return Long.parseLong(line.replaceAll("\\D", "")) >> 10;
      }
    }
    throw new IOException("no RssAnon");
  }

  private static void assertKept(long before) throws IOException {
    assertThat(memory() - before).as("MB more than before").isGreaterThan(WORKED_IN / 2);
  }

  private static void assertGivenBack(long before) throws IOException {
    assertThat(memory() - before).as("MB more than before").isLessThan(WORKED_IN / 2);
  }

  @Test
  void memoryStaysBetweenRunsAndGoesAfterTheLast() throws IOException {
    try (Lease<LoadedNetwork> network = open(Optional.of(PROCESSOR))) {
      long before = memory();
      NetworkUse use = use(network);
      run(use);
      assertKept(before);
      run(use);
      assertKept(before);
      use.close();
      assertGivenBack(before);
      use.close();
      try (NetworkUse next = use(network)) {
        run(next);
        assertKept(before);
      }
      assertGivenBack(before);
    }
  }

  /** As the one that keeps a network loaded from one picture to the next. */
  @Test
  void aUseWithoutRunsGivesNothingBack() throws IOException {
    try (Lease<LoadedNetwork> network = open(Optional.of(PROCESSOR));
        NetworkUse staying = use(network)) {
      long before = memory();
      try (NetworkUse use = use(network)) {
        run(use);
        use(network).close();
        assertKept(before);
      }
      assertGivenBack(before);
      assertThat(staying.takes("x")).isTrue();
    }
  }

  @Test
  void memoryGoesAfterAFailure() throws IOException {
    try (Lease<LoadedNetwork> network = open(Optional.of(PROCESSOR))) {
      long before = memory();
      try (NetworkUse use = use(network)) {
        run(use);
        Map<String, Tensor> wrong = Map.of("x", Tensor.ofFloats(new float[1], 1, 1));
        assertThatThrownBy(() -> use.run(wrong, new CancellationToken()))
            .isInstanceOf(InferenceException.class);
        assertKept(before);
      }
      assertGivenBack(before);
    }
  }

  /** Closing does not wait for the run; whoever waits for that finds the memory given back. */
  @Test
  void memoryGoesWhenACancelledRunHasEnded() throws Exception {
    ExecutorService others = Executors.newSingleThreadExecutor();
    try (Lease<LoadedNetwork> network = open(Optional.of(PROCESSOR))) {
      long before = memory();
      CancellationToken token = new CancellationToken();
      NetworkUse use = use(network);
      run(use);
      CountDownLatch cancelled = new CountDownLatch(1);
      Future<?> drawing =
          others.submit(
              () -> {
                try (use) {
                  assertThatThrownBy(
                          () -> {
                            while (true) {
                              use.run(Map.of("x", LARGE), token);
                            }
                          })
                      .isInstanceOf(GenerationCancelledException.class);
                } finally {
                  cancelled.countDown();
                }
                return null;
              });
      Thread.sleep(20);
      token.cancel();
      assertThat(cancelled.await(1, TimeUnit.MINUTES)).isTrue();
      drawing.get(1, TimeUnit.MINUTES);
      runs.awaitCancelled(new CancellationToken());
      assertGivenBack(before);
    } finally {
      others.shutdownNow();
    }
  }

  /** Pictures that are drawn at once: what one gives back is not taken from under another. */
  @Test
  void runsThatGoOnAreLeftAlone() throws Exception {
    ExecutorService others = Executors.newSingleThreadExecutor();
    try (Lease<LoadedNetwork> network = open(Optional.of(PROCESSOR));
        NetworkUse use = use(network)) {
      Future<?> drawing =
          others.submit(
              () -> {
                for (int i = 0; i < 3; i++) {
                  run(use);
                }
              });
      while (!drawing.isDone()) {
        network.get().giveBackMemory();
        LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(1));
      }
      drawing.get();
    } finally {
      others.shutdownNow();
    }
  }

  @Test
  void aProcessorsNetworksKeepTheirMemory() throws IOException {
    assertThat(MemoryArena.toShareOn(Device.cpu())).isEmpty();
    assertThat(MemoryArena.toShareOn(Device.cuda(1))).contains(new MemoryArena("gpu:1"));
    try (Lease<LoadedNetwork> network = open(MemoryArena.toShareOn(Device.cpu()))) {
      long before = memory();
      try (NetworkUse use = use(network)) {
        run(use);
      }
      assertKept(before);
    }
  }

  @Test
  void whatCannotBeGivenBackIsKept() throws IOException {
    try (Lease<LoadedNetwork> network = open(Optional.of(new MemoryArena("gpu:0")))) {
      long before = memory();
      try (NetworkUse use = use(network)) {
        run(use);
      }
      assertKept(before);
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = ElementType.class,
      names = {"F32", "F16", "BF16", "I64", "I8", "U8"})
  void networksOfAnyInputGiveBack(ElementType type) throws OrtException {
    NodeProto shape =
        NodeProto.newBuilder().setOpType("Shape").addInput("x").addOutput("shape").build();
    NodeProto other =
        NodeProto.newBuilder().setOpType("Shape").addInput("y").addOutput("other").build();
    GraphProto graph =
        GraphProto.newBuilder()
            .setName("shape")
            .addNode(shape)
            .addNode(other)
            .addInput(OnnxMessages.value("x", type, "batch", 3, "tokens"))
            .addInput(OnnxMessages.value("y", ElementType.F32, "batch"))
            .addOutput(OnnxMessages.value("other", ElementType.I64, 1))
            .addOutput(OnnxMessages.value("shape", ElementType.I64, 3))
            .build();
    byte[] model =
        new NetworkGraph("shape", ElementType.F32, graph, Map.of(), NetworkGraph.OPSET)
            .model(graph)
            .toByteArray();
    OrtEnvironment environment = OnnxEngine.environment();
    SessionSettings settings = new SessionSettings(Device.cpu(), OptionalInt.of(1), false);
    try (OrtSession.SessionOptions options = OnnxEngine.options(settings);
        OrtSession session = environment.createSession(model, options)) {
      PROCESSOR.shrink(environment, session);
      assertThatThrownBy(() -> new MemoryArena("gpu:0").shrink(environment, session))
          .isInstanceOf(OrtException.class)
          .hasMessageContaining("gpu:0");
    }
  }
}
