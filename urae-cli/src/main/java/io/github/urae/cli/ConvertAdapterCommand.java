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
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

/** {@code urae convert-adapter}: URAE's two adapters as one LoRA. */
@Command(
    name = "convert-adapter",
    description =
        "Convert URAE's 2K and 4K adapters into one LoRA for a checkpoint, which other tools read.",
    mixinStandardHelpOptions = true,
    sortOptions = false)
final class ConvertAdapterCommand implements Callable<Integer> {

  @Spec CommandSpec spec;
  @ParentCommand UraeCommand urae;

  @Mixin CheckpointOptions model;
  @Mixin TransformerOption transformer;

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

  @Mixin MatchingOptions matching;
  @Mixin AdapterResult result;
  @Mixin OutputOptions verbosity;

  @Override
  public Integer call() throws IOException {
    long start = System.nanoTime();
    OutputFile.checkWritable(output);
    AdapterConversion.Builder conversion = AdapterConversion.builder().output(output);
    model.applyTo(conversion);
    model.addAdapters(List.of(baseAdapter, adapter), conversion);
    matching.applyTo(conversion);
    transformer.applyTo(conversion);
    AdapterConversion.Report report;
    try (Progress progress = verbosity.progress()) {
      report = conversion.listener(progress).cancellation(urae.cancellation()).writeLowRank();
    }
    Map<String, Object> findings = new LinkedHashMap<>();
    findings.put("weights", report.weights());
    findings.put("largest residual", report.largestResidual());
    findings.put("seconds", AdapterResult.seconds(start));
    result.print(spec, verbosity, output, findings);
    return 0;
  }
}
