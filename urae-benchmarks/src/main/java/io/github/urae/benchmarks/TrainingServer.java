package io.github.urae.benchmarks;

import com.sun.management.OperatingSystemMXBean;
import io.github.urae.flux.model.internal.TransformerConfig;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Tensor;
import io.github.urae.training.internal.engine.AdapterStage;
import io.github.urae.training.internal.engine.EngineSettings;
import io.github.urae.training.internal.engine.OptimizerSettings;
import io.github.urae.training.internal.engine.StepInputs;
import io.github.urae.training.internal.engine.TargetModules;
import io.github.urae.training.internal.engine.TrainingEngine;
import io.github.urae.training.internal.torch.TorchEngine;
import io.github.urae.weights.SafetensorsFile;
import io.github.urae.weights.internal.WeightCache;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.nio.charset.Charset;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalInt;

/** Our side of the comparison of training steps: the process that {@link Peer} starts. */
final class TrainingServer {

  private TrainingServer() {}

  /**
   * Arguments: folder that holds transformer/, file of the inputs, file of the adapter's start,
   * rows of tokens, threads (0 for the library's choice), double and single blocks.
   */
  public static void main(String[] arguments) throws IOException {
    Path folder = Path.of(arguments[0]);
    int rows = Integer.parseInt(arguments[3]);
    int threads = Integer.parseInt(arguments[4]);
    TransformerConfig config =
        TrainingSteps.config(Integer.parseInt(arguments[5]), Integer.parseInt(arguments[6]));
    EngineSettings settings =
        EngineSettings.of(new AdapterStage.Lora(16, 16, TargetModules.URAE, 0))
            .withOptimizer(OptimizerSettings.AdamW.URAE)
            .withTypes(ElementType.BF16, ElementType.F32)
            .withDevice("cpu", threads == 0 ? OptionalInt.empty() : OptionalInt.of(threads));
    try (SafetensorsFile inputs = SafetensorsFile.open(Path.of(arguments[1]));
        SafetensorsFile start = SafetensorsFile.open(Path.of(arguments[2]));
        TrainingEngine engine =
            TorchEngine.open(
                folder.resolve("transformer"),
                config,
                new WeightCache(folder.resolve("cache"), WeightCache.DEFAULT_MAX_BYTES),
                settings)) {
      Map<String, Tensor> adapter = new LinkedHashMap<>();
      for (String name : start.tensors().keySet()) {
        adapter.put(name, start.tensor(name));
      }
      engine.restore(adapter, Map.of());
      System.out.println(Peer.ANSWER + "URAE on libtorch, weights mapped, threads " + threads);
      serve(engine, step(inputs, rows));
    }
  }

  private static StepInputs step(SafetensorsFile inputs, int rows) throws IOException {
    Tensor latents = flat(inputs.tensor("hidden_states"), 64);
    return new StepInputs(
        latents,
        rows,
        (int) (latents.shape().dimension(0) / rows),
        inputs.tensor("timestep").toFloats()[0],
        inputs.tensor("guidance").toFloats()[0],
        flat(inputs.tensor("encoder_hidden_states"), 4096),
        Tensor.ofFloats(inputs.tensor("pooled_projections").toFloats(), 768),
        flat(inputs.tensor("target"), 64),
        1);
  }

  private static Tensor flat(Tensor tensor, int columns) {
    float[] values = tensor.toFloats();
    return Tensor.ofFloats(values, values.length / columns, columns);
  }

  private static void serve(TrainingEngine engine, StepInputs step) throws IOException {
    BufferedReader questions =
        new BufferedReader(new InputStreamReader(System.in, Charset.defaultCharset()));
    double loss = Double.NaN;
    double cpu = Double.NaN;
    for (String line = questions.readLine(); line != null; line = questions.readLine()) {
      if (line.equals("run")) {
        long begin = System.nanoTime();
        double before = cpuSeconds();
        loss = engine.accumulate(step, 1);
        engine.clipGradients(1);
        engine.update(1e-4);
        double seconds = (System.nanoTime() - begin) / 1e9;
        cpu = cpuSeconds() - before;
        System.out.println(Peer.ANSWER + seconds);
      } else {
        System.out.println(Peer.ANSWER + (line.equals("cpu") ? cpu : loss));
      }
    }
  }

  private static double cpuSeconds() {
    return ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
            .getProcessCpuTime()
        / 1e9;
  }
}
