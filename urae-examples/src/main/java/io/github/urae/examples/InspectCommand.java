package io.github.urae.examples;

import com.fasterxml.jackson.core.util.DefaultIndenter;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.github.urae.ModelException;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
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
    description = "Say what a checkpoint, a safetensors file or a picture made here is.",
    mixinStandardHelpOptions = true)
final class InspectCommand implements Callable<Integer> {

  @Spec CommandSpec spec;

  @Parameters(paramLabel = "PATH", description = "A checkpoint's folder, or a file.")
  Path path;

  @Option(names = "--json", description = "Print JSON.")
  boolean json;

  @Mixin OutputOptions verbosity;

  @Override
  public Integer call() throws IOException {
    Map<String, Object> findings = inspect();
    PrintWriter out = spec.commandLine().getOut();
    if (json) {
      DefaultPrettyPrinter printer =
          new DefaultPrettyPrinter().withObjectIndenter(new DefaultIndenter("  ", "\n"));
      out.println(new JsonMapper().writer(printer).writeValueAsString(findings));
    } else {
      print(out, "", findings);
    }
    out.flush();
    return 0;
  }

  private Map<String, Object> inspect() throws IOException {
    if (!Files.exists(path)) {
      throw new NoSuchFileException(path.toString());
    }
    String name = path.getFileName().toString().toLowerCase(Locale.ROOT);
    if (Files.isDirectory(path)) {
      return Inspection.ofCheckpoint(path);
    }
    if (name.endsWith(".safetensors") || name.endsWith(".safetensors.index.json")) {
      return Inspection.ofWeights(path);
    }
    if (name.endsWith(".png")) {
      return Inspection.ofPicture(path);
    }
    throw new ModelException(
        path + ": expected a checkpoint's folder, a .safetensors file or a .png picture");
  }

  private static void print(PrintWriter out, String indent, Map<String, Object> findings) {
    findings.forEach(
        (key, value) -> {
          if (value instanceof Map<?, ?> nested) {
            out.println(indent + key + ":");
            @SuppressWarnings("unchecked") // Inspection makes no others.
            Map<String, Object> inner = (Map<String, Object>) nested;
            print(out, indent + "  ", inner);
          } else if (value instanceof List<?> list) {
            out.println(indent + key + ":");
            list.forEach(element -> out.println(indent + "  " + element));
          } else {
            out.println(indent + key + ": " + value);
          }
        });
  }
}
