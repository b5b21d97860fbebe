package io.github.urae.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.urae.adapter.AdapterSpec;
import io.github.urae.device.Device;
import io.github.urae.device.Offload;
import io.github.urae.device.Precision;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.testkit.TestData;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Integers on the processor, as {@link Precision#FAST} chooses them, against float32. */
class FastPrecisionTest {

  private static FluxPipeline open(Precision precision, Offload offload) throws IOException {
    return FluxPipeline.builder()
        .model(TestData.checkpoint())
        .device(Device.cpu())
        .precision(precision)
        .offload(offload)
        .cacheFolder(TestData.CACHE)
        .build();
  }

  private static float[] latents(FluxPipeline pipeline) {
    return pipeline
        .generate(
            GenerationRequest.builder("a red circle on a blue background")
                .size(64, 48)
                .steps(4)
                .seed(5)
                .build())
        .get(0)
        .latents()
        .toFloats();
  }

  @Test
  void aPictureIsNearlyTheSame() throws IOException {
    float[] exact;
    try (FluxPipeline pipeline = open(Precision.FLOAT32, Offload.ALL)) {
      exact = latents(pipeline);
    }
    float[] fast;
    try (FluxPipeline pipeline = open(Precision.FAST, Offload.ALL)) {
      fast = latents(pipeline);
    }
    assertThat(TestData.relativeDifference(exact, fast)).isBetween(1e-4, 0.03);
    try (FluxPipeline pipeline = open(Precision.INT8, Offload.BLOCK)) {
      TestData.assertClose("block by block", fast, latents(pipeline), 1e-5);
    }
  }

  /**
   * Adapters change blocks, modulations and the last layer, or biases and whole matrices. Their
   * effect must stay, and go with them.
   */
  @ParameterizedTest
  @ValueSource(
      strings = {"peft", "peft_bias", "urae_2k_adapter", "urae_2k_adapter,urae_4k_adapter"})
  void adaptersAreMergedBeforeWeightsAreRounded(String names) throws IOException {
    List<AdapterSpec> adapters = new ArrayList<>();
    for (String name : names.split(",", -1)) {
      adapters.add(new AdapterSpec(TestData.path("adapters/" + name + ".safetensors"), 1));
    }
    float[] base;
    float[] changed;
    try (FluxPipeline pipeline = open(Precision.FLOAT32, Offload.ALL)) {
      base = latents(pipeline);
      pipeline.setAdapters(adapters);
      changed = latents(pipeline);
    }
    try (FluxPipeline pipeline = open(Precision.INT8, Offload.ALL)) {
      float[] before = latents(pipeline);
      pipeline.setAdapters(adapters);
      float[] found = latents(pipeline);
      double effect = TestData.relativeDifference(base, changed);
      assertThat(TestData.relativeDifference(changed, found)).as(names).isLessThan(effect / 3);
      assertThat(TestData.relativeDifference(before, found)).isGreaterThan(effect / 2);
      pipeline.setAdapters(List.of());
      assertThat(latents(pipeline)).isEqualTo(before);
    }
  }
}
