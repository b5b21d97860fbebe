package io.github.urae.export;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OnnxTensorLike;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.urae.AdapterException;
import io.github.urae.adapter.AdapterSpec;
import io.github.urae.device.Device;
import io.github.urae.flux.GeneratedImage;
import io.github.urae.flux.Profile;
import io.github.urae.flux.model.ExportReport;
import io.github.urae.pipeline.FluxPipeline;
import io.github.urae.pipeline.GoldenCase;
import io.github.urae.tensor.ElementType;
import io.github.urae.testkit.TestData;
import io.github.urae.weights.SafetensorsFile;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What this library exports, run by ONNX Runtime alone. */
class OnnxExportTest {

  private static final double ONE_STAGE = 1e-4;

  @TempDir Path folder;

  private OnnxExport.Builder export(String name) {
    return OnnxExport.builder()
        .model(TestData.checkpoint())
        .output(folder.resolve(name))
        .cacheFolder(TestData.CACHE);
  }

  /** Runs a model.onnx with nothing but ONNX Runtime. */
  private static float[] run(Path model, String output, Map<String, OnnxTensor> inputs)
      throws OrtException {
    try (OrtSession.SessionOptions options = new OrtSession.SessionOptions();
        OrtSession session =
            OrtEnvironment.getEnvironment().createSession(model.toString(), options)) {
      assertThat(session.getInputNames()).isEqualTo(inputs.keySet());
      Map<String, OnnxTensorLike> bound = new LinkedHashMap<>(inputs);
      try (OrtSession.Result result = session.run(bound)) {
        return ((OnnxTensor) result.get(output).orElseThrow()).getFloatBuffer().array();
      }
    } finally {
      inputs.values().forEach(OnnxTensor::close);
    }
  }

  private static OnnxTensor floats(float[] values, long... shape) throws OrtException {
    return OnnxTensor.createTensor(
        OrtEnvironment.getEnvironment(), FloatBuffer.wrap(values), shape);
  }

  private static OnnxTensor longs(long[] values, long... shape) throws OrtException {
    return OnnxTensor.createTensor(OrtEnvironment.getEnvironment(), LongBuffer.wrap(values), shape);
  }

  /** The first velocity of a recorded case; positions as Optimum's pipelines give them. */
  private static float[] firstVelocity(Path root, GoldenCase golden, SafetensorsFile recorded)
      throws IOException, OrtException {
    int rows = golden.json().get("height").intValue() / 16;
    int columns = golden.json().get("width").intValue() / 16;
    int text = golden.json().get("sequence").intValue();
    int tokens = rows * columns;
    long[] positions = new long[tokens * 3];
    for (int token = 0; token < tokens; token++) {
      positions[3 * token + 1] = token / columns;
      positions[3 * token + 2] = token % columns;
    }
    Map<String, OnnxTensor> inputs = new LinkedHashMap<>();
    float[] pooled = recorded.tensor("pooled").toFloats();
    float[] sequence = recorded.tensor("sequence").toFloats();
    inputs.put("hidden_states", floats(recorded.tensor("noise").toFloats(), 1, tokens, 64));
    inputs.put("encoder_hidden_states", floats(sequence, 1, text, sequence.length / text));
    inputs.put("pooled_projections", floats(pooled, 1, pooled.length));
    inputs.put("timestep", floats(new float[] {1}, 1));
    inputs.put("img_ids", longs(positions, tokens, 3));
    inputs.put("txt_ids", longs(new long[text * 3], text, 3));
    inputs.put(
        "guidance", floats(new float[] {(float) golden.json().get("guidance").doubleValue()}, 1));
    return run(root.resolve("transformer/model.onnx"), "out_hidden_states", inputs);
  }

