package io.github.urae.cli;

import static java.util.stream.Collectors.joining;

import io.github.urae.adapter.UnmatchedKey;
import io.github.urae.internal.PrintableText;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;

/** Says what a command on adapters has written: for people, or as JSON. */
final class AdapterResult {

  /** Keys that a warning names. */
  private static final int SHOWN = 5;

  @Option(names = "--json", description = "Print JSON.")
  boolean json;

  /**
   * Prints the result: the file's path on standard output, the rest on standard error; or all of it
   * as JSON on standard output.
   *
   * @param findings further numbers and texts, in order
   */
  void print(CommandSpec spec, OutputOptions verbosity, Path output, Map<String, Object> findings) {
    if (json) {
      Map<String, Object> all = new LinkedHashMap<>();
      all.put("output", output.toString());
      all.putAll(findings);
      Json.print(spec.commandLine().getOut(), all);
    } else if (!verbosity.quiet) {
      spec.commandLine().getOut().println(output);
      StringBuilder line = new StringBuilder();
      findings.forEach(
          (name, value) -> {
            if (!(value instanceof List<?>)) {
              line.append(line.length() == 0 ? "" : ", ").append(name).append(' ').append(value);
            }
          });
      spec.commandLine().getErr().println(line);
    }
    spec.commandLine().getOut().flush();
  }

  /**
   * Tells of keys that changed nothing, and why, with some of their names; not even a quiet command
   * keeps that to itself.
   */
  static void warn(CommandSpec spec, List<UnmatchedKey> unmatched) {
    Map<String, List<String>> keys = new LinkedHashMap<>();
    for (UnmatchedKey key : unmatched) {
      keys.computeIfAbsent(key.adapter().path() + ": " + key.reason(), r -> new ArrayList<>())
          .add("'" + key.key() + "'");
    }
    keys.forEach(
        (reason, names) -> {
          String shown =
              names.stream().limit(SHOWN).map(PrintableText::shortened).collect(joining(", "));
          int more = names.size() - SHOWN;
          spec.commandLine()
              .getErr()
              .println(
                  "urae: "
                      + PrintableText.of(reason)
                      + ": "
                      + shown
                      + (more > 0 ? " and " + more + " more" : "")
                      + (names.size() == 1 ? " changes nothing" : " change nothing"));
        });
  }

  /** Seconds since a moment, to a tenth. */
  static double seconds(long startNanos) {
    return Double.parseDouble(
        String.format(Locale.ROOT, "%.1f", (System.nanoTime() - startNanos) / 1e9));
  }
}
