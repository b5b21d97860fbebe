package io.github.urae.cli.train;

import io.github.urae.cli.Json;
import io.github.urae.cli.UraeCommand;
import io.github.urae.internal.PrintableText;
import io.github.urae.training.SkippedPicture;
import io.github.urae.training.TrainingListener;
import io.github.urae.training.TrainingPlan;
import io.github.urae.training.TrainingResult;
import io.github.urae.training.TrainingStep;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Model.CommandSpec;

/** Says how a training goes on standard error, and what came of it on standard output. */
final class TrainingOutput implements TrainingListener {

  private static final long INTERVAL_NANOS = 5_000_000_000L;

  /** Saving takes seconds; a step of a large picture on the processor ends between two blocks. */
  private static final Duration PATIENCE = Duration.ofMinutes(5);

  private static final int SHOWN = 20;

  private final CommandSpec spec;
  private final boolean json;
  private final boolean quiet;
  private final UraeCommand urae;
  private long lastLine;

  TrainingOutput(CommandSpec spec, boolean json, boolean quiet, UraeCommand urae) {
    this.spec = spec;
    this.json = json;
    this.quiet = quiet;
    this.urae = urae;
  }

  private PrintWriter err() {
    return spec.commandLine().getErr();
  }

  void noteSkipped(List<SkippedPicture> skipped) {
    skipped.stream()
        .limit(SHOWN)
        .forEach(
            one -> err().println("urae: " + PrintableText.of(one.file() + ": " + one.reason())));
    if (skipped.size() > SHOWN) {
      err().println("urae: and " + (skipped.size() - SHOWN) + " more pictures are left out");
    }
  }

  @Override
  public void onStep(TrainingStep step) {
    if (step.step() == 1 || lastLine == 0) {
      urae.endsWhenInterrupted(
          PATIENCE, "what was trained is saved; continue with --resume latest");
    }
    boolean due =
        lastLine == 0
            || step.step() == step.steps()
            || System.nanoTime() - lastLine > INTERVAL_NANOS;
    if (quiet || !due) {
      return;
    }
    lastLine = System.nanoTime();
    StringBuilder line = new StringBuilder();
    line.append(
        String.format(
            Locale.ROOT,
            "step %d of %d: loss %.4f, smoothed %.4f, gradient norm %.3g",
            step.step(),
            step.steps(),
            step.loss(),
            step.smoothedLoss(),
            step.gradientNorm()));
    step.stepSize().ifPresent(d -> line.append(String.format(Locale.ROOT, ", d %.2e", d)));
    line.append(
        String.format(
            Locale.ROOT,
            ", %.2f s, %.1f GB",
            step.duration().toNanos() / 1e9,
            step.memoryBytes() / 1e9));
    step.remaining().ifPresent(left -> line.append(", ").append(text(left)).append(" left"));
    err().println(line);
  }

  private static String text(Duration time) {
    long minutes = time.toMinutes();
    if (minutes >= 120) {
      return minutes / 60 + " h " + minutes % 60 + " min";
    }
    return minutes >= 2 ? minutes + " min" : time.toSeconds() + " s";
  }

  @Override
  public void onHeldOutLoss(long step, double loss) {
    if (!quiet) {
      err().printf(Locale.ROOT, "step %d: held-out loss %.5f%n", step, loss);
    }
  }

  @Override
  public void onCheckpoint(long step, Path folder) {
    if (!quiet) {
      err().println("step " + step + ": saved " + PrintableText.of(folder.toString()));
    }
  }

  @Override
  public void onSample(long step, Path picture) {
    if (!quiet) {
      err().println("step " + step + ": drew " + PrintableText.of(picture.toString()));
    }
  }

  void print(TrainingPlan plan) {
    if (json) {
      Json.print(spec.commandLine().getOut(), asMap(plan));
    } else {
      PrintWriter out = spec.commandLine().getOut();
      out.printf(
          Locale.ROOT,
          "%d pictures, the largest %dx%d: %d text and %d image tokens; %d numbers are trained%n",
          plan.pictures(),
          plan.width(),
          plan.height(),
          plan.textTokens(),
          plan.imageTokens(),
          plan.parameters());
      for (TrainingPlan.Part part : plan.parts()) {
        out.printf(
            Locale.ROOT,
            "%-26s %10.3f GB%s%n",
            part.name(),
            part.bytes() / 1e9,
            part.inFiles() ? "  (pages of files, read in every step)" : "");
      }
      out.printf(
          Locale.ROOT,
          "%-26s %10.3f GB%s%n",
          "all but files",
          plan.bytes() / 1e9,
          plan.availableBytes().isPresent()
              ? String.format(Locale.ROOT, " of %.3f GB", plan.availableBytes().getAsLong() / 1e9)
              : "");
      out.printf(
          Locale.ROOT,
          "%d steps of %.4f TFLOP: %.1f s each, %s in all at the measured %.3f TFLOP/s; a"
              + " checkpoint takes %.3f GB on the disk%n",
          plan.steps(),
          plan.stepFlops() / 1e12,
          plan.stepSeconds(),
          text(Duration.ofSeconds((long) (plan.steps() * plan.stepSeconds()))),
          plan.flopsPerSecond() / 1e12,
          plan.checkpointBytes() / 1e9);
      plan.refusal().ifPresent(reason -> err().println("urae: " + reason));
    }
    spec.commandLine().getOut().flush();
  }

  private static Map<String, Object> asMap(TrainingPlan plan) {
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("pictures", plan.pictures());
    map.put("width", plan.width());
    map.put("height", plan.height());
    map.put("text_tokens", plan.textTokens());
    map.put("image_tokens", plan.imageTokens());
    map.put("parameters", plan.parameters());
    map.put(
        "parts",
        plan.parts().stream()
            .map(
                part ->
                    Map.of("name", part.name(), "bytes", part.bytes(), "in_files", part.inFiles()))
            .toList());
    map.put("bytes", plan.bytes());
    plan.availableBytes().ifPresent(bytes -> map.put("available_bytes", bytes));
    map.put("step_flops", plan.stepFlops());
    map.put("flops_per_second", plan.flopsPerSecond());
    map.put("step_seconds", plan.stepSeconds());
    map.put("steps", plan.steps());
    map.put("checkpoint_bytes", plan.checkpointBytes());
    plan.refusal().ifPresent(reason -> map.put("refusal", reason));
    return map;
  }

  void print(TrainingResult result, double seconds) {
    PrintWriter out = spec.commandLine().getOut();
    if (json) {
      Map<String, Object> map = new LinkedHashMap<>();
      result.adapter().ifPresent(file -> map.put("output", file.toString()));
      result.checkpoint().ifPresent(folder -> map.put("checkpoint", folder.toString()));
      map.put("step", result.step());
      map.put("steps", result.steps());
      result.smoothedLoss().ifPresent(loss -> map.put("smoothed_loss", loss));
      result.heldOutLoss().ifPresent(loss -> map.put("held_out_loss", loss));
      map.put("seconds", Math.round(seconds * 10) / 10.0);
      Json.print(out, map);
    } else if (result.adapter().isPresent()) {
      out.println(result.adapter().get());
    }
    out.flush();
  }
}
