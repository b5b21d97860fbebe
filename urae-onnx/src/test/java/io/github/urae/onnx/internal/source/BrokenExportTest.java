package io.github.urae.onnx.internal.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.TensorProto;
import io.github.urae.FileFormatException;
import io.github.urae.ModelException;
import io.github.urae.UraeException;
import io.github.urae.device.Device;
import io.github.urae.export.OnnxExport;
import io.github.urae.onnx.internal.graph.OnnxMessages;
import io.github.urae.pipeline.FluxPipeline;
import io.github.urae.testkit.OptimumExport;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Every fault of an export ends in one exception that names file and node. */
class BrokenExportTest {

  @TempDir Path folder;

  private Path root;
  private Path transformer;

  @BeforeEach
  void unpack() throws IOException {
    root = OptimumExport.unpackInto(folder);
    transformer = root.resolve("transformer/model.onnx");
  }

  private void assertRefused(Class<? extends UraeException> type, String... parts) {
    assertThatThrownBy(() -> OnnxExport.inspect(root))
        .isInstanceOf(type)
        .hasMessageContainingAll(parts);
  }

  @Test
  void missingExternalData() throws IOException {
    Files.delete(transformer.resolveSibling("model.onnx_data"));
    assertRefused(
        FileFormatException.class,
        transformer.toString(),
        "node '/time_text_embed/timestep_embedder/linear_1/Gemm'",
        "model.onnx_data is missing");
  }

  @Test
  void truncatedExternalData() throws IOException {
    try (FileChannel data =
        FileChannel.open(transformer.resolveSibling("model.onnx_data"), StandardOpenOption.WRITE)) {
      data.truncate(9_400_000);
    }
    assertRefused(
        FileFormatException.class,
        transformer.toString(),
        "node '/proj_out/MatMul'",
        "32768 bytes from position 9391104",
        "ends at 9400000");
  }

  @Test
  void externalDataOutsideTheFolder() throws IOException {
    for (String location : List.of("../model.onnx_data", "/etc/passwd", "a/../../b", ".")) {
      unpack();
      OnnxEdit.edit(transformer, OnnxEdit.externalData("location", location));
      assertRefused(
          FileFormatException.class, transformer.toString(), location, "outside the folder");
    }
  }

  @Test
  void impossiblePositions() throws IOException {
    OnnxEdit.edit(transformer, OnnxEdit.externalData("offset", "-8"));
    assertRefused(FileFormatException.class, transformer.toString(), "-8 is no position");
    unpack();
    OnnxEdit.edit(transformer, OnnxEdit.externalData("length", "12"));
    assertRefused(FileFormatException.class, "[128, 256]", "131072 bytes", "12 are stored");
  }

  @Test
  void wrongOperatorSet() throws IOException {
    OnnxEdit.edit(transformer, model -> model.getOpsetImportBuilder(0).setVersion(99));
    assertRefused(
        ModelException.class, transformer.toString(), "operator set 11 to 25", "found 99");
  }

  @Test
  void unknownCustomOperator() throws IOException {
    OnnxEdit.edit(
        transformer,
        model ->
            model
                .getGraphBuilder()
                .addNode(
                    NodeProto.newBuilder()
                        .setOpType("FastFlux")
                        .setDomain("com.example")
                        .setName("/custom/FastFlux")
                        .addInput("hidden_states")
                        .addOutput("nothing")));
    assertRefused(
        ModelException.class,
        transformer.toString(),
        "node '/custom/FastFlux'",
        "'FastFlux' of 'com.example'");
  }

  @Test
  void componentOfAnotherModel() throws IOException {
    Files.copy(
        root.resolve("text_encoder/model.onnx"), transformer, StandardCopyOption.REPLACE_EXISTING);
    assertRefused(ModelException.class, transformer.toString(), "hidden_states", "[input_ids]");
  }

  @Test
  void configurationOfAnotherSize() throws IOException {
    Path config = root.resolve("transformer/config.json");
    Files.writeString(
        config,
        Files.readString(config)
            .replace("\"pooled_projection_dim\": 64", "\"pooled_projection_dim\": 32"));
    Path clip = root.resolve("text_encoder/config.json");
    Files.writeString(
        clip, Files.readString(clip).replace("\"hidden_size\": 64", "\"hidden_size\": 32"));
    assertThatThrownBy(() -> OnnxExport.inspect(root))
        .isInstanceOf(ModelException.class)
        .hasMessageContainingAll("text_encoder", "[1581, 32]", "[1581, 64]");
  }

