package io.github.urae.adapter;

import io.github.urae.CancellationToken;
import io.github.urae.ProgressListener;
import io.github.urae.Stage;
import io.github.urae.adapter.internal.match.AdapterChain;
import io.github.urae.adapter.internal.match.AdapterOptions;
import io.github.urae.adapter.internal.merge.CheckpointWeights;
import io.github.urae.adapter.internal.merge.MergedWeights;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.Flux1;
import io.github.urae.flux.model.internal.ModelLocation;
import io.github.urae.internal.OwnedResources;
import io.github.urae.tensor.ElementType;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.WeightCache;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/** What tests do in a process of its own. Prints a line when it begins and one when it is done. */
public final class MergeProcess {

  private MergeProcess() {}

  /** Starts a process; its standard output is the caller's to read. */
  public static Process start(String... arguments) throws IOException {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx512m",
                "-XX:TieredStopAtLevel=1",
                "-cp",
                System.getProperty("java.class.path"),
                MergeProcess.class.getName()));
    command.addAll(Arrays.asList(arguments));
    return new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
  }

  /**
   * Arguments: what to do, a checkpoint's folder, an adapter, and a folder for the result. With a
   * fifth, merging into a cache stops when all is written and has no name yet, says so, and waits
   * to be killed.
   */
  public static void main(String[] arguments) throws IOException {
    Path model = Path.of(arguments[1]);
    AdapterSpec adapter = new AdapterSpec(Path.of(arguments[2]), 1);
    Path result = Path.of(arguments[3]);
    System.out.println("begins");
    System.out.flush();
    switch (arguments[0]) {
      case "cache" -> {
        ProgressListener listener = arguments.length > 4 ? stopping() : ProgressListener.NONE;
        System.out.println(cached(model, adapter, result, listener) ? "merged" : "found");
      }
      case "checkpoint" -> {
        CheckpointMerger.builder()
            .model(model)
            .adapters(List.of(adapter))
            .output(result)
            .cacheFolder(result.resolveSibling("native"))
            .write();
        System.out.println("merged");
      }
      default -> throw new IllegalArgumentException(arguments[0]);
    }
  }

  /** Stops before the end. */
  private static ProgressListener stopping() {
    return progress -> {
      if (progress.stage() == Stage.MERGING && progress.isComplete()) {
        System.out.println("written");
        System.out.flush();
        try {
          System.in.read(); // Which ends with the process that started this one.
        } catch (IOException e) {
          throw new UncheckedIOException(e);
        }
      }
    };
  }

  /** Opens merged weights through a cache; tells whether they were merged for that. */
  public static boolean cached(Path model, AdapterSpec adapter, Path folder) throws IOException {
    return cached(model, adapter, folder, ProgressListener.NONE);
  }

  private static boolean cached(Path model, AdapterSpec adapter, Path folder, ProgressListener told)
      throws IOException {
    boolean[] merged = new boolean[1];
    ProgressListener listener =
        progress -> {
          merged[0] |= progress.stage() == Stage.MERGING;
          told.onProgress(progress);
        };
    try (OwnedResources opened = new OwnedResources()) {
      Map<Component, TensorSource> weights =
          CheckpointWeights.open(ModelLocation.of(model), opened).byNetwork();
      AdapterChain chain =
          opened.add(
              AdapterChain.open(List.of(adapter), Flux1.FAMILY, weights, AdapterOptions.STRICT));
      MergedWeights.open(
              chain,
              Component.TRANSFORMER,
              weights.get(Component.TRANSFORMER),
              name -> ElementType.BF16,
              new WeightCache(folder, WeightCache.DEFAULT_MAX_BYTES),
              listener,
              new CancellationToken())
          .close();
    }
    return merged[0];
  }
}
