package io.github.urae.onnx.internal.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.urae.CancellationToken;
import io.github.urae.GenerationCancelledException;
import io.github.urae.ProgressListener;
import io.github.urae.adapter.AdapterSpec;
import io.github.urae.adapter.internal.match.AdapterOptions;
import io.github.urae.device.Device;
import io.github.urae.device.Offload;
import io.github.urae.flux.GenerationPlan;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.RunOptions;
import io.github.urae.flux.model.Component;
import io.github.urae.onnx.internal.generation.Generation;
import io.github.urae.onnx.internal.generation.TextEncoders;
import io.github.urae.onnx.internal.generation.WorkRates;
import io.github.urae.onnx.internal.graph.Arithmetic;
import io.github.urae.onnx.internal.graph.LinearArithmetic;
import io.github.urae.onnx.internal.session.LoadedNetwork;
import io.github.urae.onnx.internal.session.NetworkUse;
import io.github.urae.onnx.internal.session.SessionSettings;
import io.github.urae.tensor.ElementType;
import io.github.urae.testkit.TestData;
import io.github.urae.weights.internal.WeightCache;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NetworksTest {

  /** With copies of weights in memory, as on a GPU. */
  private static Networks open(Offload offload) throws IOException {
    return open(offload, ElementType.F32, true, TestData.CACHE);
  }

  private static Networks open(Offload offload, ElementType type, boolean copied, Path cache)
      throws IOException {
    return open(offload, new Arithmetic(type, LinearArithmetic.PLAIN), copied, cache);
  }

  private static Networks open(Offload offload, Arithmetic arithmetic, boolean copied, Path cache)
      throws IOException {
    PipelineSettings settings =
        new PipelineSettings(
            new SessionSettings(Device.cpu(), OptionalInt.of(1), copied),
            arithmetic,
            offload,
            new WeightCache(cache, WeightCache.DEFAULT_MAX_BYTES),
            OptionalLong.empty(),
            AdapterOptions.STRICT);
    return Networks.open(
        ModelSource.at(TestData.checkpoint()),
        settings,
        List.of(),
        ProgressListener.NONE,
        new CancellationToken());
  }

  private static long held(Networks networks, Component running) {
    return networks.heldWeights(running);
  }

  @Test
  void theEncoderOfPicturesIsCountedWhenItRunsAndWhereItStays() throws IOException {
    long encoder;
    try (Networks networks = open(Offload.ONE_AT_A_TIME)) {
      encoder = held(networks, Component.VAE_ENCODER);
      assertThat(encoder).isGreaterThan(100_000);
      long decoder = held(networks, Component.VAE_DECODER);
      networks.use(Component.VAE_ENCODER).close();
      assertThat(held(networks, Component.VAE_DECODER)).isEqualTo(decoder);
    }
    try (Networks networks = open(Offload.ALL)) {
      long without = held(networks, Component.VAE_DECODER);
      assertThat(held(networks, Component.VAE_ENCODER)).isEqualTo(without + encoder);
      networks.use(Component.VAE_ENCODER).close();
      assertThat(held(networks, Component.VAE_DECODER)).isEqualTo(without + encoder);
      assertThat(held(networks, Component.VAE_ENCODER)).isEqualTo(without + encoder);
    }
  }

  /**
   * Rounded blocks are copied into another order; T5's, which become numbers layer by layer, stay
   * in their file. What an adapter adds is counted, too.
   */
  @Test
  void onlyWhatIsCopiedIsHeld() throws IOException {
    Arithmetic fewBits = new Arithmetic(ElementType.F32, LinearArithmetic.Q4);
    try (Networks copied = open(Offload.ONE_AT_A_TIME, fewBits, true, TestData.CACHE);
        Networks mapped = open(Offload.ONE_AT_A_TIME, fewBits, false, TestData.CACHE);
        Networks adapted =
            copied.with(
                List.of(new AdapterSpec(TestData.adapter2k(), 1)),
                ProgressListener.NONE,
                new CancellationToken())) {
      assertThat(held(copied, Component.TEXT_ENCODER_2)).isZero();
      assertThat(held(copied, Component.TRANSFORMER)).isGreaterThan(500_000);
      assertThat(held(mapped, Component.TRANSFORMER)).isZero();
      assertThat(held(adapted, Component.TRANSFORMER) - held(copied, Component.TRANSFORMER))
          .isBetween(10_000L, held(copied, Component.TRANSFORMER));
    }
  }

  /** T5 computes in float32 where its late layers would overflow. */
  @Test
  void aPlanCountsEachNetworkInItsOwnElementType() throws IOException {
    GenerationRequest request = GenerationRequest.builder("a").size(1024, 1024).steps(1).build();
    Map<Component, Long> whole = peaks(ElementType.F32, request);
    Map<Component, Long> half = peaks(ElementType.F16, request);
    assertThat(half.get(Component.TEXT_ENCODER_2)).isEqualTo(whole.get(Component.TEXT_ENCODER_2));
    assertThat(half.get(Component.TRANSFORMER)).isLessThan(whole.get(Component.TRANSFORMER));
  }

  private static Map<Component, Long> peaks(ElementType type, GenerationRequest request)
      throws IOException {
    try (Networks networks = open(Offload.ONE_AT_A_TIME, type, false, TestData.CACHE)) {
      return new Generation(networks, request)
          .plan().phases().stream()
              .collect(
                  Collectors.toMap(
                      GenerationPlan.Phase::component, GenerationPlan.Phase::peakBytes));
    }
  }

  @Test
  void theEncoderOfPicturesIsConvertedUntilThatIsCancelled(@TempDir Path cache) throws IOException {
    try (Networks networks = open(Offload.ALL, ElementType.F16, false, cache)) {
      CancellationToken cancelled = new CancellationToken();
      cancelled.cancel();
      assertThatThrownBy(
              () -> networks.use(Component.VAE_ENCODER, ProgressListener.NONE, cancelled))
          .isInstanceOf(GenerationCancelledException.class);
      networks.use(Component.VAE_ENCODER).close();
    }
  }

  @Test
  void whatTwoChainsShareOutlivesTheFirst() throws IOException {
    Networks first = open(Offload.ALL);
    LoadedNetwork transformer;
    LoadedNetwork clip;
    try (NetworkUse use = first.use(Component.TRANSFORMER);
        NetworkUse other = first.use(Component.TEXT_ENCODER)) {
      transformer = use.network();
      clip = other.network();
    }
    List<AdapterSpec> adapters = List.of(new AdapterSpec(TestData.adapter2k(), 1));
    try (Networks second = first.with(adapters, ProgressListener.NONE, new CancellationToken())) {
      first.close();
      first.close();
      try (NetworkUse use = second.use(Component.TRANSFORMER);
          NetworkUse other = second.use(Component.TEXT_ENCODER)) {
        assertThat(use.network()).isNotSameAs(transformer);
        assertThat(other.network()).isSameAs(clip);
      }
      assertThat(
              TextEncoders.of(second)
                  .encode(
                      List.of("a"),
                      OptionalInt.of(8),
                      RunOptions.NONE,
                      new CancellationToken(),
                      new WorkRates()))
          .isNotNull();
    }
  }
}
