package io.github.urae.flux.model;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What was understood of an exported network.
 *
 * @param network the network: {@code "transformer"}
 * @param file its {@code model.onnx}
 * @param parameters how many parameters the configuration asks for
 * @param recovered how many of them were found, by rule in words
 * @param shared how many of them share their bytes with another
 * @param missing parameters that were not found
 * @param patterns patterns of the network: how many the export has, and how many were expected, as
 *     in {@code "6 of 6"}
 * @param rewritten whether the network runs as a graph made here, over the export's weights: any
 *     size, rotary positions as inputs, fused attention. Otherwise it runs as it was exported
 * @param remarks why it was not rewritten, in words; empty if it was
 */
public record ExportReport(
    String network,
    Path file,
    int parameters,
    Map<String, Integer> recovered,
    int shared,
    List<String> missing,
    Map<String, String> patterns,
    boolean rewritten,
    List<String> remarks) {

  /**
   * Copies the collections.
   *
   * @param network as above
   * @param file as above
   * @param parameters as above
   * @param recovered as above
   * @param shared as above
   * @param missing as above
   * @param patterns as above
   * @param rewritten as above
   * @param remarks as above
   */
  public ExportReport {
    recovered = Collections.unmodifiableMap(new LinkedHashMap<>(recovered));
    patterns = Collections.unmodifiableMap(new LinkedHashMap<>(patterns));
    missing = List.copyOf(missing);
    remarks = List.copyOf(remarks);
  }

  /**
   * Returns the report in words.
   *
   * @return names and findings, in order
   */
  public Map<String, Object> asText() {
    Map<String, Object> text = new LinkedHashMap<>();
    int found = recovered.values().stream().mapToInt(i -> i).sum();
    text.put("parameters", found + " of " + parameters + " recovered");
    recovered.forEach((rule, count) -> text.put(rule, count));
    if (shared > 0) {
      text.put("sharing their bytes with another", shared);
    }
    text.put("patterns", new LinkedHashMap<String, Object>(patterns));
    text.put("runs", rewritten ? "rewritten, as from a checkpoint" : "as it was exported");
    if (!remarks.isEmpty()) {
      text.put("because", new ArrayList<>(remarks));
    }
    return text;
  }

  /** Returns the report in one line, for logs. */
  @Override
  public String toString() {
    return network + " of " + file + ": " + asText();
  }
}
