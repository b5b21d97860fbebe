package io.github.urae.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.urae.AdapterException;
import io.github.urae.CancellationToken;
import io.github.urae.InvalidRequestException;
import io.github.urae.ProgressListener;
import io.github.urae.adapter.AdapterSpec;
import io.github.urae.adapter.internal.match.AdapterOptions;
import io.github.urae.device.Device;
import io.github.urae.device.Offload;
import io.github.urae.export.OnnxExport;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.PromptEmbeddings;
import io.github.urae.flux.RunOptions;
import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.flux.arithmetic.TorchGenerator;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.ExportReport;
import io.github.urae.onnx.internal.generation.Conditioning;
import io.github.urae.onnx.internal.generation.Denoiser;
import io.github.urae.onnx.internal.generation.TextEncoders;
import io.github.urae.onnx.internal.generation.WorkRates;
import io.github.urae.onnx.internal.graph.Arithmetic;
import io.github.urae.onnx.internal.model.ModelSource;
import io.github.urae.onnx.internal.model.Networks;
import io.github.urae.onnx.internal.model.PipelineSettings;
import io.github.urae.onnx.internal.session.NetworkUse;
import io.github.urae.onnx.internal.session.SessionSettings;
import io.github.urae.onnx.internal.source.OnnxEdit;
import io.github.urae.tensor.Tensor;
import io.github.urae.testkit.OptimumExport;
import io.github.urae.testkit.TestData;
import io.github.urae.weights.SafetensorsFile;
import io.github.urae.weights.internal.WeightCache;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Exports that other exporters wrote, or somebody changed: what is known of them is used. */
class PartialExportTest {

  /** As for the checkpoint. */
  private static final double ONE_STAGE = 1e-4;

  /**
   * In half precision: a weight is rounded by at most 2^-25 absolutely, below 2^-14, and not at all
   * above, for it is a bfloat16 and these have three bits less. Against weights of about 2^-6 that
   * is 2^-19, or 2e-6; some ten layers add up. No float16 arithmetic takes part on the processor.
   */
  private static final double HALF_WEIGHTS = 3e-5;

  @TempDir Path folder;

  private Path root;
  private Path transformer;

  @BeforeEach
  void unpack() throws IOException {
    root = OptimumExport.unpackInto(folder);
    transformer = root.resolve("transformer/model.onnx");
  }

  private ExportReport report() throws IOException {
    ExportReport report =
        OnnxExport.inspect(root).stream()
            .filter(r -> r.network().equals("transformer"))
            .findFirst()
            .orElseThrow();
    System.out.println(report);
    return report;
  }

  private Networks open(Path model) throws IOException {
    PipelineSettings settings =
        new PipelineSettings(
            new SessionSettings(Device.cpu(), OptionalInt.empty(), false),
            Arithmetic.FLOAT32,
            Offload.ONE_AT_A_TIME,
            new WeightCache(TestData.CACHE, WeightCache.DEFAULT_MAX_BYTES),
            OptionalLong.empty(),
            AdapterOptions.STRICT);
    return Networks.open(
        ModelSource.at(model), settings, List.of(), ProgressListener.NONE, new CancellationToken());
  }

  /** Runs the transformer once on a recorded case and compares. */
  private double firstVelocity(Networks base, String name) throws IOException {
    GoldenCase golden = GoldenCase.named(name);
    try (SafetensorsFile recorded =
        SafetensorsFile.open(TestData.path("golden/cases/" + name + ".safetensors"))) {
      float[] velocity = velocity(base, golden, golden.adapters(), recorded);
      double difference =
          TestData.relativeDifference(recorded.tensor("first_velocity").toFloats(), velocity);
      System.out.printf("%s first velocity %.2e%n", name, difference);
      return difference;
    }
  }

  private static float[] velocity(
      Networks base, GoldenCase golden, List<AdapterSpec> adapters, SafetensorsFile recorded)
      throws IOException {
    GenerationRequest request = golden.request().build();
    LatentGrid grid = golden.grid();
    try (Networks networks = base.with(adapters, ProgressListener.NONE, new CancellationToken());
        NetworkUse use = networks.use(Component.TRANSFORMER)) {
      Denoiser denoiser = golden.denoiser(networks, use);
      PromptEmbeddings embeddings =
          new PromptEmbeddings(copy(recorded.tensor("pooled")), copy(recorded.tensor("sequence")));
      float[] noise =
          grid.pack(
              new TorchGenerator(request.seeds().values().get(0))
                  .randn(embeddings.count() * grid.latentElements()));
      return denoiser.velocity(0, noise, Conditioning.of(embeddings), new CancellationToken());
    }
  }

