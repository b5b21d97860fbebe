package io.github.urae.cli;

import io.github.urae.export.OnnxExport;
import io.github.urae.flux.Profile;
import io.github.urae.tensor.ElementType;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

/** {@code urae export}: ONNX files in Optimum's layout, for any ONNX Runtime. */
@Command(
    name = "export",
    description =
        "Write a model as ONNX in Optimum's layout, adapters merged in, for ONNX Runtime in any language.",
    mixinStandardHelpOptions = true,
    sortOptions = false)
final class ExportCommand extends ModelCommand {

  @Option(
      names = "--adapter",
      paramLabel = "FILE[=SCALE]",
      description = "LoRA or URAE's minor components; repeatable, applied in order.")
  List<String> adapters = List.of();

  @Option(
      names = "--output",
      required = true,
      paramLabel = "DIR",
      description = "Folder of the export; must not exist.")
  Path output;

  @Option(
      names = "--dtype",
      paramLabel = "TYPE",
      defaultValue = "f32",
      converter = MergeCommand.TypeConverter.class,
      description =
          "f32, f16 or bf16 (default: ${DEFAULT-VALUE}). The autoencoder stays f32, and so does T5"
              + " where f16 is asked for.")
  ElementType type;

  @Option(
      names = "--profile",
      paramLabel = "NAME",
      defaultValue = "standard",
      description =
          "standard or ultra: NTK factor and proportional attention of the transformer, which are"
              + " fixed in an export (default: ${DEFAULT-VALUE}).")
  Profile.Choice profile;

  @Override
  public Integer call() throws IOException {
    if (profile == Profile.Choice.AUTO) {
      throw new ParameterException(
          spec.commandLine(), "--profile: expected standard or ultra, found 'auto'");
    }
    OutputFile.checkFolder(output);
    OnnxExport.Builder export =
        OnnxExport.builder().output(output).elementType(type).profile(profile);
    try (Progress progress = verbosity.progress()) {
      applyTo(export, adapters, progress);
      AdapterResult.warn(spec, export.write());
    }
    Map<String, Object> findings = new LinkedHashMap<>();
    findings.put("adapters", adapters.size());
    findings.put("dtype", type.toString());
    findings.put("profile", profile.name().toLowerCase(Locale.ROOT));
    return done(output, findings);
  }
}
