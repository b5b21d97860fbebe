package io.github.urae.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.github.urae.InvalidRequestException;
import io.github.urae.device.Device;
import io.github.urae.flux.GenerationPlan;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.VaeTiling;
import io.github.urae.flux.model.internal.Checkpoint;
import io.github.urae.onnx.internal.graph.NetworkGraph;
import io.github.urae.onnx.internal.graph.TransformerGraph;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.testkit.TestData;
import java.io.IOException;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Plans; {@code ./benchmark plan} compares them with what is measured. */
class PlanTest {

  private static FluxPipeline pipeline;

  @BeforeAll
  static void open() throws IOException {
    pipeline = builder().build();
  }

  @AfterAll
  static void close() throws IOException {
    pipeline.close();
  }

  private static FluxPipeline.Builder builder() {
    return FluxPipeline.builder()
        .model(TestData.demo().checkpoint())
        .device(Device.cpu())
        .cacheFolder(TestData.CACHE);
  }

  private static GenerationPlan.Stage stage(GenerationPlan plan, String name) {
    return plan.stages().stream().filter(s -> s.name().equals(name)).findFirst().orElseThrow();
  }

  @Test
  void tokensAndStages() {
    GenerationPlan plan = pipeline.plan(2048, 1024, 7);
    assertThat(plan.width()).isEqualTo(2048);
    assertThat(plan.height()).isEqualTo(1024);
    assertThat(plan.steps()).isEqualTo(7);
    assertThat(plan.textTokens()).isEqualTo(64);
    assertThat(plan.imageTokens()).isEqualTo(128 * 64);
    assertThat(plan.tiled()).isFalse();
    assertThat(plan.stages())
        .extracting(GenerationPlan.Stage::name)
        .containsExactly("text_encoder", "text_encoder_2", "transformer", "vae_decoder");
    assertThat(pipeline.plan(4096, 4096, 1).tiled()).isTrue();
    assertThatThrownBy(() -> pipeline.plan(100, 64, 1)).isInstanceOf(InvalidRequestException.class);
  }

  /** Against the shapes of the graph's own weights. */
  @Test
  void operationsOfTheTransformer() throws IOException {
    NetworkGraph graph =
        TransformerGraph.build(
            Checkpoint.open(TestData.demo().checkpoint()).transformer(), ElementType.F32);
    long text = 64;
    long image = 16 * 16;
    double linear = 0;
    for (Map.Entry<String, Shape> weight : graph.weights().entrySet()) {
      String name = weight.getKey();
      boolean once = name.contains("norm") || name.startsWith("time_text_embed");
      if (weight.getValue().rank() == 2 && !once) {
        boolean ofText =
            name.contains("add_") || name.contains("_context") || name.startsWith("context_");
        long tokens = name.startsWith("single_") ? text + image : ofText ? text : image;
        linear += 2.0 * tokens * weight.getValue().elementCount();
      }
    }
    double attention = 6 * 4.0 * (text + image) * (text + image) * 128;
    GenerationPlan.Stage stage = stage(pipeline.plan(256, 256, 3), "transformer");
    assertThat(stage.flops()).isCloseTo(3 * (linear + attention), within(0.001 * stage.flops()));
  }

  @Test
  void memoryGrowsWithTheTokens() {
    double at1024 = stage(pipeline.plan(1024, 1024, 1), "transformer").peakBytes();
    double at2048 = stage(pipeline.plan(2048, 2048, 1), "transformer").peakBytes();
    double at4096 = stage(pipeline.plan(4096, 4096, 1), "transformer").peakBytes();
    assertThat((at4096 - at2048) / (at2048 - at1024)).isCloseTo(4, within(0.01));
    assertThat(pipeline.plan(4096, 4096, 4).peakBytes()).isLessThan(6_000_000_000L);
  }

  @Test
  void aLimitRefusesBeforeTheRunAndSaysWhatFits() throws IOException {
    long limit = pipeline.plan(256, 256, 1).peakBytes();
    try (FluxPipeline limited = builder().memoryLimit(limit).build()) {
      GenerationRequest.Builder large = GenerationRequest.builder("a").size(2048, 1024).steps(1);
      assertThatThrownBy(() -> limited.generate(large.build()))
          .isInstanceOf(InvalidRequestException.class)
          .hasMessageContaining("2048x1024 pixels: the vae_decoder is expected to take ")
          .satisfies(
              refusal -> {
                Matcher size =
                    Pattern.compile("a size of (\\d+)x(\\d+) fits").matcher(refusal.getMessage());
                assertThat(size.find()).as(refusal.getMessage()).isTrue();
                int width = Integer.parseInt(size.group(1));
                int height = Integer.parseInt(size.group(2));
                assertThat(limited.generate("a", width, height).width()).isEqualTo(width);
              });
      assertThat(limited.plan(large.build()).peakBytes()).isGreaterThan(limit);
    }
  }

  @Test
  void underALimitTheAutoencoderWorksInTiles() throws IOException {
    long limit = pipeline.plan(512, 512, 1).peakBytes() / 2;
    GenerationRequest.Builder request = GenerationRequest.builder("a").size(512, 512).steps(1);
    assertThat(pipeline.plan(request.build()).tiled()).isFalse();
    try (FluxPipeline limited = builder().memoryLimit(limit).build()) {
      assertThat(limited.plan(request.build()).tiled()).isTrue();
      assertThat(limited.generate(request.build())).hasSize(1);
      assertThatThrownBy(() -> limited.generate(request.vaeTiling(VaeTiling.OFF).build()))
          .isInstanceOf(InvalidRequestException.class)
          .hasMessageContaining("the vae_decoder is expected")
          .hasMessageContaining("with VAE tiling on it fits");
    }
    try (FluxPipeline hopeless = builder().memoryLimit(1).build()) {
      assertThatThrownBy(() -> hopeless.generate("a", 64, 64)).hasMessageContaining("no size fits");
    }
  }
}
