package io.github.urae.benchmarks;

import io.github.urae.CancellationToken;
import io.github.urae.ProgressListener;
import io.github.urae.adapter.AdapterSpec;
import io.github.urae.demo.DemoModel;
import io.github.urae.flux.model.internal.Checkpoint;
import io.github.urae.flux.model.internal.ModelLocation;
import io.github.urae.internal.CacheFolder;
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
import io.github.urae.weights.internal.WeightCache;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.OptionalInt;

/**
 * The loss of pictures that an adapter was not trained on, at fixed noise levels and with fixed
 * noise: to compare adapters, whoever trained them.
 *
 * <p>Arguments: the prepared folder of those pictures, and what is merged into the checkpoint, a
 * row each: {@code none}, adapter files, or several joined by {@code +}, applied in order; {@code
 * demo:2k} and {@code demo:4k} are the bundled ones. {@code --model DIR} (the bundled one), {@code
 * --ntk-factor F} (1), {@code --proportional true} (false).
 */
public final class TrainedLoss {

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
            "training-loss DATA none|FILE[+FILE...] ... [--model DIR] [--ntk-factor F]"
                + " [--proportional true]");
    Path cache = CacheFolder.byDefault();
    CacheFolder.create(cache);
    DemoModel demo = DemoModel.unpackInto(cache);
    String model = options.option("model", null);
    Path place = model == null ? demo.checkpoint() : Path.of(model);
    double ntk = Double.parseDouble(options.option("ntk-factor", "1"));
    boolean proportional = Boolean.parseBoolean(options.option("proportional", "false"));
    List<String> values = options.all();
    options.finish();
    Path folder = Path.of(values.get(0));
    DataSet pictures = DataSet.open(folder, folder);
    Checkpoint checkpoint = Checkpoint.open(ModelLocation.of(place), Checkpoint.FAMILIES);
    int textTokens =
        pictures.examples().stream().mapToInt(CachedExample::textTokens).max().orElseThrow();
    // It starts without an effect.
    EngineSettings settings =
        EngineSettings.of(new AdapterStage.Lora(1, 1, TargetModules.URAE, 0))
            .withPositions(ntk, proportional, checkpoint.nativeTokens(textTokens))
            .withDevice("cpu", OptionalInt.of(1));
    StepMaker maker =
        new StepMaker(
            checkpoint.family().latents(),
            checkpoint.vae().shiftFactor(),
            checkpoint.vae().scalingFactor(),
            new NoiseLevels(WeightingScheme.NONE, 0, 1, 1.29, 1),
            1);
    for (String row : values.subList(1, values.size())) {
      BaseModel base =
          new BaseModel(
              ModelLocation.of(place),
              adapters(row, demo),
              new WeightCache(cache, WeightCache.DEFAULT_MAX_BYTES));
      try (TrainingEngine engine =
          TorchEngine.open(base, settings, ProgressListener.NONE, new CancellationToken())) {
        double loss = new HeldOutPictures(pictures).loss(engine, maker, new CancellationToken());
        System.out.printf(Locale.ROOT, "%.5f  %s%n", loss, row);
      }
    }
  }

  private static List<AdapterSpec> adapters(String row, DemoModel demo) {
    List<AdapterSpec> adapters = new ArrayList<>();
    for (String file : row.equals("none") ? List.<String>of() : List.of(row.split("\\+"))) {
      Path path =
          switch (file) {
            case "demo:2k" -> demo.adapter2k();
            case "demo:4k" -> demo.adapter4k();
            default -> Path.of(file);
          };
      adapters.add(new AdapterSpec(path, 1));
    }
    return adapters;
  }
}
