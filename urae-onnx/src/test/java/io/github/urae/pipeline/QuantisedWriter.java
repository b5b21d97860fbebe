package io.github.urae.pipeline;

import io.github.urae.onnx.internal.source.OriginalNames;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import io.github.urae.tensor.internal.Elements;
import io.github.urae.testkit.TestData;
import io.github.urae.weights.Safetensors;
import io.github.urae.weights.SafetensorsWriter;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.PlacedTensors;
import io.github.urae.weights.internal.gguf.GgmlType;
import io.github.urae.weights.internal.gguf.GgufWriter;
import io.github.urae.weights.internal.quantised.FourBitCode;
import io.github.urae.weights.internal.quantised.RecognisedEncodings;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Quantises the demo checkpoint's transformer as the programs do whose files people have. */
final class QuantisedWriter {

  private static final float LARGEST = 448;

  private static final int NF4_BLOCK = 64;

  /** All that are not negative, in order of their codes. */
  private static final float[] E4M3 = new float[127];

  static {
    ByteBuffer codes = ByteBuffer.allocate(E4M3.length);
    for (int i = 0; i < E4M3.length; i++) {
      codes.put((byte) i);
    }
    Elements.toFloats(ElementType.F8_E4M3, codes.flip(), E4M3, 0, E4M3.length);
  }

  /** Parts of Black Forest Labs' names of what stays unquantised outside the blocks. */
  private static final List<String> OUTSIDE =
      List.of("txt_in.", "img_in.", "time_in.", "vector_in.", "guidance_in.", "final_layer.");

  private QuantisedWriter() {}

  /** Returns the transformer by Black Forest Labs' names. */
  static Map<String, Tensor> original() throws IOException {
    try (TensorSource diffusers = Safetensors.open(TestData.checkpoint().resolve("transformer"))) {
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      OriginalNames.of(diffusers)
          .forEach(
              (name, tensor) ->
                  tensors.put(name, CheckpointCopy.converted(tensor, ElementType.BF16)));
      return tensors;
    }
  }

  /** The same with one double and one single block. */
  static Map<String, Tensor> cut() throws IOException {
    Map<String, Tensor> tensors = original();
    tensors.keySet().removeIf(name -> name.matches("(double|single)_blocks\\.[1-9].*"));
    return tensors;
  }

  static boolean isBlockMatrix(String name, Tensor tensor) {
    return tensor.shape().rank() == 2 && OUTSIDE.stream().noneMatch(name::contains);
  }

  /** Casts every tensor, norms and biases too. */
  static void writePlainFloat8(Path file, Map<String, Tensor> tensors) throws IOException {
    tensors.replaceAll((name, tensor) -> float8(tensor));
    SafetensorsWriter.write(file, Map.of(), tensors);
  }

  /** Scales of both shapes, some of inputs, and the marker. */
  static void writeScaledFloat8(Path file) throws IOException {
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    int layers = 0;
    for (Map.Entry<String, Tensor> entry : cut().entrySet()) {
      String name = entry.getKey();
      if (!isBlockMatrix(name, entry.getValue())) {
        tensors.put(name, entry.getValue());
        continue;
      }
      float[] values = entry.getValue().toFloats();
      float most = 0;
      for (float value : values) {
        most = Math.max(most, Math.abs(value));
      }
      float scale = most / LARGEST;
      for (int i = 0; i < values.length; i++) {
        values[i] /= scale;
      }
      String layer = name.substring(0, name.length() - ".weight".length());
      tensors.put(name, float8(values, entry.getValue().shape()));
      tensors.put(
          layer + ".scale_weight",
          layers % 2 == 0
              ? Tensor.ofFloats(new float[] {scale})
              : Tensor.ofFloats(new float[] {scale}, 1));
      if (layers % 3 == 0) {
        tensors.put(layer + ".scale_input", Tensor.ofFloats(new float[] {0.25f}));
      }
      layers++;
    }
    tensors.put(
        "scaled_fp8",
        Tensor.view(ElementType.F8_E4M3, Shape.of(0), ByteBuffer.allocate(0), "marker"));
    SafetensorsWriter.write(file, Map.of(), tensors);
  }

  static Tensor float8(Tensor tensor) {
    return float8(tensor.toFloats(), tensor.shape());
  }

  private static Tensor float8(float[] values, Shape shape) {
    byte[] codes = new byte[values.length];
    for (int i = 0; i < codes.length; i++) {
      codes[i] = (byte) float8(values[i]);
    }
    return Tensor.view(ElementType.F8_E4M3, shape, ByteBuffer.wrap(codes), "float8");
  }

  /** Rounds to the nearest, ties to even codes. */
  private static int float8(float value) {
    float magnitude = Math.min(Math.abs(value), LARGEST);
    int low = 0;
    int high = E4M3.length - 1;
    while (high - low > 1) {
      int middle = (low + high) / 2;
      if (E4M3[middle] <= magnitude) {
        low = middle;
      } else {
        high = middle;
      }
    }
    double below = (double) magnitude - E4M3[low];
    double above = (double) E4M3[high] - magnitude;
    int code = below < above || (below == above && low % 2 == 0) ? low : high;
    return Float.floatToRawIntBits(value) < 0 ? code | 0x80 : code;
  }

