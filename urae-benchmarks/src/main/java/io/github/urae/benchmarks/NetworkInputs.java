package io.github.urae.benchmarks;

import io.github.urae.flux.arithmetic.TorchGenerator;
import io.github.urae.flux.model.internal.T5Config;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Map;

/** Seeded inputs of the networks beside the transformer. */
final class NetworkInputs {

  private NetworkInputs() {}

  /** Returns what T5's encoder takes: so many tokens. */
  static Map<String, Tensor> ofT5(T5Config config, int tokens) {
    return Map.of(
        "input_ids",
        ids(new long[tokens], 1, tokens),
        "relative_buckets",
        ids(config.relativePositionBuckets(tokens), tokens, tokens));
  }

  /** Returns what the decoder takes: latents of so many rows and columns. */
  static Map<String, Tensor> ofDecoder(int side) {
    float[] noise = new TorchGenerator(1).randn(16 * side * side);
    return Map.of("latent_sample", Tensor.ofFloats(noise, 1, 16, side, side));
  }

  /** Makes a tensor of token ids or buckets. */
  static Tensor ids(long[] values, long... dimensions) {
    ByteBuffer data =
        ByteBuffer.allocateDirect(values.length * Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    data.asLongBuffer().put(values);
    return Tensor.view(ElementType.I64, Shape.of(dimensions), data, "ids");
  }
}