  private static Tensor copy(Tensor tensor) {
    return Tensor.ofFloats(tensor.toFloats(), tensor.shape().toArray());
  }

  @Test
  void unknownNodeButKnownPatterns() throws IOException {
    OnnxEdit.edit(transformer, OnnxEdit::addRelu);
    ExportReport report = report();
    assertThat(report.rewritten()).isFalse();
    assertThat(report.missing()).isEmpty();
    assertThat(report.remarks())
        .containsExactly(
            "other activation: expected 0 times, found 1",
            "rewritten in part: attention 6 of 6, rotary tables as inputs");
    try (Networks networks = open(root)) {
      assertThat(firstVelocity(networks, "standard-wide")).isLessThan(ONE_STAGE);
      assertThat(firstVelocity(networks, "ultra-256")).isLessThan(ONE_STAGE);
      assertThat(firstVelocity(networks, "ultra-512")).isLessThan(ONE_STAGE);
    }
  }

  @Test
  void unknownPositionsRunInTheStandardProfileOnly() throws IOException {
    OnnxEdit.edit(transformer, OnnxEdit::addRelu);
    OnnxEdit.edit(transformer, OnnxEdit.nodeNames(name -> name.replace("/pos_embed/", "/places/")));
    assertThat(report().remarks())
        .contains(
            "rewritten in part: attention 6 of 6, rotary tables as exported: the standard profile"
                + " only");
    try (Networks networks = open(root)) {
      assertThat(firstVelocity(networks, "standard-128")).isLessThan(ONE_STAGE);
      assertThat(firstVelocity(networks, "standard-batch")).isLessThan(ONE_STAGE);
      assertThatThrownBy(() -> firstVelocity(networks, "ultra-256"))
          .isInstanceOf(InvalidRequestException.class)
          .hasMessageContainingAll("profile 'ultra'", "runs as it was exported");
      assertThat(difference(networks)).isLessThan(ONE_STAGE);
    }
  }

  /** Adapters on the export against adapters on the checkpoint, where nothing is recorded. */
  private double difference(Networks export) throws IOException {
    List<AdapterSpec> adapters =
        List.of(
            new AdapterSpec(TestData.adapter2k(), 0.8), new AdapterSpec(TestData.adapter4k(), 1));
    GoldenCase golden = GoldenCase.named("standard-128");
    try (SafetensorsFile recorded =
            SafetensorsFile.open(TestData.path("golden/cases/standard-128.safetensors"));
        Networks checkpoint = open(TestData.checkpoint())) {
      float[] expected = velocity(checkpoint, golden, adapters, recorded);
      double change =
          TestData.relativeDifference(expected, velocity(checkpoint, golden, List.of(), recorded));
      assertThat(change).as("what the adapters change").isGreaterThan(0.01);
      return TestData.relativeDifference(expected, velocity(export, golden, adapters, recorded));
    }
  }

  @Test
  void namesAreToldByTheBiasThatFollows() throws IOException {
    int[] count = {0};
    OnnxEdit.edit(transformer, OnnxEdit.nodeNames(name -> "node_" + count[0]++));
    ExportReport report = report();
    assertThat(report.recovered())
        .containsEntry("by the initializer's own name", 93)
        .containsEntry("by the name of the bias that follows", 47);
    assertThat(report.rewritten()).isTrue();
    try (Networks networks = open(root)) {
      assertThat(firstVelocity(networks, "ultra-512")).isLessThan(ONE_STAGE);
    }
  }