  @Test
  void quantisedExport() throws IOException {
    OnnxEdit.edit(
        transformer,
        model -> {
          for (NodeProto.Builder node : model.getGraphBuilder().getNodeBuilderList()) {
            if (node.getName().equals("/x_embedder/MatMul")) {
              node.setOpType("MatMulNBits").setDomain("com.microsoft");
            }
          }
        });
    assertRefused(ModelException.class, transformer.toString(), "/x_embedder/MatMul", "quantised");
  }

  @Test
  void contradictingNames() throws IOException {
    OnnxEdit.edit(
        transformer,
        OnnxEdit.nodeNames(
            name ->
                name.equals("/single_transformer_blocks.0/attn/to_q/MatMul")
                    ? "/single_transformer_blocks.0/attn/to_v/MatMul"
                    : name));
    assertRefused(
        FileFormatException.class,
        transformer.toString(),
        "node '/single_transformer_blocks.0/attn/to_v/MatMul'",
        "single_transformer_blocks.0.attn.to_q.weight");
  }

  @Test
  void noOnnxAtAll() throws IOException {
    Files.write(transformer, new byte[] {8, 7, 99, 1, 2, 3});
    assertRefused(FileFormatException.class, transformer.toString(), "not a valid ONNX file");
    Files.write(transformer, new byte[0]);
    assertRefused(FileFormatException.class, transformer.toString(), "holds no graph");
    unpack();
    byte[] whole = Files.readAllBytes(transformer);
    for (int length : new int[] {100, 10_000, whole.length - 1}) {
      Files.write(transformer, Arrays.copyOf(whole, length));
      assertRefused(FileFormatException.class, transformer.toString(), "not a valid ONNX file");
    }
  }

  @Test
  void duplicateAndOddInitializers() throws IOException {
    OnnxEdit.edit(
        transformer,
        model -> model.getGraphBuilder().addInitializer(model.getGraph().getInitializer(1)));
    assertRefused(
        FileFormatException.class, "time_text_embed.timestep_embedder.linear_1.bias", "twice");
    unpack();
    OnnxEdit.edit(
        transformer,
        model ->
            model
                .getGraphBuilder()
                .getInitializerBuilder(1)
                .setDataType(TensorProto.DataType.STRING_VALUE));
    assertRefused(FileFormatException.class, "linear_1.bias", "element type 8");
  }

  /** What once ended in a stack, a heap or a list that ran out. */
  @Test
  void nodesThatAreNone() throws IOException {
    assertAdded(
        "needs its own result",
        node("Mul", List.of("c2", "c2"), "c1"),
        node("Mul", List.of("c1", "c1"), "c2"),
        node("Softmax", List.of("c1"), "c3"));
    assertAdded("has no output", node("Identity", List.of("timestep")));
    assertAdded("needs its own result", node("Identity", List.of("q1"), "q1"));
    assertAdded(
        "makes 'q1', which",
        node("Identity", List.of("timestep"), "q1"),
        node("Identity", List.of("q1"), "q1"));
    assertAdded("expected 1 inputs, found []", node("Softmax", List.of(), "z"));
  }

  private static NodeProto node(String operator, List<String> inputs, String... outputs) {
    return OnnxMessages.node("", operator, "", inputs, List.of(outputs));
  }

  private void assertAdded(String problem, NodeProto... nodes) throws IOException {
    unpack();
    OnnxEdit.edit(transformer, model -> model.getGraphBuilder().addAllNode(List.of(nodes)));
    assertRefused(FileFormatException.class, transformer.toString(), problem);
  }

  @Test
  void missingNetwork() throws IOException {
    Files.delete(root.resolve("vae_decoder/model.onnx"));
    assertThatThrownBy(() -> FluxPipeline.builder().model(root).device(Device.cpu()).build())
        .isInstanceOf(NoSuchFileException.class)
        .hasMessageContainingAll("vae_decoder", "lacks this network");
  }

  @Test
  void blackForestLabsOwnLayout() throws IOException {
    Path other = folder.resolve("FLUX.1-dev-onnx");
    Files.createDirectories(other.resolve("transformer.opt/bf16"));
    Files.createDirectories(other.resolve("clip.opt"));
    root = other;
    assertRefused(ModelException.class, other.toString(), "Black Forest Labs", "transformer.opt");
  }

  @Test
  void filesAreNeverWrittenTo() throws IOException {
    byte[] before = Files.readAllBytes(transformer);
    FluxPipeline.builder()
        .model(root)
        .device(Device.cpu())
        .cacheFolder(folder.resolve("cache"))
        .build()
        .close();
    assertThat(Files.readAllBytes(transformer)).isEqualTo(before);
  }
}
