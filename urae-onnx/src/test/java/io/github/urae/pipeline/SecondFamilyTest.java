package io.github.urae.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.urae.InvalidRequestException;
import io.github.urae.ModelException;
import io.github.urae.device.Device;
import io.github.urae.flux.GeneratedImage;
import io.github.urae.flux.GenerationRecord;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.PromptEmbeddings;
import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.flux.arithmetic.LatentLayout;
import io.github.urae.flux.arithmetic.TokenPositions;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.ModelInfo;
import io.github.urae.flux.model.internal.Checkpoint;
import io.github.urae.flux.model.internal.ConditioningAssembler;
import io.github.urae.flux.model.internal.Flux1;
import io.github.urae.flux.model.internal.ModelFamily;
import io.github.urae.flux.model.internal.ParameterTable;
import io.github.urae.flux.model.internal.ParameterTable.Entry;
import io.github.urae.flux.model.internal.ParameterTable.Piece;
import io.github.urae.flux.model.internal.SchedulerConfig;
import io.github.urae.onnx.internal.graph.TransformerGraph;
import io.github.urae.onnx.internal.graph.VaeDecoderGraph;
import io.github.urae.onnx.internal.graph.VaeEncoderGraph;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import io.github.urae.testkit.TestData;
import io.github.urae.weights.SafetensorsWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A made-up family draws through the same code as FLUX.1: 6 latent channels of 4x4 pixels, tokens
 * of 3x3 with two more channels, a reference picture's tokens after them, names of its own, and
 * random weights.
 */
class SecondFamilyTest {

  private static final LatentLayout LATENTS = new LatentLayout(6, 4, 3);

  private static final int EXTRA_CHANNELS = 2;

  private static final ModelFamily FAMILY =
      new ModelFamily(
          "Patchwork",
          "Patchwork models",
          List.of("PatchworkPipeline"),
          Map.of("QuiltPipeline", "Quilt"),
          List.of(Component.values()),
          LATENTS,
          new ModelFamily.Transformer(
              "PatchworkTransformer",
              LATENTS.packedChannels() + EXTRA_CHANNELS,
              Map.of(),
              "time_text_embed.guidance_embedder",
              List.of(4, 14, 14)),
          new ModelFamily.Defaults("Patchwork", 3, 24, SchedulerConfig.ofFlux(3, true)),
          new ModelFamily.Defaults("Patchwork", 3, 24, SchedulerConfig.ofFlux(3, true)),
          1,
          names(),
          new ModelFamily.Adapters(
              List.of(ModelFamily.Prefix.of("quilt.", Component.TRANSFORMER)),
              List.of(),
              List.of(),
              Pattern.compile(".*attn\\.to_q\\.weight")),
          Flux1.FAMILY.autoencoder(),
          Map.of(),
          new Reference(0.5f));

  @TempDir static Path folder;

  private static Path diffusersNames;
  private static Path ownNames;

  /** Values, key and query in this order, and other words, under a prefix. */
  private static ParameterTable names() {
    List<Entry> entries = new ArrayList<>();
    for (Entry entry : Flux1.FAMILY.names().entries()) {
      List<Piece> pieces = entry.pieces();
      if (entry.shares() == 3) {
        pieces = pieces.stream().map(p -> new Piece(p.module(), 2 - p.first(), 1)).toList();
      }
      String module =
          entry
              .module()
              .replace("double_blocks", "pairs")
              .replace("single_blocks", "solos")
              .replace("img_", "picture_")
              .replace("txt_", "words_");
      entries.add(new Entry(module, entry.parameters(), entry.shares(), pieces, entry.optional()));
    }
    return new ParameterTable("Patchwork's names", entries);
  }

  /** Two channels of a constant beside the latents', and a grey picture of one token after them. */
  private record Reference(float value) implements ConditioningAssembler {

    private static final LatentGrid ONE_TOKEN = new LatentGrid(LATENTS, 12, 12);

    @Override
    public TokenPositions positions(LatentGrid grid, int textTokens) {
      return TokenPositions.of(textTokens, grid).andPicture(1, ONE_TOKEN);
    }

    @Override
    public Map<String, Tensor> inputs(LatentGrid grid, float[] latents, PromptEmbeddings text) {
      int own = LATENTS.packedChannels();
      int all = own + EXTRA_CHANNELS;
      int tokens = (int) grid.tokens();
      float[] hidden = new float[text.count() * (tokens + 1) * all];
      Arrays.fill(hidden, value);
      for (int i = 0; i < text.count() * tokens; i++) {
        int row = i / tokens * (tokens + 1) + i % tokens;
        System.arraycopy(latents, i * own, hidden, row * all, own);
      }
      return Map.of(
          "hidden_states", Tensor.ofFloats(hidden, text.count(), tokens + 1, all),
          "encoder_hidden_states", text.sequence(),
          "pooled_projections", text.pooled());
    }

