package io.github.urae.cli;

import io.github.urae.adapter.AdapterConversion;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

/** {@code urae minor-components}: where training of a 4K adapter begins. */
@Command(
    name = "minor-components",
    description =
        "Compute the smallest singular components of a checkpoint's attention weights, under the"
            + " names of URAE's 4K adapter: where its training begins.",
    mixinStandardHelpOptions = true,
    sortOptions = false)
final class MinorComponentsCommand implements Callable<Integer> {

  @Spec CommandSpec spec;
  @ParentCommand UraeCommand urae;

  @Mixin CheckpointOptions model;
  @Mixin TransformerOption transformer;

  @Option(
      names = "--adapter",
      paramLabel = "FILE[=SCALE]",
      description = "Merged first; repeatable, applied in order.")
  List<String> adapters = List.of();

  @Option(
      names = "--rank",
      paramLabel = "N",
      description = "Components of each weight (default: ${DEFAULT-VALUE}).")
  int rank = 16;

  @Option(
      names = "--output",
      required = true,
      paramLabel = "FILE",
      description = "The new .safetensors file; replaced if it exists.")
  Path output;

  @Mixin MatchingOptions matching;
  @Mixin AdapterResult result;
  @Mixin OutputOptions verbosity;

  @Override
  public Integer call() throws IOException {
    long start = System.nanoTime();
    if (rank < 1) {
      throw new ParameterException(spec.commandLine(), "--rank: expected 1 or more, found " + rank);
    }
    OutputFile.checkWritable(output);
    AdapterConversion.Builder conversion = AdapterConversion.builder().output(output);
    model.applyTo(conversion);
    model.addAdapters(adapters, conversion);
    matching.applyTo(conversion);
    transformer.applyTo(conversion);
    AdapterConversion.Report report;
    try (Progress progress = verbosity.progress()) {
      report =
          conversion
              .listener(progress)
              .cancellation(urae.cancellation())
              .writeMinorComponents(rank);
    }
    Map<String, Object> findings = new LinkedHashMap<>();
    findings.put("weights", report.weights());
    findings.put("rank", rank);
    findings.put("largest residual", report.largestResidual());
    findings.put("seconds", AdapterResult.seconds(start));
    result.print(spec, verbosity, output, findings);
    return 0;
  }
}
