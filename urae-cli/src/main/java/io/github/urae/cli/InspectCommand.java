package io.github.urae.cli;

import io.github.urae.InvalidRequestException;
import io.github.urae.ModelException;
import io.github.urae.image.ImageFormat;
import io.github.urae.internal.InputFile;
import io.github.urae.internal.MistakenFile;
import io.github.urae.internal.PrintableText;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code urae inspect}: says what a checkpoint, a weight file or a picture is. */
@Command(
    name = "inspect",
    description =
        "Say what a checkpoint, a file or folder of weights, an adapter or a picture made here is.",
    mixinStandardHelpOptions = true)
final class InspectCommand implements Callable<Integer> {

  @Spec CommandSpec spec;

  @Parameters(
      paramLabel = "PATH",
      description =
          "A checkpoint's folder, a file, or an id as --model and --adapter take it (bundled:"
              + " demo:model, demo:2k, demo:4k).")
  String path;

  /** Enough to tell what a file is. */
  private static final int START_BYTES = 512;

  @Option(
      names = "--model",
      paramLabel = "DIR|ID",
      description =
          "Checkpoint that an adapter is matched against; demo:model for the bundled one.")
  String model;

  @Option(
      names = "--cache-dir",
      paramLabel = "DIR",
      description = "Folder for what is bundled (default: $XDG_CACHE_HOME/urae or ~/.cache/urae).")
  Path cacheDir;

  @Option(names = "--json", description = "Print JSON.")
  boolean json;

  @Mixin VerboseOption verbose;

  @Override
  public Integer call() throws IOException {
    Map<String, Object> findings = inspect();
    PrintWriter out = spec.commandLine().getOut();
    if (json) {
      Json.print(out, findings);
    } else {
      print(out, "", findings);
    }
    out.flush();
    return 0;
  }

  private Map<String, Object> inspect() throws IOException {
    CheckpointOptions bundled = new CheckpointOptions();
    bundled.cacheDir = cacheDir;
    Path file = bundled.anything(path);
    if (isWeights(file) || AdapterInspection.isAdapterFolder(file)) {
      Optional<Map<String, Object>> adapter = AdapterInspection.ofAdapter(file);
      if (adapter.isPresent() && model != null) {
        adapter.get().putAll(AdapterInspection.matched(file, bundled.modelFolder(model)));
      }
      return adapter.isPresent() ? adapter.get() : Inspection.ofWeights(file);
    }
    if (Files.isDirectory(file)) {
      return Inspection.ofFolder(file);
    }
    if (isPicture(file)) {
      return Inspection.ofPicture(file);
    }
    throw new ModelException(
        file
            + ": expected a checkpoint's folder, a .safetensors or .gguf file or a picture, .png,"
            + " .jpg, .tif or .webp"
            + MistakenFile.describe(start(file)).map(", found "::concat).orElse(""));
  }

  /** By its name, or by its content where a download has another. */
  private static boolean isWeights(Path file) throws IOException {
    String name = file.getFileName().toString().toLowerCase(Locale.ROOT);
    return name.endsWith(".safetensors")
        || name.endsWith(".gguf")
        || name.endsWith(".safetensors.index.json")
        || (Files.isRegularFile(file) && isWeights(start(file)));
  }

  private static boolean isWeights(byte[] start) {
    return MistakenFile.isGguf(start) || MistakenFile.isSafetensors(start);
  }

  private static byte[] start(Path file) throws IOException {
    InputFile.checkRegular(file);
    try (InputStream in = Files.newInputStream(file)) {
      return in.readNBytes(START_BYTES);
    }
  }

  private static boolean isPicture(Path file) {
    try {
      ImageFormat.of(file);
      return true;
    } catch (InvalidRequestException e) {
      return false;
    }
  }

  private static void print(PrintWriter out, String indent, Map<String, Object> findings) {
    findings.forEach(
        (key, value) -> {
          if (value instanceof Map<?, ?> nested) {
            out.println(indent + PrintableText.of(key) + ":");
            @SuppressWarnings("unchecked") // Inspection makes no others.
            Map<String, Object> inner = (Map<String, Object>) nested;
            print(out, indent + "  ", inner);
          } else if (value instanceof List<?> list) {
            out.println(indent + PrintableText.of(key) + ":");
            list.forEach(
                element -> out.println(indent + "  " + PrintableText.of(element.toString())));
          } else {
            out.println(indent + PrintableText.of(key + ": " + value));
          }
        });
  }
}