    @Override
    public float[] velocity(LatentGrid grid, float[] output) {
      int one = grid.latentElements();
      int stride = one + LATENTS.packedChannels();
      float[] velocity = new float[output.length / stride * one];
      for (int i = 0; i < output.length / stride; i++) {
        System.arraycopy(output, i * stride, velocity, i * one, one);
      }
      return velocity;
    }
  }

  @BeforeAll
  static void write() throws IOException {
    diffusersNames = CheckpointCopy.in(folder).folder();
    Files.writeString(
        diffusersNames.resolve("model_index.json"), "{\"_class_name\": \"PatchworkPipeline\"}");
    Files.writeString(
        diffusersNames.resolve("transformer/config.json"),
        "{\"_class_name\": \"PatchworkTransformer\", \"in_channels\": 56, \"out_channels\": 54,"
            + " \"attention_head_dim\": 32, \"num_attention_heads\": 2, \"num_layers\": 2,"
            + " \"num_single_layers\": 2, \"joint_attention_dim\": 96,"
            + " \"pooled_projection_dim\": 64}");
    Files.writeString(
        diffusersNames.resolve("vae/config.json"),
        "{\"latent_channels\": 6, \"block_out_channels\": [8, 16, 16], \"norm_num_groups\": 4,"
            + " \"sample_size\": 48, \"scaling_factor\": 0.7, \"shift_factor\": 0.1,"
            + " \"use_quant_conv\": false, \"use_post_quant_conv\": false}");
    Files.delete(diffusersNames.resolve("vae/preview_factors.json"));
    Checkpoint checkpoint = Checkpoint.open(diffusersNames, List.of(FAMILY));
    Map<String, Shape> autoencoder = new LinkedHashMap<>();
    autoencoder.putAll(VaeDecoderGraph.build(checkpoint.vae()).parameters());
    autoencoder.putAll(VaeEncoderGraph.build(checkpoint.vae()).parameters());
    write("vae", random(autoencoder));
    Map<String, Tensor> transformer =
        random(TransformerGraph.build(checkpoint.transformer(), ElementType.F32).parameters());
    write("transformer", transformer);
    ownNames = folder.resolve("patchwork.safetensors");
    SafetensorsWriter.write(ownNames, Map.of(), renamed(transformer));
  }

  private static void write(String network, Map<String, Tensor> tensors) throws IOException {
    Path target = diffusersNames.resolve(network);
    try (Stream<Path> files = Files.list(target)) {
      for (Path file : files.filter(f -> f.toString().contains(".safetensors")).toList()) {
        Files.delete(file);
      }
    }
    SafetensorsWriter.write(target.resolve("model.safetensors"), Map.of(), tensors);
  }

  private static Map<String, Tensor> random(Map<String, Shape> shapes) {
    Random random = new Random(8);
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    shapes.forEach(
        (name, shape) -> {
          float[] values = new float[(int) shape.elementCount()];
          double scale = Math.sqrt((double) shape.dimension(0) / values.length);
          for (int i = 0; i < values.length; i++) {
            values[i] = shape.rank() == 1 ? 1 : (float) (scale * random.nextGaussian());
          }
          tensors.put(name, Tensor.ofFloats(values, shape.toArray()));
        });
    return tensors;
  }

  /** Puts the rows of diffusers' parameters where the table says that they are. */
  private static Map<String, Tensor> renamed(Map<String, Tensor> diffusers) {
    Map<String, Tensor> renamed = new LinkedHashMap<>();
    for (Entry whole : FAMILY.names().entries()) {
      for (int block = 0; block < (whole.isInBlocks() ? 2 : 1); block++) {
        Entry entry = whole.in(block);
        entry
            .parameters()
            .forEach((own, parameter) -> put(entry, own, parameter, diffusers, renamed));
      }
    }
    return renamed;
  }

  private static void put(
      Entry entry,
      String own,
      String parameter,
      Map<String, Tensor> diffusers,
      Map<String, Tensor> renamed) {
    if (!diffusers.containsKey(entry.pieces().get(0).module() + "." + parameter)) {
      return; // No guidance.
    }
    int elements = 0;
    for (String module : entry.pieces().stream().map(Piece::module).distinct().toList()) {
      elements += (int) diffusers.get(module + "." + parameter).shape().elementCount();
    }
    int share = elements / entry.shares();
    float[] values = new float[elements];
    Map<String, Integer> taken = new LinkedHashMap<>();
    long[] dimensions = {};
    for (Piece piece : entry.pieces()) {
      Tensor part = diffusers.get(piece.module() + "." + parameter);
      int from = taken.merge(piece.module(), piece.count() * share, Integer::sum);
      System.arraycopy(
          part.toFloats(),
          from - piece.count() * share,
          values,
          piece.first() * share,
          piece.count() * share);
      dimensions = part.shape().toArray();
    }
    dimensions[0] = elements / (dimensions.length == 1 ? 1 : dimensions[1]);
    renamed.put("net." + entry.module() + "." + own, Tensor.ofFloats(values, dimensions));
  }