  @Test
  void plainRuntimeAgreesInTheStandardProfile() throws Exception {
    export("standard").write();
    Path root = folder.resolve("standard");
    for (String name : List.of("standard-128", "standard-wide")) {
      try (SafetensorsFile recorded =
          SafetensorsFile.open(TestData.path("golden/cases/" + name + ".safetensors"))) {
        TestData.assertClose(
            "plain " + name,
            recorded.tensor("first_velocity").toFloats(),
            firstVelocity(root, GoldenCase.named(name), recorded),
            ONE_STAGE);
      }
    }
    JsonNode prompt =
        new ObjectMapper().readTree(TestData.path("golden/tokens.json").toFile()).get(1);
    try (SafetensorsFile text = SafetensorsFile.open(TestData.path("golden/text.safetensors"));
        SafetensorsFile vae = SafetensorsFile.open(TestData.path("golden/vae.safetensors"))) {
      long[] clipIds = ids(prompt, "clip_ids");
      TestData.assertClose(
          "plain CLIP",
          text.tensor("1.pooled").toFloats(),
          run(
              root.resolve("text_encoder/model.onnx"),
              "pooler_output",
              Map.of("input_ids", longs(clipIds, 1, clipIds.length))),
          ONE_STAGE);
      for (String length : List.of("", "_12")) {
        long[] t5Ids = ids(prompt, "t5_ids" + length);
        TestData.assertClose(
            "plain T5" + length,
            text.tensor("1.sequence" + length).toFloats(),
            run(
                root.resolve("text_encoder_2/model.onnx"),
                "last_hidden_state",
                Map.of("input_ids", longs(t5Ids, 1, t5Ids.length))),
            ONE_STAGE);
      }
      TestData.assertClose(
          "plain VAE",
          vae.tensor("decoded").toFloats(),
          run(
              root.resolve("vae_decoder/model.onnx"),
              "sample",
              Map.of(
                  "latent_sample",
                  floats(
                      vae.tensor("latents").toFloats(), vae.tensor("latents").shape().toArray()))),
          ONE_STAGE);
      float[] parameters =
          run(
              root.resolve("vae_encoder/model.onnx"),
              "latent_parameters",
              Map.of(
                  "sample",
                  floats(vae.tensor("pixels").toFloats(), vae.tensor("pixels").shape().toArray())));
      float[] mean = vae.tensor("mean").toFloats();
      TestData.assertClose(
          "plain VAE encoder", mean, Arrays.copyOf(parameters, mean.length), ONE_STAGE);
    }
  }

  private static long[] ids(JsonNode prompt, String key) {
    long[] ids = new long[prompt.get(key).size()];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = prompt.get(key).get(i).longValue();
    }
    return ids;
  }

  @Test
  void adaptersAndUltraResolutionAreInTheExport() throws Exception {
    GoldenCase golden = GoldenCase.named("ultra-256");
    export("ultra").adapters(golden.adapters()).profile(Profile.Choice.ULTRA).write();
    Path root = folder.resolve("ultra");
    try (SafetensorsFile recorded =
        SafetensorsFile.open(TestData.path("golden/cases/ultra-256.safetensors"))) {
      TestData.assertClose(
          "plain ultra-256",
          recorded.tensor("first_velocity").toFloats(),
          firstVelocity(root, golden, recorded),
          ONE_STAGE);
    }
  }

  /** Standard operators on plain values, whatever these are made of, with an adapter merged in. */
  @Test
  void quantisedSourcesAreExportedAsTheirValues() throws Exception {
    export("quantised")
        .transformer(TestData.path("quantised/files/flux-tiny-Q4_0.gguf"))
        .textEncoder2(TestData.path("quantised/files/t5-encoder-Q8_0.gguf"))
        .adapters(List.of(new AdapterSpec(TestData.path("adapters/peft.safetensors"), 1)))
        .write();
    Path root = folder.resolve("quantised");
    for (ExportReport report : OnnxExport.inspect(root)) {
      assertThat(report.missing()).as(report.toString()).isEmpty();
    }
    try (SafetensorsFile inputs =
            SafetensorsFile.open(TestData.path("golden/cases/standard-128.safetensors"));
        SafetensorsFile recorded =
            SafetensorsFile.open(TestData.path("quantised/golden/flux-tiny-Q4_0.safetensors"))) {
      TestData.assertClose(
          "export of Q4_0",
          recorded.tensor("lora_peft_first_velocity").toFloats(),
          firstVelocity(root, GoldenCase.named("standard-128"), inputs),
          ONE_STAGE);
    }
  }

  @Test
  void exportsAreReadAgain() throws IOException {
    export("again").elementType(ElementType.F16).write();
    Path root = folder.resolve("again");
    for (ExportReport report : OnnxExport.inspect(root)) {
      assertThat(report.rewritten()).as(report.toString()).isTrue();
      assertThat(report.missing()).isEmpty();
    }
    GoldenCase golden = GoldenCase.named("standard-128");
    try (FluxPipeline pipeline =
        FluxPipeline.builder()
            .model(root)
            .device(Device.cpu())
            .cacheFolder(folder.resolve("cache"))
            .build()) {
      GeneratedImage image = pipeline.generate(golden.request().build()).get(0);
      assertThat(GoldenCase.largestDifference(golden.pictures().get(0), image.toBufferedImage()))
          .isLessThanOrEqualTo(1);
    }
  }

  @Test
  void nothingIsOverwrittenOrLeftHalfDone() throws IOException {
    Files.createDirectories(folder.resolve("there"));
    assertThatThrownBy(() -> export("there").write())
        .isInstanceOf(FileAlreadyExistsException.class);
    assertThatThrownBy(
            () ->
                export("half").adapters(List.of(new AdapterSpec(TestData.adapter4k(), 1))).write())
        .isInstanceOf(AdapterException.class);
    try (Stream<Path> files = Files.list(folder)) {
      assertThat(files).containsExactly(folder.resolve("there"));
    }
  }
}
