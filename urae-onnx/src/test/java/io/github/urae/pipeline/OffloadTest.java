package io.github.urae.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.urae.CancellationToken;
import io.github.urae.GenerationCancelledException;
import io.github.urae.Stage;
import io.github.urae.device.Device;
import io.github.urae.device.Offload;
import io.github.urae.flux.DenoisingStep;
import io.github.urae.flux.GeneratedImage;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.RunOptions;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.Checkpoint;
import io.github.urae.internal.Lease;
import io.github.urae.onnx.internal.graph.GraphSegments;
import io.github.urae.onnx.internal.graph.NetworkGraph;
import io.github.urae.onnx.internal.graph.TransformerGraph;
import io.github.urae.onnx.internal.graph.VaeDecoderGraph;
import io.github.urae.onnx.internal.model.Networks;
import io.github.urae.onnx.internal.session.NetworkUse;
import io.github.urae.tensor.ElementType;
import io.github.urae.testkit.TestData;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/** Networks that are loaded when they are needed draw what networks that stay loaded draw. */
class OffloadTest {

  private static FluxPipeline open(Offload offload) throws IOException {
    return FluxPipeline.builder()
        .model(TestData.checkpoint())
        .adapter(TestData.adapter2k())
        .device(Device.cpu())
        .cacheFolder(TestData.CACHE)
        .offload(offload)
        .build();
  }

  @Test
  void everyOffloadDrawsTheSame() throws IOException {
    GenerationRequest request =
        GenerationRequest.builder(List.of("a red circle", "a star"))
            .size(96, 64)
            .steps(2)
            .seed(3)
            .imagesPerPrompt(2)
            .build();
    List<List<float[]>> latents = new ArrayList<>();
    List<List<Integer>> pixels = new ArrayList<>();
    for (Offload offload : Offload.values()) {
      try (FluxPipeline pipeline = open(offload)) {
        List<GeneratedImage> images = pipeline.generate(request);
        latents.add(images.stream().map(image -> image.latents().toFloats()).toList());
        pixels.add(images.stream().map(image -> image.toBufferedImage().getRGB(50, 30)).toList());
      }
    }
    for (int i = 1; i < latents.size(); i++) {
      for (int image = 0; image < 4; image++) {
        assertThat(latents.get(i).get(image)).isEqualTo(latents.get(0).get(image));
      }
      assertThat(pixels.get(i)).isEqualTo(pixels.get(0));
    }
  }

  @Test
  void networksStayLoadedOrDoNot() throws IOException {
    for (Offload offload : Offload.values()) {
      try (FluxPipeline pipeline = open(offload);
          Lease<Networks> networks = pipeline.lease()) {
        NetworkUse first = networks.get().use(Component.TRANSFORMER);
        NetworkUse second = networks.get().use(Component.TRANSFORMER);
        assertThat(second.network()).isSameAs(first.network());
        first.close();
        first.close();
        second.close();
        try (NetworkUse later = networks.get().use(Component.TRANSFORMER)) {
          assertThat(later.network() == first.network()).isEqualTo(offload == Offload.ALL);
        }
      }
    }
  }

  @Test
  void promptsAndNegativeOnesAreEncodedByTextEncodersLoadedOnce() throws IOException {
    GenerationRequest request =
        GenerationRequest.builder("a star").size(64, 64).steps(1).trueGuidance("red", 2).build();
    List<String> loaded = new ArrayList<>();
    RunOptions options =
        RunOptions.builder()
            .listener(
                progress -> {
                  if (progress.stage() == Stage.LOADING && progress.isComplete()) {
                    loaded.add(progress.component().orElseThrow());
                  }
                })
            .build();
    try (FluxPipeline pipeline = open(Offload.ONE_AT_A_TIME)) {
      pipeline.generate(request, options);
    }
    assertThat(loaded)
        .containsExactly("text_encoder", "text_encoder_2", "transformer", "vae_decoder");
  }

  @Test
  void everyBlockIsASegment() throws IOException {
    Checkpoint checkpoint = Checkpoint.open(TestData.checkpoint());
    NetworkGraph whole = TransformerGraph.build(checkpoint.transformer(), ElementType.F32);
    List<NetworkGraph> segments = GraphSegments.cut(whole);
    assertThat(segments).hasSize(2 + 4);
    List<String> weights = new ArrayList<>();
    segments.forEach(segment -> weights.addAll(segment.weights().keySet()));
    assertThat(weights).containsExactlyInAnyOrderElementsOf(whole.weights().keySet());
    assertThat(segments.get(0).weights()).containsKey("x_embedder.weight");
    assertThat(segments.get(5).weights()).containsKey("proj_out.weight");
    assertThat(GraphSegments.cut(VaeDecoderGraph.build(checkpoint.vae()))).hasSize(1);
  }

  @Test
  void cancelledBlocksLeaveThePipelineAsItWas() throws IOException {
    GenerationRequest.Builder request =
        GenerationRequest.builder("a star").size(256, 256).steps(3).seed(3);
    try (FluxPipeline pipeline = open(Offload.BLOCK)) {
      float[] before = pipeline.generate(request.build()).get(0).latents().toFloats();
      CancellationToken token = new CancellationToken();
      Consumer<DenoisingStep> cancelling =
          step -> {
            // In the middle of the next step.
            Thread later = new Thread(token::cancel);
            later.start();
          };
      GenerationRequest cancelled =
          GenerationRequest.builder("a star").size(256, 256).steps(1000).build();
      RunOptions options = RunOptions.builder().onStep(cancelling).cancellation(token).build();
      assertThatThrownBy(() -> pipeline.generate(cancelled, options))
          .isInstanceOf(GenerationCancelledException.class);
      assertThat(pipeline.generate(request.build()).get(0).latents().toFloats()).isEqualTo(before);
    }
  }
}
