package io.github.urae.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.github.urae.InvalidRequestException;
import io.github.urae.device.Device;
import io.github.urae.flux.CoarseToFine;
import io.github.urae.flux.GenerationPlan;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.PromptEmbeddings;
import io.github.urae.flux.VaeTiling;
import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.Checkpoint;
import io.github.urae.image.RgbImage;
import io.github.urae.onnx.internal.graph.NetworkGraph;
import io.github.urae.onnx.internal.graph.TransformerGraph;
import io.github.urae.onnx.internal.graph.VaeEncoderGraph;
import io.github.urae.onnx.internal.image.VaeMemory;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.testkit.TestData;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Plans; {@code ./benchmark plan} compares them with what is measured. */
class PlanTest {

  private static FluxPipeline pipeline;
  private static Checkpoint checkpoint;

  @BeforeAll
  static void open() throws IOException {
    pipeline = builder().build();
    checkpoint = Checkpoint.open(TestData.checkpoint());
  }

  @AfterAll
  static void close() throws IOException {
    pipeline.close();
  }

  private static FluxPipeline.Builder builder() {
    return FluxPipeline.builder()
        .model(TestData.checkpoint())
        .device(Device.cpu())
        .cacheFolder(TestData.CACHE);
  }

  private static GenerationPlan.Phase phase(GenerationPlan plan, Component component) {
    return plan.phases().stream()
        .filter(phase -> phase.component() == component && !phase.ofDraft())
        .findFirst()
        .orElseThrow();
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
    assertThat(plan.phases())
        .extracting(GenerationPlan.Phase::component)
        .containsExactly(
            Component.TEXT_ENCODER,
            Component.TEXT_ENCODER_2,
            Component.TRANSFORMER,
            Component.VAE_DECODER);
    assertThat(pipeline.plan(4096, 4096, 1).tiled()).isTrue();
    assertThatThrownBy(() -> pipeline.plan(100, 64, 1)).isInstanceOf(InvalidRequestException.class);
  }