  /** The blocks' matrices in Q8_0, all else in halves, as the first GGUF files of FLUX had it. */
  static void writeQ80(Path file) throws IOException {
    Map<String, Tensor> tensors = original();
    List<GgufWriter.Declaration> declarations = new ArrayList<>();
    tensors.forEach(
        (name, tensor) ->
            declarations.add(
                new GgufWriter.Declaration(
                    name,
                    isBlockMatrix(name, tensor) ? GgmlType.Q8_0 : GgmlType.F16,
                    tensor.shape())));
    GgufWriter.write(
        file,
        Map.of("general.architecture", "flux"),
        declarations,
        (name, sink) -> {
          float[] values = tensors.get(name).toFloats();
          ByteBuffer bytes =
              ByteBuffer.allocate(values.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
          bytes.asFloatBuffer().put(values);
          sink.accept(bytes);
        });
  }

  /** NF4 of every matrix, not nested, in names with a prefix. */
  static void writeNf4(Path file) throws IOException {
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    original().forEach((name, tensor) -> addNf4(tensors, "model.diffusion_model." + name, tensor));
    SafetensorsWriter.write(file, Map.of(), tensors);
  }

  private static void addNf4(Map<String, Tensor> tensors, String name, Tensor tensor) {
    if (tensor.shape().rank() != 2) {
      tensors.put(name, tensor);
      return;
    }
    float[] values = tensor.toFloats();
    float[] maxima = new float[(values.length + NF4_BLOCK - 1) / NF4_BLOCK];
    for (int i = 0; i < values.length; i++) {
      maxima[i / NF4_BLOCK] = Math.max(maxima[i / NF4_BLOCK], Math.abs(values[i]));
    }
    byte[] packed = new byte[(values.length + 1) / 2];
    for (int i = 0; i < values.length; i++) {
      int code = nf4(values[i] * (1 / maxima[i / NF4_BLOCK]));
      packed[i / 2] |= (byte) (code << (i % 2 == 0 ? 4 : 0));
    }
    float[] map = new float[16];
    for (int i = 0; i < map.length; i++) {
      map[i] = FourBitCode.NF4.value(i);
    }
    tensors.put(name, bytes(ElementType.U8, packed, packed.length, 1));
    tensors.put(name + ".absmax", Tensor.ofFloats(maxima, maxima.length));
    tensors.put(name + ".quant_map", Tensor.ofFloats(map, map.length));
    byte[] state =
        ("{\"quant_type\": \"nf4\", \"blocksize\": 64, \"dtype\": \"bfloat16\", \"shape\": "
                + tensor.shape()
                + "}")
            .getBytes(StandardCharsets.UTF_8);
    tensors.put(
        name + ".quant_state.bitsandbytes__nf4", bytes(ElementType.U8, state, state.length));
  }

  private static int nf4(float value) {
    int nearest = 0;
    for (int code = 1; code < 16; code++) {
      if (Math.abs(value - FourBitCode.NF4.value(code))
          < Math.abs(value - FourBitCode.NF4.value(nearest))) {
        nearest = code;
      }
    }
    return nearest;
  }

  /** LLM.int8 of every matrix, in diffusers' names, with one double and one single block. */
  static void writeInt8(Path file) throws IOException {
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    try (TensorSource diffusers = Safetensors.open(TestData.checkpoint().resolve("transformer"))) {
      for (String name : diffusers.tensors().keySet()) {
        if (!name.matches("(single_)?transformer_blocks\\.[1-9].*")) {
          addInt8(
              tensors, name, CheckpointCopy.converted(diffusers.tensor(name), ElementType.BF16));
        }
      }
      SafetensorsWriter.write(file, Map.of("format", "pt"), tensors);
    }
  }

  private static void addInt8(Map<String, Tensor> tensors, String name, Tensor tensor) {
    if (tensor.shape().rank() != 2) {
      tensors.put(name, tensor);
      return;
    }
    // The reference starts from float16.
    float[] values = CheckpointCopy.converted(tensor, ElementType.F16).toFloats();
    int rows = (int) tensor.shape().dimension(0);
    int columns = values.length / rows;
    float[] maxima = new float[rows];
    byte[] codes = new byte[values.length];
    for (int i = 0; i < values.length; i++) {
      maxima[i / columns] = Math.max(maxima[i / columns], Math.abs(values[i]));
    }
    for (int i = 0; i < values.length; i++) {
      // PyTorch divides a number by a tensor so.
      codes[i] = (byte) Math.rint(values[i] * (1 / maxima[i / columns] * 127));
    }
    String layer = name.substring(0, name.length() - "weight".length());
    tensors.put(name, bytes(ElementType.I8, codes, rows, columns));
    tensors.put(layer + "SCB", Tensor.ofFloats(maxima, rows));
    tensors.put(layer + "weight_format", bytes(ElementType.U8, new byte[1]));
  }

  private static Tensor bytes(ElementType type, byte[] bytes, long... shape) {
    return Tensor.view(type, Shape.of(shape), ByteBuffer.wrap(bytes), "quantised");
  }

  /** Writes the values of a quantised file in float32. */
  static void writeValues(Path quantised, Path file) throws IOException {
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    try (TensorSource stored = Safetensors.open(quantised);
        TensorSource open = PlacedTensors.open(RecognisedEncodings.of(stored).values())) {
      for (TensorInfo info : open.tensors().values()) {
        float[] values = new float[(int) info.shape().elementCount()];
        open.readFloats(info.name(), 0, values, 0, values.length);
        tensors.put(info.name(), Tensor.ofFloats(values, info.shape().toArray()));
      }
    }
    SafetensorsWriter.write(file, Map.of(), tensors);
  }
}
