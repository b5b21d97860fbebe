package io.github.urae.benchmarks;

import io.github.urae.CancellationToken;
import io.github.urae.ProgressListener;
import io.github.urae.adapter.AdapterSpec;
import io.github.urae.demo.DemoModel;
import io.github.urae.flux.model.internal.Checkpoint;
import io.github.urae.flux.model.internal.ModelLocation;
import io.github.urae.internal.CacheFolder;
import io.github.urae.tensor.Tensor;
import io.github.urae.training.WeightingScheme;
import io.github.urae.training.internal.data.CachedExample;
import io.github.urae.training.internal.data.DataSet;
import io.github.urae.training.internal.engine.AdapterStage;
import io.github.urae.training.internal.engine.BaseModel;
import io.github.urae.training.internal.engine.EngineSettings;
import io.github.urae.training.internal.engine.TargetModules;
import io.github.urae.training.internal.engine.TrainingEngine;
import io.github.urae.training.internal.loop.HeldOutPictures;
import io.github.urae.training.internal.loop.NoiseLevels;
import io.github.urae.training.internal.loop.StepMaker;
import io.github.urae.training.internal.torch.TorchEngine;
import io.github.urae.weights.SafetensorsFile;
import io.github.urae.weights.internal.WeightCache;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalInt;

/**
 * The loss of pictures that an adapter was not trained on, at fixed noise levels and with fixed
 * noise: to compare adapters, whoever trained them.
 *
 * <p>Arguments: the prepared folder of those pictures, and adapter files, URAE's key layouts: LoRAs
 * as they are, minor components by {@code minor:FILE}. {@code --model DIR} (the bundled one),
 * {@code --base FILE} merged first, {@code --rank N} (16), {@code --ntk-factor F} (1), {@code
 * --proportional true} (false).
 */
public final class TrainedLoss {

  private static final String MINOR = "minor:";

  private TrainedLoss() {}

  /**
   * Measures.
   *
   * @param arguments as above
   * @throws IOException if a file cannot be read
   */
  public static void main(String[] arguments) throws IOException {
    Arguments options =
        Arguments.parse(
            arguments,
            "training-loss DATA FILE... [--model DIR] [--base FILE] [--rank N] [--ntk-factor F]"
                + " [--proportional true]");
    Path cache = CacheFolder.byDefault();
    CacheFolder.create(cache);
    String model = options.option("model", null);
    Path checkpoint = model == null ? DemoModel.unpackInto(cache).checkpoint() : Path.of(model);
    String base = options.option("base", null);
    int rank = options.number("rank", 16);
    double ntk = Double.parseDouble(options.option("ntk-factor", "1"));
    boolean proportional = Boolean.parseBoolean(options.option("proportional", "false"));
    List<String> values = options.all();
    options.finish();
    Path folder = Path.of(values.get(0));
    DataSet pictures = DataSet.open(folder, folder);
    BaseModel baseModel =
        new BaseModel(
            ModelLocation.of(checkpoint),
            base == null ? List.of() : List.of(new AdapterSpec(Path.of(base), 1)),
            new WeightCache(cache, WeightCache.DEFAULT_MAX_BYTES));
    List<String> files = new ArrayList<>(List.of(""));
    files.addAll(values.subList(1, values.size()));
    for (String file : files) {
      boolean minor = file.startsWith(MINOR);
      AdapterStage stage =
          minor
              ? new AdapterStage.Minor(rank, TargetModules.URAE)
              : new AdapterStage.Lora(rank, rank, TargetModules.URAE, 0);
      Checkpoint opened = Checkpoint.open(baseModel.location(), Checkpoint.FAMILIES);
      int textTokens =
          pictures.examples().stream().mapToInt(CachedExample::textTokens).max().orElseThrow();
      EngineSettings settings =
          EngineSettings.of(stage)
              .withPositions(ntk, proportional, opened.nativeTokens(textTokens))
              .withDevice("cpu", OptionalInt.of(1));
      try (TrainingEngine engine =
          TorchEngine.open(baseModel, settings, ProgressListener.NONE, new CancellationToken())) {
        if (!file.isEmpty()) {
          restore(engine, Path.of(minor ? file.substring(MINOR.length()) : file));
        }
        StepMaker maker =
            new StepMaker(
                opened.family().latents(),
                opened.vae().shiftFactor(),
                opened.vae().scalingFactor(),
                new NoiseLevels(WeightingScheme.NONE, 0, 1, 1.29, 1),
                1);
        double loss = new HeldOutPictures(pictures).loss(engine, maker, new CancellationToken());
        System.out.printf(
            Locale.ROOT, "%.5f  %s%n", loss, file.isEmpty() ? "without an adapter" : file);
      }
    }
  }

  private static void restore(TrainingEngine engine, Path file) throws IOException {
    try (SafetensorsFile adapter = SafetensorsFile.open(file)) {
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      for (String name : adapter.tensors().keySet()) {
        tensors.put(name, adapter.tensor(name));
      }
      engine.restore(tensors, Map.of());
    }
  }
}
