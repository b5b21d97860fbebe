package io.github.urae.benchmarks;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** What ONNX Runtime's profile says about each run. */
final class OperatorTimes {

  /** A matrix product: [rows, depth] by [columns, depth] transposed. */
  record Product(long rows, long columns, long depth) {
    double operations() {
      return 2.0 * rows * columns * depth;
    }
  }

  /**
   * One run.
   *
   * @param seconds the whole run
   * @param byOperator seconds by operator
   * @param products how often each matrix product of a linear layer was computed
   */
  record Run(double seconds, Map<String, Double> byOperator, Map<Product, Integer> products) {}

  private OperatorTimes() {}

  /** Reads the runs of a profile, in order. */
  static List<Run> read(Path profile) throws IOException {
    List<JsonNode> events = new ArrayList<>();
    new JsonMapper().readTree(profile.toFile()).forEach(events::add);
    List<Run> runs = new ArrayList<>();
    for (JsonNode event : events) {
      if (event.path("name").asText().equals("model_run")) {
        runs.add(run(event, events));
      }
    }
    return runs;
  }

  private static Run run(JsonNode whole, List<JsonNode> events) {
    long start = whole.path("ts").asLong();
    long end = start + whole.path("dur").asLong();
    Map<String, Double> byOperator = new HashMap<>();
    Map<Product, Integer> products = new HashMap<>();
    for (JsonNode event : events) {
      long at = event.path("ts").asLong();
      String name = event.path("name").asText();
      if (at < start || at >= end || !name.endsWith("_kernel_time")) {
        continue;
      }
      JsonNode details = event.path("args");
      String operator = details.path("op_name").asText();
      byOperator.merge(operator, event.path("dur").asLong() / 1e6, Double::sum);
      if (operator.equals("Gemm")) {
        JsonNode inputs = details.path("input_type_shape");
        JsonNode x = inputs.path(0).path("float");
        JsonNode output = details.path("output_type_shape").path(0).path("float");
        products.merge(
            new Product(output.path(0).asLong(), output.path(1).asLong(), x.path(1).asLong()),
            1,
            Integer::sum);
      }
    }
    return new Run(whole.path("dur").asLong() / 1e6, byOperator, products);
  }
}
