package io.github.urae.adapter;

import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import io.github.urae.tensor.internal.Elements;
import io.github.urae.weights.SafetensorsWriter;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;

/** An adapter file to be, tensor by tensor. */
public final class AdapterFile {

  private final Map<String, Tensor> tensors = new LinkedHashMap<>();
  private final Map<String, String> metadata = new LinkedHashMap<>();

  /** Adds a tensor of seeded noise in float32. */
  public AdapterFile noise(String key, long... shape) {
    return values(key, noise(Shape.of(shape).elementCount(), key.hashCode()), shape);
  }

  public AdapterFile values(String key, float[] values, long... shape) {
    tensors.put(key, Tensor.ofFloats(values, shape));
    return this;
  }

  public AdapterFile tensor(String key, Tensor tensor) {
    tensors.put(key, tensor);
    return this;
  }

  /** Adds a pair under PEFT's names. */
  public AdapterFile pair(String module, long rank, long inputs, long outputs) {
    return noise(module + ".lora_A.weight", rank, inputs)
        .noise(module + ".lora_B.weight", outputs, rank);
  }

  public AdapterFile alpha(String module, float alpha) {
    return values(module + ".alpha", new float[] {alpha});
  }

  public AdapterFile metadata(String key, String value) {
    metadata.put(key, value);
    return this;
  }

  public AdapterSpec write(Path file) throws IOException {
    SafetensorsWriter.write(file, metadata, tensors);
    return new AdapterSpec(file, 1);
  }

  public static float[] noise(long count, long seed) {
    Random random = new Random(seed);
    float[] values = new float[Math.toIntExact(count)];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (0.05 * random.nextGaussian());
    }
    return values;
  }

  /** Returns values as a tensor of another type. */
  public static Tensor rounded(ElementType type, float[] values, long... shape) {
    ByteBuffer bytes = ByteBuffer.allocate((int) type.byteSize(values.length));
    Elements.fromFloats(type, values, 0, values.length, bytes);
    return Tensor.view(type, Shape.of(shape), bytes.flip(), "rounded values");
  }
}
