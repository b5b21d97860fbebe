package io.github.urae.cli;

import io.github.urae.adapter.AdapterConversion;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code urae convert-adapter}: URAE's two adapters as one LoRA. */
@Command(
    name = "convert-adapter",
    description =
        "Convert URAE's 2K and 4K adapters into one LoRA for a checkpoint, which other tools read.",
    mixinStandardHelpOptions = true,
    sortOptions = false)
final class ConvertAdapterCommand extends ModelCommand {

  @Option(
      names = "--base-adapter",
      required = true,
      paramLabel = "2K[=SCALE]",
      description = "LoRA that the minor components were trained on.")
  String baseAdapter;

  @Option(
      names = "--adapter",
      required = true,
      paramLabel = "4K[=SCALE]",
      description = "Minor components.")
  String adapter;

  @Option(
      names = "--output",
      required = true,
      paramLabel = "FILE",
      description = "The new .safetensors file; replaced if it exists.")
  Path output;

  @Override
  public Integer call() throws IOException {
    OutputFile.checkWritable(output);
    AdapterConversion.Builder conversion = AdapterConversion.builder().output(output);
    AdapterConversion.Report report;
    try (Progress progress = verbosity.progress()) {
      applyTo(conversion, List.of(baseAdapter, adapter), progress);
      report = conversion.writeLowRank();
    }
    Map<String, Object> findings = new LinkedHashMap<>();
    findings.put("weights", report.weights());
    findings.put("largest residual", report.largestResidual());
    return done(output, findings);
  }
}
