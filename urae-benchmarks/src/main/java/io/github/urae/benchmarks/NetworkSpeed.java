package io.github.urae.benchmarks;

import io.github.urae.CancellationToken;
import io.github.urae.device.Device;
import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.flux.model.internal.ClipTextConfig;
import io.github.urae.flux.model.internal.Flux1;
import io.github.urae.flux.model.internal.T5Config;
import io.github.urae.flux.model.internal.TransformerConfig;
import io.github.urae.flux.model.internal.VaeConfig;
import io.github.urae.internal.OwnedResources;
import io.github.urae.onnx.internal.graph.ClipTextGraph;
import io.github.urae.onnx.internal.graph.NetworkGraph;
import io.github.urae.onnx.internal.graph.T5EncoderGraph;
import io.github.urae.onnx.internal.graph.TransformerGraph;
import io.github.urae.onnx.internal.graph.VaeDecoderGraph;
import io.github.urae.onnx.internal.session.NetworkSession;
import io.github.urae.onnx.internal.session.SessionSettings;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Tensor;
import io.github.urae.weights.SafetensorsFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** The networks at FLUX.1's true widths on the processor, in float32, with random weights. */
@BenchmarkMode(Mode.SingleShotTime)
@OutputTimeUnit(TimeUnit.SECONDS)
// One process and a few calls: they take seconds, nearly all in native code.
@Fork(1)
@Warmup(iterations = 1)
@Measurement(iterations = 3)
@State(Scope.Benchmark)
public class NetworkSpeed {

  /** A network and what it is given. */
  public enum Work {
    /** 1 of 19 double and 2 of 38 single blocks. */
    STEP_512,
    /** The same. */
    STEP_1024,
    /** The autoencoder's decoder, in one piece. */
    DECODE_512,
    /** The same. */
    DECODE_1024,
    /** 2 of 24 layers over 512 tokens. */
    T5,
    /** The whole encoder over 77 tokens. */
    CLIP
  }

  private static final int T5_TOKENS = 512;

  /** What is measured. */
  @Param public Work work;

  private final OwnedResources opened = new OwnedResources();
  private NetworkSession session;
  private Map<String, Tensor> inputs;

  /**
   * Writes the weights, opens the session and runs it once.
   *
   * @throws IOException if the temporary folder is full
   */
  @Setup(Level.Trial)
  public void open() throws IOException {
    NetworkGraph graph =
        switch (work) {
          case STEP_512, STEP_1024 ->
              TransformerGraph.build(
                  new TransformerConfig(
                      64, 64, 1, 2, 24, 128, List.of(16, 56, 56), 4096, 768, true),
                  ElementType.F32);
          case DECODE_512, DECODE_1024 ->
              VaeDecoderGraph.build(
                  new VaeConfig(16, List.of(128, 256, 512, 512), 2, 32, 1024, 0.3611, 0.1159));
          case T5 -> T5EncoderGraph.build(t5(), ElementType.F32);
          case CLIP ->
              ClipTextGraph.build(
                  new ClipTextConfig(12, 12, 768, 3072, 49_408, 77, 1e-5, "quick_gelu", 2),
                  ElementType.F32);
        };
    inputs =
        switch (work) {
          case STEP_512 -> StepInputs.of(new LatentGrid(Flux1.LATENTS, 512, 512));
          case STEP_1024 -> StepInputs.of(new LatentGrid(Flux1.LATENTS, 1024, 1024));
          case DECODE_512 -> NetworkInputs.ofDecoder(64);
          case DECODE_1024 -> NetworkInputs.ofDecoder(128);
          case T5 -> NetworkInputs.ofT5(t5(), T5_TOKENS);
          case CLIP -> Map.of("input_ids", NetworkInputs.ids(new long[77], 1, 77));
        };
    try {
      session = start(graph);
      float[] output = run();
      if (!Float.isFinite(output[output.length / 2])) {
        throw new IllegalStateException("the output is not finite");
      }
    } catch (Throwable e) {
      opened.closeAfter(e);
      throw e;
    }
  }

  private NetworkSession start(NetworkGraph graph) throws IOException {
    Path file = opened.add(TemporaryFolder.create()).path().resolve("weights.safetensors");
    new SyntheticWeights(1).write(file, graph);
    SessionSettings settings = new SessionSettings(Device.cpu(), OptionalInt.empty(), false);
    SafetensorsFile stored = opened.add(SafetensorsFile.open(file));
    return opened.add(NetworkSession.open(graph, stored, Map.of(), settings));
  }

  private static T5Config t5() {
    return new T5Config(2, 64, 64, 4096, 10_240, 32_128, 1e-6, 32, 128, 1, 0);
  }

  /**
   * Runs the network.
   *
   * @return its output
   */
  @Benchmark
  public float[] run() {
    return session.run(inputs, new CancellationToken());
  }

  /**
   * Closes everything and deletes the weights.
   *
   * @throws IOException if they cannot be deleted
   */
  @TearDown(Level.Trial)
  public void close() throws IOException {
    opened.close();
  }
}
