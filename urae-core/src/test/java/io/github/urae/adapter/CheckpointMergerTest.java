package io.github.urae.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.github.urae.AdapterException;
import io.github.urae.CancellationToken;
import io.github.urae.GenerationCancelledException;
import io.github.urae.ModelException;
import io.github.urae.ProgressListener;
import io.github.urae.Stage;
import io.github.urae.StageProgress;
import io.github.urae.adapter.internal.match.AdapterChain;
import io.github.urae.flux.model.Component;
import io.github.urae.internal.TaskReporter;
import io.github.urae.tensor.ElementType;
import io.github.urae.weights.Safetensors;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CheckpointMergerTest {

  private static final List<AdapterSpec> CHAIN =
      List.of(
          TinyFlux.spec("urae_2k_adapter"),
          new AdapterSpec(TinyFlux.adapter("urae_2k_adapter"), -0.5));

  @TempDir Path folder;

  private Path output;

  private final CancellationToken cancellation = new CancellationToken();

  private CheckpointMerger.Builder merger(Path model, List<AdapterSpec> adapters) {
    output = folder.resolve("merged");
    return CheckpointMerger.builder()
        .model(model)
        .adapters(adapters)
        .output(output)
        .cacheFolder(TinyFlux.CACHE)
        .listener(this::progress)
        .cancellation(cancellation);
  }

  private double cancelAt = Double.POSITIVE_INFINITY;
  private double lastFraction;

  private void progress(StageProgress task) {
    lastFraction = (double) task.done() / task.total();
    if (lastFraction >= cancelAt) {
      cancellation.cancel();
    }
  }

  private static Set<String> filesUnder(Path root) throws IOException {
    try (Stream<Path> files = Files.walk(root)) {
      return files
          .filter(Files::isRegularFile)
          .map(f -> root.relativize(f).toString())
          .collect(Collectors.toSet());
    }
  }

  private static byte[] bytes(TensorSource source, String name) throws IOException {
    byte[] bytes = new byte[source.tensor(name).data().remaining()];
    source.tensor(name).data().get(bytes);
    return bytes;
  }

  private static byte[] merged(TinyFlux model, AdapterChain chain, TensorInfo info)
      throws IOException {
    ByteBuffer all = ByteBuffer.allocate((int) info.type().byteSize(info.shape().elementCount()));
    model
        .merger(chain, Component.TRANSFORMER)
        .merge(
            info.name(),
            info.type(),
            all::put,
            new TaskReporter(
                ProgressListener.NONE, new CancellationToken(), Stage.MERGING, all.capacity()));
    return all.array();
  }

  @Test
  void mergesWhatChangesAndCopiesTheRest() throws IOException {
    assertThat(merger(TinyFlux.CHECKPOINT, CHAIN).write()).isEmpty();
    assertThat(lastFraction).isEqualTo(1);
    try (TinyFlux model = new TinyFlux();
        TensorSource written = Safetensors.open(output.resolve("transformer"))) {
      AdapterChain chain = model.chain(CHAIN.toArray(AdapterSpec[]::new));
      Set<String> changed = chain.changedWeights(Component.TRANSFORMER);
      assertThat(changed).hasSize(20);
      assertThat(written.tensors().keySet())
          .containsExactlyInAnyOrderElementsOf(model.transformer().tensors().keySet());
      for (TensorInfo info : model.transformer().tensors().values()) {
        byte[] expected = bytes(model.transformer(), info.name());
        TensorInfo found = written.tensors().get(info.name());
        assertThat(found.type()).isEqualTo(info.type());
        assertThat(found.shape()).isEqualTo(info.shape());
        if (changed.contains(info.name())) {
          assertThat(bytes(written, info.name())).isNotEqualTo(expected);
          expected = merged(model, chain, info);
        }
        assertThat(bytes(written, info.name())).as(info.name()).isEqualTo(expected);
      }
    }
    for (String file : filesUnder(TinyFlux.CHECKPOINT)) {
      if (!file.matches("transformer/.*safetensors.*")) {
        assertThat(output.resolve(file)).hasSameBinaryContentAs(TinyFlux.CHECKPOINT.resolve(file));
      }
    }
  }

  @Test
  void shardsAsDiffusersDoes() throws IOException {
    long shardBytes = 1_000_000;
    merger(TinyFlux.CHECKPOINT, CHAIN).elementType(ElementType.F32).shardBytes(shardBytes).write();
    Path transformer = output.resolve("transformer");
    JsonNode index =
        new JsonMapper()
            .readTree(
                transformer.resolve("diffusion_pytorch_model.safetensors.index.json").toFile());
    Set<String> shards =
        filesUnder(transformer).stream()
            .filter(f -> f.endsWith(".safetensors"))
            .collect(Collectors.toSet());
    assertThat(shards)
        .hasSizeGreaterThan(5)
        .allMatch(f -> f.matches("diffusion_pytorch_model-\\d{5}-of-0*" + shards.size() + "\\..*"));
    try (TinyFlux model = new TinyFlux();
        TensorSource written = Safetensors.open(transformer)) {
      assertThat(written.tensors().keySet())
          .containsExactlyInAnyOrderElementsOf(model.transformer().tensors().keySet());
      long total = 0;
      for (TensorInfo info : written.tensors().values()) {
        assertThat(info.type()).isEqualTo(ElementType.F32);
        assertThat(index.path("weight_map").path(info.name()).asText())
            .isEqualTo(info.file().getFileName().toString());
        total += info.length();
      }
      assertThat(index.path("metadata").path("total_size").asLong()).isEqualTo(total);
      AdapterChain chain = model.chain(CHAIN.toArray(AdapterSpec[]::new));
      String name = "transformer_blocks.0.attn.to_q.weight";
      assertThat(written.tensor(name).toFloats())
          .isEqualTo(model.merger(chain, Component.TRANSFORMER).mergeToFloats(name));
    }
    // The text encoders are written in the type, too, under the names that transformers looks for.
    for (String encoder : List.of("text_encoder", "text_encoder_2")) {
      try (TensorSource written = Safetensors.open(output.resolve(encoder))) {
        assertThat(written.files().get(0).getFileName().toString()).startsWith("model");
        assertThat(written.tensors().values()).allMatch(t -> t.type() == ElementType.F32);
      }
    }
  }

  /** A Hugging Face cache is made of links; beside the folders lies the whole model once more. */
  @Test
  void linksAreFollowedAndStrayWeightsLeftOut() throws IOException {
    Path model = Files.createDirectory(folder.resolve("model"));
    try (Stream<Path> entries = Files.list(TinyFlux.CHECKPOINT)) {
      for (Path entry : entries.toList()) {
        Files.createSymbolicLink(
            model.resolve(entry.getFileName()), entry.toAbsolutePath().normalize());
      }
    }
    Path link = Files.createSymbolicLink(folder.resolve("link"), model);
    Files.writeString(model.resolve("flux1-dev.safetensors"), "24 GB");
    Files.writeString(model.resolve("README.md"), "read me");
    Files.createDirectories(model.resolve(".cache/huggingface"));
    Files.writeString(model.resolve(".cache/huggingface/lock"), "");
    merger(link, CHAIN).write();
    Set<String> expected = filesUnder(TinyFlux.CHECKPOINT);
    expected.removeIf(f -> f.matches("transformer/.*safetensors.*"));
    expected.addAll(List.of("README.md", "transformer/diffusion_pytorch_model.safetensors"));
    assertThat(filesUnder(output)).isEqualTo(expected);
  }

  @Test
  void anExistingTargetIsLeftAlone() throws IOException {
    output = Files.createDirectory(folder.resolve("merged"));
    Files.writeString(output.resolve("mine.txt"), "mine");
    assertThatThrownBy(() -> merger(TinyFlux.CHECKPOINT, CHAIN).write())
        .isInstanceOf(FileAlreadyExistsException.class)
        .hasMessageContaining(output.toString());
    assertThat(filesUnder(folder)).containsExactly("merged/mine.txt");
  }

  @Test
  void cancelledHalfWayNothingIsLeft() throws IOException {
    for (double fraction : new double[] {0, 0.1, 0.5}) {
      cancelAt = fraction;
      assertThatThrownBy(
              () ->
                  merger(TinyFlux.CHECKPOINT, CHAIN)
                      .elementType(ElementType.F32)
                      .shardBytes(1_000_000)
                      .write())
          .isInstanceOf(GenerationCancelledException.class)
          .hasNoCause()
          .hasNoSuppressedExceptions();
      assertThat(folder).isEmptyDirectory();
    }
  }

  @Test
  void missingAlgebraIsNoticedBeforeAnythingIsWritten() throws IOException {
    lastFraction = Double.NaN;
    List<AdapterSpec> chain =
        List.of(TinyFlux.spec("urae_2k_adapter"), TinyFlux.spec("urae_4k_adapter"));
    assertThatThrownBy(() -> merger(TinyFlux.CHECKPOINT, chain).write())
        .isInstanceOf(AdapterException.class)
        .hasMessageContaining("io.github.urae:urae-openblas");
    assertThat(lastFraction).isNaN();
    assertThat(folder).isEmptyDirectory();
  }

  @Test
  void whatDoesNotFitLeavesNothing() throws IOException {
    List<AdapterSpec> bare = List.of(TinyFlux.spec("urae_4k_adapter"));
    assertThatThrownBy(() -> merger(TinyFlux.CHECKPOINT, bare).write())
        .isInstanceOf(AdapterException.class);
    assertThatThrownBy(() -> merger(folder, CHAIN).write())
        .isInstanceOf(ModelException.class)
        .hasMessageContaining("model_index.json");
    assertThatThrownBy(
            () -> merger(TinyFlux.CHECKPOINT, CHAIN).elementType(ElementType.F8_E4M3).write())
        .isInstanceOf(ModelException.class)
        .hasMessageContainingAll("F8_E4M3", "BF16");
    assertThatThrownBy(
            () -> merger(TinyFlux.CHECKPOINT, List.of()).elementType(ElementType.I32).write())
        .isInstanceOf(ModelException.class)
        .hasMessageContainingAll("I32", "BF16");
    assertThat(filesUnder(folder)).isEmpty();
  }

  @Test
  void onnxExportsAreRefused() throws IOException {
    Path export = TinyFlux.copyWithoutTransformer(folder.resolve("export"));
    Files.writeString(export.resolve("transformer/model.onnx"), "");
    assertThatThrownBy(() -> merger(export, CHAIN).write())
        .isInstanceOf(ModelException.class)
        .hasMessageContainingAll("transformer", "ONNX exports", "urae export");
  }

  @Test
  void whatIsMissing() {
    assertThatThrownBy(() -> CheckpointMerger.builder().output(folder.resolve("x")).write())
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("model(...)");
    assertThatThrownBy(() -> CheckpointMerger.builder().model(TinyFlux.CHECKPOINT).write())
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("output(Path)");
  }

  /**
   * A checkpoint full of holes whose result, in float32, is larger than what the disk has left. Its
   * integers stay as they are.
   */
  @Test
  void whatTheDiskHasNoRoomForIsRefusedBeforehand() throws IOException {
    String name = "single_transformer_blocks.0.proj_out";
    int columns = 1 << 20;
    long free = Files.getFileStore(folder).getUsableSpace();
    long rows = free / 2 / (2L * columns) + 1024;
    long weightBytes = 2 * rows * columns;
    int integers = 1 << 20;
    Path model = TinyFlux.copyWithoutTransformer(folder.resolve("model"));
    String header =
        """
        {"%s.weight":{"dtype":"BF16","shape":[%d,%d],"data_offsets":[0,%d]},\
        "numbers":{"dtype":"I8","shape":[%d],"data_offsets":[%d,%d]}}"""
            .formatted(
                name, rows, columns, weightBytes, integers, weightBytes, weightBytes + integers);
    byte[] bytes = header.getBytes(StandardCharsets.UTF_8);
    Path weights = model.resolve("transformer/diffusion_pytorch_model.safetensors");
    try (RandomAccessFile file = new RandomAccessFile(weights.toFile(), "rw")) {
      file.writeLong(Long.reverseBytes(bytes.length));
      file.write(bytes);
      file.setLength(Long.BYTES + bytes.length + weightBytes + integers);
    }
    long encoders = 0;
    try (TinyFlux demo = new TinyFlux()) {
      for (Component encoder : List.of(Component.TEXT_ENCODER, Component.TEXT_ENCODER_2)) {
        for (TensorInfo info : demo.weights.get(encoder).tensors().values()) {
          encoders += Float.BYTES * info.shape().elementCount();
        }
      }
    }
    AdapterSpec adapter =
        new AdapterFile().pair(name, 1, columns, rows).write(folder.resolve("a.safetensors"));
    long needed = 2 * weightBytes + integers + encoders;
    assertThatThrownBy(() -> merger(model, List.of(adapter)).elementType(ElementType.F32).write())
        .isInstanceOf(IOException.class)
        .hasMessageContainingAll(
            folder.toString(), "takes up to " + needed + " bytes", "make room");
    assertThat(folder.toFile().list()).containsExactlyInAnyOrder("model", "a.safetensors");
  }
}
