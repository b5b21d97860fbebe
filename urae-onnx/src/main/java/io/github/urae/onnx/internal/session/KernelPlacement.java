package io.github.urae.onnx.internal.session;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import io.github.urae.internal.BoundedJson;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;

/**
 * Reads from a run's profile which operators ran on the processor although the session is on a GPU.
 * Arithmetic on shapes belongs there; anything else costs two copies over the bus.
 */
final class KernelPlacement {

  private static final String PROCESSOR = "CPUExecutionProvider";

  /** One operator of the profile, as far as it is known yet. */
  private static final class Kernel {
    private String operator = "";
    private String provider = "";
    private boolean computes;
  }

  private KernelPlacement() {}

  /**
   * Counts what runs on the processor.
   *
   * @param profile the file that ONNX Runtime wrote
   * @return how often each operator ran there, shape arithmetic left out
   * @throws IOException if it is no such file, or cut off
   */
  static Map<String, Integer> onProcessor(Path profile) throws IOException {
    Map<String, Integer> found = new TreeMap<>();
    try (JsonParser json = BoundedJson.factory().build().createParser(profile.toFile())) {
      while (json.nextToken() != null) {
        if (json.currentToken() == JsonToken.START_OBJECT && "args".equals(json.currentName())) {
          Kernel kernel = kernel(json);
          if (kernel.provider.equals(PROCESSOR) && kernel.computes) {
            found.merge(kernel.operator, 1, Integer::sum);
          }
        }
      }
    }
    return found;
  }

  private static Kernel kernel(JsonParser json) throws IOException {
    Kernel kernel = new Kernel();
    while (json.nextToken() != JsonToken.END_OBJECT) {
      String field = json.currentName();
      json.nextToken();
      switch (field) {
        case "op_name" -> kernel.operator = json.getText();
        case "provider" -> kernel.provider = json.getText();
        case "output_type_shape" -> kernel.computes = hasValues(json);
        default -> json.skipChildren();
      }
    }
    return kernel;
  }

  /** An array of objects, each with a type as key: shapes are int64. */
  private static boolean hasValues(JsonParser json) throws IOException {
    boolean values = false;
    while (json.nextToken() != JsonToken.END_ARRAY) {
      if (json.currentToken() == JsonToken.FIELD_NAME) {
        values |= !json.currentName().equals("int64");
        json.nextToken();
        json.skipChildren();
      }
    }
    return values;
  }
}
