package io.github.urae.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.urae.CancellationToken;
import io.github.urae.ProgressListener;
import io.github.urae.adapter.internal.match.AdapterOptions;
import io.github.urae.device.Device;
import io.github.urae.device.Offload;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.Profile;
import io.github.urae.flux.PromptEmbeddings;
import io.github.urae.flux.RunOptions;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.Checkpoint;
import io.github.urae.flux.model.internal.ModelLocation;
import io.github.urae.onnx.internal.graph.Arithmetic;
import io.github.urae.onnx.internal.model.ModelSource;
import io.github.urae.onnx.internal.model.Networks;
import io.github.urae.onnx.internal.model.PipelineSettings;
import io.github.urae.onnx.internal.session.NetworkUse;
import io.github.urae.onnx.internal.session.SessionSettings;
import io.github.urae.testkit.TestData;
import io.github.urae.weights.SafetensorsFile;
import io.github.urae.weights.internal.WeightCache;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.OptionalLong;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files of one network each, and of all, compute and draw what the reference recorded. */
class SeparateFilesTest {

  private static final double ONE_STAGE = 1e-4;

  @TempDir Path folder;

  private static FluxPipeline.Builder pipeline() {
    return FluxPipeline.builder()
        .model(TestData.checkpoint())
        .device(Device.cpu())
        .cacheFolder(TestData.CACHE);
  }

  private static JsonNode cases() throws IOException {
    return new ObjectMapper().readTree(TestData.path("quantised/golden/cases.json").toFile());
  }

  private static SafetensorsFile golden(String label) throws IOException {
    return SafetensorsFile.open(TestData.path("quantised/golden/" + label + ".safetensors"));
  }

  private static PromptEmbeddings encode(FluxPipeline pipeline) throws IOException {
    return pipeline.encode(
        List.of(cases().get("prompt").textValue()),
        cases().get("sequence").intValue(),
        RunOptions.NONE);
  }

  @Test
  void textEncoders() throws IOException {
    Path clip = SeparateFiles.clip(folder.resolve("clip_l.safetensors"));
    Path t5 = SeparateFiles.t5(folder.resolve("t5xxl_fp16.safetensors"));
    new QuantisedCase("clip_l", clip).assertTensors();
    new QuantisedCase("t5xxl_fp16", t5).assertTensors();
    try (FluxPipeline pipeline = pipeline().textEncoder(clip).textEncoder2(t5).build();
        SafetensorsFile pooled = golden("clip_l");
        SafetensorsFile sequence = golden("t5xxl_fp16")) {
      PromptEmbeddings encoded = encode(pipeline);
      TestData.assertClose(
          "clip_l", pooled.tensor("pooled").toFloats(), encoded.pooled().toFloats(), ONE_STAGE);
      TestData.assertClose(
          "t5xxl_fp16",
          sequence.tensor("sequence").toFloats(),
          encoded.sequence().toFloats(),
          ONE_STAGE);
    }
  }

  @Test
  void autoencoder() throws IOException {
    Path file = SeparateFiles.autoencoder(folder.resolve("ae.safetensors"));
    new QuantisedCase("ae", file).assertTensors();
    ModelLocation location =
        ModelLocation.of(TestData.checkpoint())
            .with(Component.VAE_ENCODER, file)
            .with(Component.VAE_DECODER, file);
    PipelineSettings settings =
        new PipelineSettings(
            new SessionSettings(Device.cpu(), OptionalInt.empty(), false),
            Arithmetic.FLOAT32,
            Offload.ALL,
            new WeightCache(TestData.CACHE, WeightCache.DEFAULT_MAX_BYTES),
            OptionalLong.empty(),
            AdapterOptions.STRICT);
    try (Networks networks =
            Networks.open(
                ModelSource.at(location, Checkpoint.FAMILIES),
                settings,
                List.of(),
                ProgressListener.NONE,
                new CancellationToken());
        NetworkUse encoder = networks.use(Component.VAE_ENCODER);
        NetworkUse decoder = networks.use(Component.VAE_DECODER);
        SafetensorsFile golden = golden("ae")) {
      float[] decoded =
          decoder.run(Map.of("latent_sample", golden.tensor("latents")), new CancellationToken());
      TestData.assertClose("ae decodes", golden.tensor("decoded").toFloats(), decoded, ONE_STAGE);
      float[] mean = golden.tensor("mean").toFloats();
      float[] encoded =
          encoder.run(Map.of("sample", golden.tensor("pixels")), new CancellationToken());
      TestData.assertClose("ae encodes", mean, Arrays.copyOf(encoded, mean.length), ONE_STAGE);
    }
  }

  @Test
  void oneFileInFloat8() throws IOException {
    Path file = SeparateFiles.allInOneFloat8(folder.resolve("flux1-dev-fp8.safetensors"));
    new QuantisedCase("flux-cut-fp8-allinone", file).assertTensors();
    try (FluxPipeline pipeline =
            pipeline().transformer(file).textEncoder(file).textEncoder2(file).vae(file).build();
        SafetensorsFile golden = golden("flux-cut-fp8-allinone")) {
      PromptEmbeddings encoded = encode(pipeline);
      TestData.assertClose(
          "pooled", golden.tensor("pooled").toFloats(), encoded.pooled().toFloats(), ONE_STAGE);
      TestData.assertClose(
          "sequence",
          golden.tensor("sequence").toFloats(),
          encoded.sequence().toFloats(),
          ONE_STAGE);
      JsonNode recorded = cases();
      GenerationRequest request =
          GenerationRequest.builder(recorded.get("prompt").textValue())
              .size(recorded.get("width").intValue(), recorded.get("height").intValue())
              .steps(recorded.get("steps").intValue())
              .guidance(recorded.get("guidance").doubleValue())
              .seed(recorded.get("seed").longValue())
              .maxSequenceLength(recorded.get("sequence").intValue())
              .profile(Profile.Choice.STANDARD)
              .build();
      BufferedImage drawn = pipeline.generate(request).get(0).toBufferedImage();
      BufferedImage expected =
          ImageIO.read(TestData.path("quantised/golden/flux-cut-fp8-allinone.png").toFile());
      assertThat(GoldenCase.largestDifference(expected, drawn)).isLessThanOrEqualTo(1);
    }
  }
}