  /** Against the shapes of the graph's own weights. */
  @Test
  void operationsOfTheTransformer() throws IOException {
    NetworkGraph graph = TransformerGraph.build(checkpoint.transformer(), ElementType.F32);
    long text = 64;
    long image = 16 * 16;
    double linear = 0;
    for (Map.Entry<String, Shape> weight : graph.parameters().entrySet()) {
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
    GenerationPlan.Phase stage = phase(pipeline.plan(256, 256, 3), Component.TRANSFORMER);
    assertThat(stage.flops()).isCloseTo(3 * (linear + attention), within(0.001 * stage.flops()));
  }

  @Test
  void memoryGrowsWithTheTokens() {
    double at1024 = phase(pipeline.plan(1024, 1024, 1), Component.TRANSFORMER).peakBytes();
    double at2048 = phase(pipeline.plan(2048, 2048, 1), Component.TRANSFORMER).peakBytes();
    double at4096 = phase(pipeline.plan(4096, 4096, 1), Component.TRANSFORMER).peakBytes();
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

  private static GenerationRequest.Builder request(int side) {
    return GenerationRequest.builder("a").size(side, side).steps(4);
  }

  @Test
  void theDraftCounts() {
    GenerationPlan direct = pipeline.plan(request(512).build());
    GenerationPlan plan =
        pipeline.plan(request(512).coarseToFine(CoarseToFine.ofStrength(0.5)).build());
    assertThat(plan.phases())
        .extracting(phase -> phase.stage() + " " + phase.component() + " " + phase.ofDraft())
        .containsExactly(
            "ENCODING_TEXT TEXT_ENCODER false",
            "ENCODING_TEXT TEXT_ENCODER_2 false",
            "DENOISING TRANSFORMER true",
            "DECODING VAE_DECODER true",
            "ENCODING_IMAGE VAE_ENCODER false",
            "DENOISING TRANSFORMER false",
            "DECODING VAE_DECODER false");
    GenerationPlan small = pipeline.plan(request(128).build());
    assertThat(plan.phases().get(2).flops()).isEqualTo(phase(small, Component.TRANSFORMER).flops());
    assertThat(plan.phases().get(3).flops()).isEqualTo(phase(small, Component.VAE_DECODER).flops());
    assertThat(phase(plan, Component.TRANSFORMER).flops())
        .isEqualTo(phase(direct, Component.TRANSFORMER).flops() / 2);
  }

  @Test
  void theEncoderCounts() {
    GenerationPlan plan =
        pipeline.plan(request(512).initialImage(RgbImage.of(1, 1, new int[1]), 0.5).build());
    GenerationPlan.Phase encoding = phase(plan, Component.VAE_ENCODER);
    assertThat(plan.phases().get(2)).isEqualTo(encoding);
    assertThat(encoding.peakBytes())
        .isGreaterThan(
            VaeMemory.encoderBytes(
                checkpoint.vae(),
                new LatentGrid(checkpoint.family().latents(), 512, 512),
                VaeTiling.AUTO));
    GenerationPlan.Phase decoding = phase(plan, Component.VAE_DECODER);
    assertThat(decoding.peakBytes())
        .as("the encoder's memory stays")
        .isGreaterThan(
            phase(pipeline.plan(request(512).build()), Component.VAE_DECODER).peakBytes());
  }

  /** Against the shapes of the graph's own weights, at the sizes that they run at. */
  @Test
  void operationsOfTheAutoencodersEncoder() {
    NetworkGraph graph = VaeEncoderGraph.build(checkpoint.vae());
    double positions = 32 * 32;
    double convolutions = 0;
    for (Map.Entry<String, Shape> weight : graph.parameters().entrySet()) {
      if (weight.getValue().rank() == 4) {
        Matcher level = Pattern.compile("down_blocks\\.(\\d)").matcher(weight.getKey());
        boolean halves = weight.getKey().contains("downsamplers");
        boolean first = weight.getKey().contains("conv_in");
        int index = level.find() ? Integer.parseInt(level.group(1)) : first ? 0 : 3;
        double share = Math.pow(4, 3 - index - (halves ? 1 : 0));
        convolutions += 2 * positions * share * weight.getValue().elementCount();
      }
    }
    double attention = 4 * positions * positions * 64;
    GenerationPlan plan =
        pipeline.plan(request(256).initialImage(RgbImage.of(1, 1, new int[1]), 0.5).build());
    double flops = phase(plan, Component.VAE_ENCODER).flops();
    // Shortcuts of 1x1 and the attention's own projections are left out.
    assertThat(flops).isCloseTo(convolutions + attention, within(0.02 * flops));
  }

  @Test
  void textEncodersCountWhereTheyRun() {
    PromptEmbeddings embeddings = pipeline.encode(List.of("a", "b"));
    GenerationRequest.Builder request = GenerationRequest.builder(embeddings).size(64, 64);
    assertThat(pipeline.plan(request.build()).phases())
        .extracting(GenerationPlan.Phase::component)
        .containsExactly(Component.TRANSFORMER, Component.VAE_DECODER);
    GenerationPlan one = pipeline.plan(GenerationRequest.builder("a").size(64, 64).build());
    GenerationPlan negative = pipeline.plan(request.trueGuidance("b", 2).build());
    assertThat(phase(negative, Component.TEXT_ENCODER_2).flops())
        .isEqualTo(phase(one, Component.TEXT_ENCODER_2).flops());
    GenerationPlan three =
        pipeline.plan(GenerationRequest.builder(List.of("a", "b", "c")).size(64, 64).build());
    assertThat(phase(three, Component.TEXT_ENCODER).flops())
        .isEqualTo(3 * phase(one, Component.TEXT_ENCODER).flops());
  }

  @Test
  void allPicturesAreKept() {
    long one = decodingMoreThanDenoising(pipeline.plan(request(1024).build()));
    long three = decodingMoreThanDenoising(pipeline.plan(request(1024).imagesPerPrompt(3).build()));
    assertThat(three - one).isEqualTo(2 * 1024 * 1024 * Integer.BYTES);
  }

  private static long decodingMoreThanDenoising(GenerationPlan plan) {
    return phase(plan, Component.VAE_DECODER).peakBytes()
        - phase(plan, Component.TRANSFORMER).peakBytes();
  }
}
