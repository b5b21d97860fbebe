package io.github.urae.cli.train;

import io.github.urae.cli.Json;
import io.github.urae.cli.ModelOptions;
import io.github.urae.cli.OutputOptions;
import io.github.urae.cli.Progress;
import io.github.urae.flux.VaeTiling;
import io.github.urae.internal.PrintableText;
import io.github.urae.pipeline.FluxPipeline;
import io.github.urae.tensor.ElementType;
import io.github.urae.training.DataPreparation;
import io.github.urae.training.PictureFit;
import io.github.urae.training.PreparationReport;
import io.github.urae.training.SkippedPicture;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

/** {@code urae train prepare}: pictures and captions become what training reads. */
@Command(
    name = "prepare",
    description =
        "Encode pictures and captions into the caches that training reads; those that are there"
            + " stay. Exit status 1 if no picture can be trained on.",
    mixinStandardHelpOptions = true,
    sortOptions = false)
final class PrepareCommand implements Callable<Integer> {

  /** Pictures that are named where something is to be told of them. */
  private static final int SHOWN = 20;

  @Spec CommandSpec spec;
  @ParentCommand TrainCommand train;

  @Mixin ModelOptions model;

  @Option(
      names = "--data",
      required = true,
      paramLabel = "DIR",
      description =
          "Folder of pictures, with captions in NAME.json ('prompt', 'generated_prompt'), in"
              + " metadata.jsonl or metadata.csv ('file_name' and 'prompt', 'text' or 'caption'),"
              + " in NAME.txt or in NAME.caption.")
  Path data;

  @Option(
      names = "--caches",
      paramLabel = "DIR",
      description = "Write caches there (default: beside the pictures).")
  Path caches;

  @Option(
      names = "--resolution",
      paramLabel = "PIXELS",
      description =
          "Long side of all pictures, a multiple of 64; the short one becomes that of 1:1, 4:3, 2:1"
              + " or 4:1, whichever is nearest (default: pictures keep their sizes).")
  Integer resolution;

  @Option(
      names = "--fit",
      paramLabel = "HOW",
      defaultValue = "stretch",
      description =
          "stretch: resize both sides as needed, as URAE does; crop: the middle"
              + " (default: ${DEFAULT-VALUE}).")
  PictureFit fit;

  @Option(names = "--skip-smaller", description = "Leave out what would have to be enlarged.")
  boolean skipSmaller;

  @Option(
      names = "--max-sequence-length",
      paramLabel = "N",
      description = "Text tokens (default: the checkpoint's).")
  Integer textTokens;

  @Option(
      names = "--dtype",
      paramLabel = "TYPE",
      defaultValue = "f32",
      converter = StageCommand.TypeConverter.class,
      description = "f32, or bf16 as URAE's shell script (default: ${DEFAULT-VALUE}).")
  ElementType type;

  @Option(
      names = "--vae-tiling",
      paramLabel = "WHEN",
      defaultValue = "auto",
      description =
          "Encode tile by tile: on, off, or auto: where the whole picture would take too much"
              + " memory (default: ${DEFAULT-VALUE}).")
  VaeTiling tiling;

  @Option(
      names = "--redo",
      description = "Make caches again that were made otherwise, in place of refusing them.")
  boolean redo;

  @Option(names = "--json", description = "Print JSON.")
  boolean json;

  @Mixin OutputOptions verbosity;

  @Override
  public Integer call() throws IOException {
    DataPreparation.Builder preparation =
        DataPreparation.builder(data)
            .fit(fit)
            .skipSmaller(skipSmaller)
            .storage(type)
            .tiling(tiling)
            .redo(redo)
            .cancellation(train.urae.cancellation());
    if (caches != null) {
      preparation.caches(caches);
    }
    if (resolution != null) {
      preparation.resolution(resolution);
    }
    if (textTokens != null) {
      preparation.textTokens(textTokens);
    }
    PreparationReport report;
    try (Progress progress = verbosity.progress();
        FluxPipeline pipeline =
            model
                .pipeline()
                .loadWhenNeeded(true)
                .listener(progress)
                .cancellation(train.urae.cancellation())
                .build()) {
      report = preparation.listener(progress).build().run(pipeline);
    }
    print(report);
    return report.pictures() > 0 ? ExitCode.OK : ExitCode.SOFTWARE;
  }

  private void print(PreparationReport report) {
    PrintWriter out = spec.commandLine().getOut();
    if (json) {
      Map<String, Object> findings = new LinkedHashMap<>();
      findings.put("pictures", report.pictures());
      findings.put("encoded_pictures", report.encodedPictures());
      findings.put("kept_pictures", report.keptPictures());
      findings.put("encoded_captions", report.encodedCaptions());
      findings.put("kept_captions", report.keptCaptions());
      findings.put("shortened", report.shortened());
      findings.put("enlarged", report.enlarged());
      findings.put("skipped", report.skipped().stream().map(PrepareCommand::asMap).toList());
      Json.print(out, findings);
    } else {
      note(report.shortened(), "the caption is longer than T5 reads, and was cut");
      note(report.enlarged(), "was enlarged");
      note(
          report.skipped().stream()
              .map(one -> PrintableText.of(one.file() + ": " + one.reason()))
              .toList(),
          "skipped");
      out.printf(
          "%d pictures to train on: %d encoded, %d kept; captions: %d encoded, %d kept%n",
          report.pictures(),
          report.encodedPictures(),
          report.keptPictures(),
          report.encodedCaptions(),
          report.keptCaptions());
    }
    out.flush();
  }

  private void note(List<String> names, String what) {
    PrintWriter err = spec.commandLine().getErr();
    names.stream()
        .limit(SHOWN)
        .forEach(name -> err.println("urae: " + PrintableText.of(name) + ": " + what));
    if (names.size() > SHOWN) {
      err.println("urae: and " + (names.size() - SHOWN) + " more: " + what + " (--json: all)");
    }
  }

  private static Map<String, Object> asMap(SkippedPicture picture) {
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("file", picture.file().toString());
    map.put("reason", picture.reason());
    return map;
  }
}