  private static FluxPipeline.Builder pipeline() {
    return FluxPipeline.builder()
        .model(diffusersNames)
        .families(List.of(Flux1.FAMILY, FAMILY))
        .device(Device.cpu())
        .cacheFolder(TestData.CACHE);
  }

  private static List<GeneratedImage> draw(FluxPipeline pipeline) {
    return pipeline.generate(
        GenerationRequest.builder("a star").size(36, 24).seed(3).imagesPerPrompt(2).build());
  }

  @Test
  void itDrawsWithItsOwnLatents() throws IOException {
    try (FluxPipeline pipeline = pipeline().build()) {
      assertThat(pipeline.model())
          .isEqualTo(new ModelInfo("checkpoint", "Patchwork", LATENTS, 48, false, 24, 3));
      List<GeneratedImage> pictures = draw(pipeline);
      assertThat(pictures).hasSize(2);
      for (GeneratedImage picture : pictures) {
        assertThat(picture.width()).isEqualTo(36);
        assertThat(picture.height()).isEqualTo(24);
        assertThat(picture.latents().shape()).isEqualTo(Shape.of(1, 6, 54));
        assertThat(picture.record().passes()).containsExactly(new GenerationRecord.Pass(36, 24, 3));
        for (float value : picture.latents().toFloats()) {
          assertThat(value).isFinite();
        }
      }
      assertThat(pictures.get(0).latents().toFloats())
          .isNotEqualTo(pictures.get(1).latents().toFloats());
      assertThat(pipeline.plan(48, 48, 3).imageTokens()).isEqualTo(16);
      assertThatThrownBy(() -> pipeline.plan(32, 48, 1))
          .isInstanceOf(InvalidRequestException.class)
          .hasMessageContaining("multiple of 12");
    }
  }

  @Test
  void itsOwnNamesAreTheSameParameters() throws IOException {
    try (FluxPipeline one = pipeline().build();
        FluxPipeline other = pipeline().transformer(ownNames).build()) {
      List<GeneratedImage> expected = draw(one);
      List<GeneratedImage> found = draw(other);
      for (int i = 0; i < expected.size(); i++) {
        assertThat(found.get(i).latents().toFloats())
            .isEqualTo(expected.get(i).latents().toFloats());
      }
    }
  }

  @Test
  void anAdapterInItsNamesChangesItsPictures() throws IOException {
    Path adapter = folder.resolve("adapter.safetensors");
    float[] down = new float[64];
    float[] up = new float[3 * 64];
    Arrays.fill(down, 0.3f);
    Arrays.fill(up, 0.3f);
    SafetensorsWriter.write(
        adapter,
        Map.of(),
        Map.of(
            "quilt.pairs.0.picture_attn.qkv.lora_A.weight", Tensor.ofFloats(down, 1, 64),
            "quilt.pairs.0.picture_attn.qkv.lora_B.weight", Tensor.ofFloats(up, 3 * 64, 1)));
    try (FluxPipeline plain = pipeline().build();
        FluxPipeline adapted = pipeline().adapter(adapter).build()) {
      assertThat(draw(adapted).get(0).latents().toFloats())
          .isNotEqualTo(draw(plain).get(0).latents().toFloats());
    }
  }

  @Test
  void familiesKnowEachOthersCheckpointsByName() throws IOException {
    assertThatThrownBy(() -> Checkpoint.open(diffusersNames))
        .isInstanceOf(ModelException.class)
        .hasMessageContainingAll("expected FluxPipeline", "'PatchworkPipeline'", "FLUX.1-dev");
    assertThatThrownBy(() -> Checkpoint.open(TestData.checkpoint(), List.of(FAMILY)))
        .isInstanceOf(ModelException.class)
        .hasMessageContainingAll(
            "expected PatchworkPipeline", "'FluxPipeline'", "Patchwork models");
    Path quilt = Files.createDirectories(folder.resolve("quilt"));
    Files.writeString(quilt.resolve("model_index.json"), "{\"_class_name\": \"QuiltPipeline\"}");
    assertThatThrownBy(() -> Checkpoint.open(quilt, List.of(Flux1.FAMILY, FAMILY)))
        .isInstanceOf(ModelException.class)
        .hasMessageContainingAll("FluxPipeline or PatchworkPipeline", "Quilt is not supported");
  }
}
