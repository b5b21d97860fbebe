package io.github.urae.cli;

import io.github.urae.adapter.AdapterConversion;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

/** {@code urae minor-components}: where training of a 4K adapter begins. */
@Command(
    name = "minor-components",
    description =
        "Compute the smallest singular components of a checkpoint's attention weights, under the"
            + " names of URAE's 4K adapter: where its training begins.",
    mixinStandardHelpOptions = true,
    sortOptions = false)
final class MinorComponentsCommand extends ModelCommand {

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

  @Override
  public Integer call() throws IOException {
    if (rank < 1) {
      throw new ParameterException(spec.commandLine(), "--rank: expected 1 or more, found " + rank);
    }
    OutputFile.checkWritable(output);
    AdapterConversion.Builder conversion = AdapterConversion.builder().output(output);
    AdapterConversion.Report report;
    try (Progress progress = verbosity.progress()) {
      applyTo(conversion, adapters, progress);
      report = conversion.writeMinorComponents(rank);
    }
    Map<String, Object> findings = new LinkedHashMap<>();
    findings.put("weights", report.weights());
    findings.put("rank", rank);
    findings.put("largest residual", report.largestResidual());
    return done(output, findings);
  }
}
