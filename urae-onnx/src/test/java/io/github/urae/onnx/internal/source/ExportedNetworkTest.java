package io.github.urae.onnx.internal.source;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.ClipTextConfig;
import io.github.urae.flux.model.internal.Flux1;
import io.github.urae.flux.model.internal.T5Config;
import io.github.urae.flux.model.internal.TransformerConfig;
import io.github.urae.flux.model.internal.VaeConfig;
import io.github.urae.internal.JsonConfig;
import io.github.urae.onnx.internal.graph.ClipTextGraph;
import io.github.urae.onnx.internal.graph.NetworkGraph;
import io.github.urae.onnx.internal.graph.T5EncoderGraph;
import io.github.urae.onnx.internal.graph.TransformerGraph;
import io.github.urae.onnx.internal.graph.VaeDecoderGraph;
import io.github.urae.onnx.internal.graph.VaeEncoderGraph;
import io.github.urae.tensor.ElementType;
import io.github.urae.testkit.OptimumExport;
import io.github.urae.testkit.TestData;
import io.github.urae.weights.Safetensors;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.TransposedElements;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Every parameter of Optimum's export is found again, and is that of the checkpoint. */
class ExportedNetworkTest {

  @TempDir static Path folder;

  private static Path root;

  @BeforeAll
  static void unpack() throws IOException {
    root = OptimumExport.unpackInto(folder);
  }

  private static NetworkGraph graphOf(Component network) throws IOException {
    JsonConfig config = JsonConfig.read(root.resolve(network.id()).resolve("config.json"));
    return switch (network) {
      case TRANSFORMER ->
          TransformerGraph.build(TransformerConfig.from(config, Flux1.FAMILY), ElementType.F32);
      case TEXT_ENCODER -> ClipTextGraph.build(ClipTextConfig.from(config), ElementType.F32);
      case TEXT_ENCODER_2 -> T5EncoderGraph.build(T5Config.from(config), ElementType.F32);
      case VAE_ENCODER -> VaeEncoderGraph.build(VaeConfig.from(config, Flux1.FAMILY));
      default -> VaeDecoderGraph.build(VaeConfig.from(config, Flux1.FAMILY));
    };
  }

  private static ExportedNetwork open(Component network) throws IOException {
    return ExportedNetwork.open(
        root.resolve(network.id()).resolve("model.onnx"),
        graphOf(network),
        ExportContracts.of(network, true));
  }

  @Test
  void transformer() throws IOException {
    ExportedNetwork export = open(Component.TRANSFORMER);
    try (TensorSource weights = export.weights()) {
      System.out.println(export.report());
      compare(weights, Component.TRANSFORMER.folder());
      assertThat(export.report().rewritten()).as(export.report().toString()).isTrue();
      assertThat(export.report().recovered().values()).containsExactly(93, 47);
      assertThat(weights.tensors().get("transformer_blocks.0.attn.to_q.weight").encoding())
          .isEqualTo(new TransposedElements(ElementType.F32));
      assertThat(weights.tensors().get("norm_out.linear.weight").isPlain(ElementType.F32)).isTrue();
    }
  }

  @Test
  void textEncoders() throws IOException {
    for (Component network : List.of(Component.TEXT_ENCODER, Component.TEXT_ENCODER_2)) {
      ExportedNetwork export = open(network);
      try (TensorSource weights = export.weights()) {
        System.out.println(export.report());
        compare(weights, network.folder());
        assertThat(export.report().rewritten()).as(export.report().toString()).isTrue();
      }
    }
  }

  @Test
  void autoencoder() throws IOException {
    for (Component network : List.of(Component.VAE_ENCODER, Component.VAE_DECODER)) {
      ExportedNetwork export = open(network);
      try (TensorSource weights = export.weights()) {
        System.out.println(export.report());
        compare(weights, "vae");
        assertThat(export.report().rewritten()).as(export.report().toString()).isTrue();
      }
    }
  }

  private static void compare(TensorSource weights, String checkpointFolder) throws IOException {
    try (TensorSource checkpoint =
        Safetensors.open(TestData.checkpoint().resolve(checkpointFolder))) {
      List<String> missing = new ArrayList<>(checkpoint.tensors().keySet());
      missing.removeAll(weights.tensors().keySet());
      // Encoder and decoder are exported apart.
      boolean encoder = weights.tensors().containsKey("encoder.conv_in.weight");
      missing.removeIf(
          name ->
              checkpointFolder.equals("vae") && name.startsWith(encoder ? "decoder." : "encoder."));
      missing.remove("encoder.embed_tokens.weight");
      assertThat(missing).isEmpty();
      for (String name : weights.tensors().keySet()) {
        float[] expected = checkpoint.tensor(name).toFloats();
        assertThat(weights.tensors().get(name).shape()).isEqualTo(checkpoint.tensor(name).shape());
        float[] actual = new float[expected.length];
        weights.readFloats(name, 0, actual, 0, actual.length);
        assertThat(actual).as(name).isEqualTo(expected);
        int position = expected.length / 3;
        int length = Math.min(expected.length - position, 1000);
        float[] part = new float[length];
        weights.readFloats(name, position, part, 0, length);
        assertThat(part)
            .as(name)
            .isEqualTo(Arrays.copyOfRange(expected, position, position + length));
      }
    }
  }
}
