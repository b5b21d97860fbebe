package io.github.urae.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.urae.ModelException;
import io.github.urae.device.Device;
import io.github.urae.onnx.internal.source.OriginalNames;
import io.github.urae.tensor.Tensor;
import io.github.urae.testkit.TestData;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A transformer of another model is no transformer of this one, even where it would run. */
class OtherTransformerTest {

  private static final Path MODEL = TestData.checkpoint();

  private static final String GUIDANCE = "time_text_embed.guidance_embedder.";

  @TempDir Path folder;

  /** A checkpoint without guidance, as FLUX.1-schnell is. */
  private CheckpointCopy withoutGuidance() throws IOException {
    return CheckpointCopy.in(folder)
        .replace(
            "transformer/config.json", "\"guidance_embeds\": true", "\"guidance_embeds\": false")
        .rewrite(
            "transformer",
            tensors -> {
              tensors.keySet().removeIf(name -> name.startsWith(GUIDANCE));
              return tensors;
            });
  }

  private Path single(Path transformer) throws IOException {
    Path file = folder.resolve("flux1.safetensors");
    OriginalNames.write(transformer, file);
    return file;
  }

  private static FluxPipeline.Builder pipeline(Path model) {
    return FluxPipeline.builder().model(model).device(Device.cpu()).cacheFolder(TestData.CACHE);
  }

  @Test
  void guidanceThatNothingWouldReadIsRefused() throws IOException {
    Path schnell = withoutGuidance().folder();
    pipeline(schnell).build().close();
    for (Path dev :
        new Path[] {MODEL.resolve("transformer"), single(MODEL.resolve("transformer"))}) {
      assertThatThrownBy(() -> pipeline(schnell).transformer(dev).build())
          .isInstanceOf(ModelException.class)
          .hasMessageContainingAll(
              dev.getFileName().toString(), "holds a guidance embedding", GUIDANCE, "FLUX.1-dev")
          .hasMessageContainingAll(schnell.toString(), "'guidance_embeds': false");
    }
  }

  @Test
  void guidanceThatIsMissingIsSaidToBe() throws IOException {
    Path schnell = withoutGuidance().file("transformer");
    for (Path file : new Path[] {schnell, single(schnell)}) {
      assertThatThrownBy(() -> pipeline(MODEL).transformer(file).build())
          .isInstanceOf(ModelException.class)
          .hasMessageContainingAll("lacks a guidance embedding", GUIDANCE, "FLUX.1-schnell")
          .hasMessageContainingAll(MODEL.toString(), "'guidance_embeds': true");
    }
  }

  @Test
  void tensorsThatNothingReadsAreToldOnce() throws IOException {
    assertThat(warnings(MODEL)).isEmpty();
    CheckpointCopy copy =
        CheckpointCopy.in(folder)
            .rewrite(
                "transformer",
                tensors -> {
                  for (int i = 0; i < 4; i++) {
                    tensors.put("redux_" + i + ".bias", Tensor.ofFloats(new float[4], 4));
                  }
                  return tensors;
                });
    assertThat(warnings(copy.folder()))
        .containsOnlyOnce("read by nothing in the transformer")
        .contains(copy.file("transformer").toString(), "4 of ")
        .contains("[redux_0.bias, redux_1.bias, redux_2.bias]");
  }

  private static String warnings(Path model) throws IOException {
    PrintStream before = System.err;
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    System.setErr(new PrintStream(bytes, true, StandardCharsets.UTF_8));
    try {
      pipeline(model).build().close();
    } finally {
      System.setErr(before);
    }
    return bytes.toString(StandardCharsets.UTF_8);
  }
}
