package io.github.urae.onnx.internal.graph;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import io.github.urae.CancellationToken;
import io.github.urae.ModelException;
import io.github.urae.ProgressListener;
import io.github.urae.device.Device;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.Checkpoint;
import io.github.urae.flux.model.internal.ClipTextConfig;
import io.github.urae.flux.model.internal.Flux1;
import io.github.urae.flux.model.internal.NetworkWeights;
import io.github.urae.flux.model.internal.T5Config;
import io.github.urae.internal.JsonConfig;
import io.github.urae.onnx.internal.session.NetworkSession;
import io.github.urae.onnx.internal.session.SessionSettings;
import io.github.urae.onnx.internal.session.Weights;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import io.github.urae.testkit.TestData;
import io.github.urae.weights.internal.WeightCache;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Map;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TextGraphTest {

  @TempDir Path folder;

  /**
   * CLIP attends to earlier tokens only, so that its output at a position does not depend on what
   * follows: both rules must give the same where they pool the same position after the same ids.
   */
  @Test
  void bothPoolingRules() throws IOException {
    long[] ids = {1, 20, 320, 20, 1580, 1580, 7};
    // The older rule takes the first of the highest ids, wherever the end token is.
    float[] legacy = pooled(ClipTextConfig.LEGACY_END_TOKEN, ids);
    assertThat(pooled(1580, ids)).isEqualTo(legacy);
    // The other takes the first end token: here after two ids, which the older one does if they are
    // the highest.
    assertThat(pooled(20, ids))
        .isEqualTo(pooled(ClipTextConfig.LEGACY_END_TOKEN, 1, 20))
        .isNotEqualTo(legacy);
  }

  private static float[] pooled(long endToken, long... start) throws IOException {
    Checkpoint checkpoint = Checkpoint.open(TestData.checkpoint());
    ClipTextConfig own = checkpoint.clip();
    ClipTextConfig config =
        new ClipTextConfig(
            own.layers(),
            own.heads(),
            own.width(),
            own.innerWidth(),
            own.vocabulary(),
            own.positions(),
            own.epsilon(),
            own.activation(),
            endToken);
    NetworkGraph graph = ClipTextGraph.build(config, ElementType.F32);
    ByteBuffer data = ByteBuffer.allocateDirect(77 * Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    data.asLongBuffer().put(Arrays.copyOf(start, 77));
    Tensor ids = Tensor.view(ElementType.I64, Shape.of(1, 77), data, "ids");
    WeightCache cache = new WeightCache(TestData.CACHE, WeightCache.DEFAULT_MAX_BYTES);
    try (Weights weights =
            Weights.of(
                graph,
                NetworkWeights.open(
                    checkpoint.place(Component.TEXT_ENCODER),
                    Flux1.FAMILY,
                    Component.TEXT_ENCODER));
        NetworkSession session =
            NetworkSession.open(
                graph,
                weights.inSessionType(
                    Component.TEXT_ENCODER, cache, ProgressListener.NONE, new CancellationToken()),
                Map.of(),
                new SessionSettings(Device.cpu(), OptionalInt.of(1), false))) {
      return session.run(Map.of("input_ids", ids), new CancellationToken());
    }
  }

  /** Where the buckets of T5 1.1 begin, computed with transformers 4.57 on torch 2.5. */
  @Test
  void relativePositionBuckets() {
    T5Config config = new T5Config(24, 64, 64, 4096, 10240, 32128, 1e-6, 32, 128, 1, 0);
    int[] begins = {0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91};
    int length = 512;
    long[] buckets = config.relativePositionBuckets(length);
    for (int distance = 0; distance < length; distance++) {
      int bucket = begins.length - 1;
      while (begins[bucket] > distance) {
        bucket--;
      }
      long keyBefore = buckets[distance * length];
      long keyAfter = buckets[distance];
      assertThat(keyBefore).as("key %d before the query", distance).isEqualTo(bucket);
      assertThat(keyAfter)
          .as("key %d after the query", distance)
          .isEqualTo(distance == 0 ? 0 : bucket + 16);
    }
  }

  /** Where no tensors tell that a configuration is wrong, in an export for instance. */
  @Test
  void aGraphOfAnyLengthEnds() throws IOException {
    Path file = folder.resolve("config.json");
    for (String type : new String[] {"clip_text_model", "t5"}) {
      Files.writeString(
          file,
          "{\"model_type\": \""
              + type
              + "\", \"feed_forward_proj\": \"gated-gelu\", \"num_layers\": 2147483647,"
              + " \"num_hidden_layers\": 2147483647}");
      assertTimeoutPreemptively(
          Duration.ofMinutes(2),
          () ->
              assertThatThrownBy(
                      () -> {
                        if (type.equals("t5")) {
                          T5EncoderGraph.build(
                              T5Config.from(JsonConfig.read(file)), ElementType.F32);
                        } else {
                          ClipTextGraph.build(
                              ClipTextConfig.from(JsonConfig.read(file)), ElementType.F32);
                        }
                      })
                  .isInstanceOf(ModelException.class)
                  .hasMessageContaining("more than 100000 operators"));
    }
  }
}
