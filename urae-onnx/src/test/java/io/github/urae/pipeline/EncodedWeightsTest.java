package io.github.urae.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.urae.adapter.AdapterSpec;
import io.github.urae.device.Device;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.Flux1;
import io.github.urae.flux.model.internal.NetworkWeights;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Tensor;
import io.github.urae.testkit.TestData;
import io.github.urae.weights.SafetensorsFile;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A checkpoint in an encoding that the library does not know, {@link EightBitBlocks}: one class and
 * its registration, and pictures are drawn with it, with and without adapters.
 */
class EncodedWeightsTest {

  private static final AdapterSpec ADAPTER = new AdapterSpec(TestData.adapter2k(), 1);

  @TempDir Path folder;

  @Test
  void picturesAreThoseOfTheValuesThatTheEncodingHolds() throws IOException {
    CheckpointCopy encoded = CheckpointCopy.in(Files.createDirectory(folder.resolve("blocks")));
    encoded.rewrite("transformer", EightBitBlocks::encoded);
    CheckpointCopy rounded = CheckpointCopy.in(Files.createDirectory(folder.resolve("floats")));
    rounded.convert("transformer", ElementType.F32);
    rounded.rewrite("transformer", EightBitBlocks::rounded);

    Path cache = folder.resolve("cache");
    List<BufferedImage> fromBlocks = pictures(encoded.folder(), cache);
    List<BufferedImage> fromFloats = pictures(rounded.folder(), folder.resolve("other"));
    List<BufferedImage> original = pictures(TestData.checkpoint(), folder.resolve("original"));
    for (int i = 0; i < 2; i++) {
      assertThat(GoldenCase.largestDifference(fromFloats.get(i), fromBlocks.get(i))).isZero();
      assertThat(GoldenCase.largestDifference(original.get(i), fromBlocks.get(i)))
          .as("the encoding loses something, but not much")
          .isBetween(1, 40);
    }
    assertThat(GoldenCase.largestDifference(fromBlocks.get(0), fromBlocks.get(1))).isPositive();
    assertBlocksStayBlocks(encoded, rounded, cache);
  }

  private static void assertBlocksStayBlocks(
      CheckpointCopy encoded, CheckpointCopy rounded, Path cache) throws IOException {
    try (TensorSource blocks =
            NetworkWeights.open(encoded.file("transformer"), Flux1.FAMILY, Component.TRANSFORMER);
        TensorSource floats =
            NetworkWeights.open(rounded.file("transformer"), Flux1.FAMILY, Component.TRANSFORMER)) {
      String name = "transformer_blocks.0.attn.to_q.weight";
      TensorInfo info = blocks.tensors().get(name);
      assertThat(info)
          .hasToString(
              name
                  + " EIGHT_BIT_BLOCKS"
                  + floats.tensors().get(name).shape()
                  + " of "
                  + info.file());
      float[] rows = new float[(int) (2 * info.columns())];
      blocks.readRows(name, 3, 2, rows, 0);
      float[] expected = new float[rows.length];
      floats.readRows(name, 3, 2, expected, 0);
      assertThat(rows).isEqualTo(expected);
      // Two files: without the adapter, and with those that it leaves as they are.
      assertThat(converted(cache, name)).isEmpty();
      List<ByteBuffer> codes = converted(cache, name + ".codes");
      assertThat(codes).hasSizeBetween(1, 2);
      assertThat(codes.get(0).remaining()).isEqualTo((int) info.shape().elementCount());
    }
  }

  /** Returns the bytes of a weight in those files of a cache that hold it. */
  private static List<ByteBuffer> converted(Path cache, String name) throws IOException {
    List<ByteBuffer> found = new ArrayList<>();
    try (Stream<Path> files = Files.walk(cache)) {
      for (Path file : files.filter(f -> f.toString().endsWith(".safetensors")).toList()) {
        try (SafetensorsFile open = SafetensorsFile.open(file)) {
          if (open.metadata().containsKey("source") && open.find(name).isPresent()) {
            Tensor tensor = open.tensor(name);
            found.add(ByteBuffer.allocate((int) tensor.byteSize()).put(tensor.data()).flip());
          }
        }
      }
    }
    return found;
  }

  private static List<BufferedImage> pictures(Path model, Path cache) throws IOException {
    GenerationRequest request =
        GenerationRequest.builder("a red circle on a blue background")
            .size(64, 48)
            .steps(2)
            .seed(5)
            .build();
    try (FluxPipeline pipeline =
        FluxPipeline.builder().model(model).device(Device.cpu()).cacheFolder(cache).build()) {
      BufferedImage plain = pipeline.generate(request).get(0).toBufferedImage();
      pipeline.setAdapters(List.of(ADAPTER));
      return List.of(plain, pipeline.generate(request).get(0).toBufferedImage());
    }
  }
}
