package io.github.urae.weights.internal.quantised;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.databind.JsonNode;
import io.github.urae.FileFormatException;
import io.github.urae.ModelException;
import io.github.urae.internal.PrintableText;
import io.github.urae.tensor.ElementType;
import io.github.urae.weights.TensorInfo;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * What ComfyUI says of each layer's format: in a tensor of JSON beside the layer's weight, or in
 * the file's metadata, there perhaps without what stands before the names of all tensors.
 *
 * @see <a href="https://github.com/comfyanonymous/ComfyUI">ComfyUI: {@code QUANTIZATION.md}</a>
 */
final class ComfyFormats {

  private static final String TENSOR = ".comfy_quant";
  private static final String METADATA = "_quantization_metadata";

  private final Map<String, ElementType> byLayer = new HashMap<>();

  private ComfyFormats() {}

  /**
   * Reads all descriptions, and takes away the tensors that they lie in.
   *
   * @throws ModelException if a layer is of a format that is not supported
   * @throws FileFormatException if a description cannot be read
   */
  static ComfyFormats take(StoredTensors tensors) throws IOException {
    ComfyFormats formats = new ComfyFormats();
    String metadata = tensors.metadata().get(METADATA);
    if (metadata != null && !tensors.all().isEmpty()) {
      formats.addAll(tensors.all().values().iterator().next().file(), metadata);
    }
    for (String name : tensors.names()) {
      if (name.endsWith(TENSOR)) {
        TensorInfo info = tensors.take(name).orElseThrow();
        String layer = name.substring(0, name.length() - TENSOR.length());
        formats.add(info.file(), layer, tensors.readJson(info).path("format"));
      }
    }
    return formats;
  }

  private void addAll(Path file, String metadata) {
    JsonNode layers;
    try {
      layers = StoredTensors.json(metadata).path("layers");
    } catch (JacksonException e) {
      throw new FileFormatException(
          file
              + ": metadata '"
              + METADATA
              + "': not valid JSON: "
              + PrintableText.shortened(e.getOriginalMessage()),
          e);
    }
    layers
        .properties()
        .forEach(
            entry -> {
              JsonNode layer = entry.getValue();
              // Written as an object, or as its format alone.
              add(file, entry.getKey(), layer.isTextual() ? layer : layer.path("format"));
            });
  }

  private void add(Path file, String layer, JsonNode format) {
    String name = format.isTextual() ? format.textValue() : format.toString();
    // What follows tells the shape of the scales, which these tell as well.
    if (name.startsWith("float8_e4m3fn")) {
      byLayer.put(layer, ElementType.F8_E4M3);
    } else if (name.startsWith("float8_e5m2")) {
      byLayer.put(layer, ElementType.F8_E5M2);
    } else {
      throw new ModelException(
          file
              + ": the weights are quantised (ComfyUI's format "
              + PrintableText.quoted(name)
              + " of layer "
              + PrintableText.quoted(layer)
              + "), which is not supported; "
              + RecognisedEncodings.WAY_OUT);
    }
  }

  /** Returns the type of a layer's elements, if anything says it. */
  Optional<ElementType> elements(String layer) {
    String name = layer;
    while (!byLayer.containsKey(name)) {
      int dot = name.indexOf('.');
      if (dot < 0) {
        return Optional.empty();
      }
      name = name.substring(dot + 1);
    }
    return Optional.of(byLayer.get(name));
  }
}
