package io.github.urae.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.urae.adapter.AdapterSpec;
import io.github.urae.adapter.CheckpointMerger;
import io.github.urae.device.Offload;
import io.github.urae.export.OnnxExport;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.tensor.ElementType;
import io.github.urae.testkit.OptimumExport;
import io.github.urae.testkit.TestData;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Changes of every kind, of weights, biases and norms, in sessions and in what is written. */
class AdapterKindsPipelineTest {

  /** Weaker than they were trained, so that the picture is not one of noise. */
  private static final List<AdapterSpec> ADAPTERS =
      Stream.of("full", "decomposed", "lokr", "lokr_fused", "loha", "peft_dora", "peft_bias")
          .map(name -> new AdapterSpec(TestData.path("adapters/" + name + ".safetensors"), 0.25))
          .toList();

  @TempDir static Path folder;

  private static BufferedImage expected;

  @BeforeAll
  static void merge() throws IOException {
    Path merged = folder.resolve("merged");
    CheckpointMerger.builder()
        .model(TestData.checkpoint())
        .adapters(ADAPTERS)
        .elementType(ElementType.F32)
        .output(merged)
        .cacheFolder(TestData.CACHE)
        .write();
    expected = draw(builder(merged));
    assertThat(difference(draw(builder(TestData.checkpoint())))).isGreaterThan(40);
  }

  private static FluxPipeline.Builder builder(Path model) {
    return FluxPipeline.builder().model(model).cacheFolder(TestData.CACHE);
  }

  private static BufferedImage draw(FluxPipeline.Builder builder) throws IOException {
    try (FluxPipeline pipeline = builder.build()) {
      return pipeline
          .generate(
              GenerationRequest.builder("a red circle on a blue background")
                  .size(64, 48)
                  .steps(2)
                  .seed(5)
                  .build())
          .get(0)
          .toBufferedImage();
    }
  }

  private static int difference(BufferedImage actual) {
    return GoldenCase.largestDifference(expected, actual);
  }

  @ParameterizedTest
  @EnumSource(Offload.class)
  void sessionsDrawAsTheMergedCheckpoint(Offload offload) throws IOException {
    FluxPipeline.Builder builder =
        builder(TestData.checkpoint()).adapters(ADAPTERS).offload(offload);
    assertThat(difference(draw(builder))).isLessThanOrEqualTo(offload == Offload.BLOCK ? 1 : 0);
  }

  @Test
  void anExportTakesThem() throws IOException {
    Path export = folder.resolve("export");
    OnnxExport.builder()
        .model(TestData.checkpoint())
        .adapters(ADAPTERS)
        .output(export)
        .cacheFolder(TestData.CACHE)
        .write();
    assertThat(difference(draw(builder(export)))).isLessThanOrEqualTo(1);
  }

  /** Another exporter's files, which share and fold what is equal. */
  @Test
  void exportsOfOthersTakeThemToo() throws IOException {
    Path export = OptimumExport.unpackInto(folder);
    assertThat(difference(draw(builder(export).adapters(ADAPTERS)))).isLessThanOrEqualTo(1);
  }
}