  @Test
  void uniqueShapesTellTheRest() throws IOException {
    OnnxEdit.edit(
        transformer, OnnxEdit.nodeNames(name -> name.replace("/context_embedder/", "/x/")));
    OnnxEdit.edit(transformer, OnnxEdit.initializerName("context_embedder.bias", "anonymous"));
    ExportReport report = report();
    assertThat(report.recovered())
        .containsEntry("by its shape, which is unique among what is left", 1);
    assertThat(report.missing()).containsExactly("context_embedder.bias");
    try (Networks networks = open(root)) {
      assertThat(firstVelocity(networks, "ultra-256")).isLessThan(ONE_STAGE);
    }
  }

  @Test
  void adapterForLayersThatWereFusedAway() throws IOException {
    for (String layer : List.of("to_q", "to_k")) {
      String module = "single_transformer_blocks.2.attn." + layer;
      String path = "/single_transformer_blocks.2/attn/";
      OnnxEdit.edit(
          transformer,
          OnnxEdit.nodeNames(
              name -> name.replace(path + layer + "/", path + "fused_" + layer + "/")));
      OnnxEdit.edit(transformer, OnnxEdit.initializerName(module + ".bias", "fused_" + layer));
    }
    ExportReport report = report();
    assertThat(report.missing()).hasSize(4);
    try (Networks networks = open(root)) {
      assertThat(firstVelocity(networks, "standard-128")).isLessThan(ONE_STAGE);
      assertThatThrownBy(
              () ->
                  networks.with(
                      List.of(new AdapterSpec(TestData.adapter2k(), 1)),
                      ProgressListener.NONE,
                      new CancellationToken()))
          .isInstanceOf(AdapterException.class)
          .hasMessageContainingAll(
              "urae_2k_adapter",
              "single_transformer_blocks.2.attn.to_q",
              transformer.toString(),
              "fused into node '/single_transformer_blocks.2/attn/fused_to_");
    }
  }

  @Test
  void otherNetworksRunAsTheyWereExported() throws IOException {
    for (String network : List.of("text_encoder", "vae_decoder")) {
      OnnxEdit.edit(root.resolve(network).resolve("model.onnx"), OnnxEdit::addRelu);
    }
    Path t5 = root.resolve("text_encoder_2/model.onnx");
    String norm = "encoder.final_layer_norm.weight";
    OnnxEdit.edit(t5, OnnxEdit.initializerName(norm, "anonymous"));
    OnnxEdit.edit(t5, OnnxEdit.nodeNames(name -> name.replace("/final_layer_norm/", "/last/")));
    assertThat(OnnxExport.inspect(root).stream().filter(ExportReport::rewritten))
        .extracting(ExportReport::network)
        .contains("transformer")
        .doesNotContain("text_encoder", "text_encoder_2", "vae_decoder");
    List<String> prompt = GoldenCase.named("standard-128").prompts();
    try (Networks networks = open(root);
        SafetensorsFile golden =
            SafetensorsFile.open(TestData.path("golden/cases/standard-128.safetensors"));
        SafetensorsFile vae = SafetensorsFile.open(TestData.path("golden/vae.safetensors"));
        NetworkUse decoder = networks.use(Component.VAE_DECODER)) {
      PromptEmbeddings encoded =
          TextEncoders.of(networks)
              .encode(
                  prompt,
                  OptionalInt.of(64),
                  RunOptions.NONE,
                  new CancellationToken(),
                  new WorkRates());
      assertThat(
              TestData.relativeDifference(
                  golden.tensor("pooled").toFloats(), encoded.pooled().toFloats()))
          .isLessThan(ONE_STAGE);
      assertThat(
              TestData.relativeDifference(
                  golden.tensor("sequence").toFloats(), encoded.sequence().toFloats()))
          .isLessThan(ONE_STAGE);
      float[] decoded =
          decoder.run(Map.of("latent_sample", vae.tensor("latents")), new CancellationToken());
      assertThat(TestData.relativeDifference(vae.tensor("decoded").toFloats(), decoded))
          .isLessThan(ONE_STAGE);
    }
  }

  @Test
  void halfPrecision() throws IOException {
    OnnxEdit.toHalf(transformer);
    assertThat(report().rewritten()).isTrue();
    try (Networks networks = open(root)) {
      for (String name : List.of("standard-128", "standard-wide", "ultra-256", "ultra-512")) {
        assertThat(firstVelocity(networks, name)).isLessThan(HALF_WEIGHTS);
      }
    }
  }
}
