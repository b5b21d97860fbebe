package io.github.urae.cli;

import io.github.urae.adapter.ModelBuilder;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

/** A command that makes something new of a model and its adapters. */
abstract class ModelCommand implements Callable<Integer> {

  private final long start = System.nanoTime();

  @Spec CommandSpec spec;
  @ParentCommand UraeCommand urae;

  @Mixin CheckpointOptions model;
  @Mixin MatchingOptions matching;
  @Mixin AdapterResult result;
  @Mixin OutputOptions verbosity;

  /** Tells a builder what all these commands are told, and who hears of the work. */
  void applyTo(ModelBuilder<?> builder, List<String> adapters, Progress progress)
      throws IOException {
    model.applyTo(builder);
    model.addAdapters(adapters, builder);
    matching.applyTo(builder);
    builder.listener(progress).cancellation(urae.cancellation());
  }

  /** Prints where the result is, and findings on it; the time is added to them. */
  int done(Path output, Map<String, Object> findings) {
    findings.put("seconds", AdapterResult.seconds(start));
    result.print(spec, verbosity, output, findings);
    return 0;
  }
}
