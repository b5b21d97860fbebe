package io.github.urae.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.urae.CancellationToken;
import io.github.urae.ProgressListener;
import io.github.urae.adapter.internal.match.AdapterOptions;
import io.github.urae.device.Device;
import io.github.urae.device.Offload;
import io.github.urae.flux.PromptEmbeddings;
import io.github.urae.flux.RunOptions;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.Checkpoint;
import io.github.urae.flux.model.internal.ModelLocation;
import io.github.urae.onnx.internal.generation.Conditioning;
import io.github.urae.onnx.internal.generation.TextEncoders;
import io.github.urae.onnx.internal.generation.WorkRates;
import io.github.urae.onnx.internal.graph.Arithmetic;
import io.github.urae.onnx.internal.graph.LinearArithmetic;
import io.github.urae.onnx.internal.model.ModelSource;
import io.github.urae.onnx.internal.model.Networks;
import io.github.urae.onnx.internal.model.PipelineSettings;
import io.github.urae.onnx.internal.session.NetworkUse;
import io.github.urae.onnx.internal.session.SessionSettings;
import io.github.urae.tensor.ElementType;
import io.github.urae.testkit.Checksum;
import io.github.urae.testkit.TestData;
import io.github.urae.weights.Safetensors;
import io.github.urae.weights.SafetensorsFile;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.PlacedTensors;
import io.github.urae.weights.internal.WeightCache;
import io.github.urae.weights.internal.quantised.RecognisedEncodings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeSet;

/**
 * A quantised file of which the reference recorded what it holds and computes: {@code
 * quantised/golden}.
 */
record QuantisedCase(String label, Path file) {

  /** Of a tensor's magnitudes. */
  private static final double STORED = 1e-6;

  /** Of the largest value: one network. */
  private static final double ONE_STAGE = 1e-4;

  /** Of the largest value: several steps. */
  static final double SEVERAL_STEPS = 1e-3;

  /** Returns a case whose file the test kit holds. */
  static QuantisedCase stored(String label) {
    return new QuantisedCase(label, TestData.path("quantised/files/" + label + ".safetensors"));
  }

  /** Returns a case whose file the test kit holds as GGUF. */
  static QuantisedCase gguf(String label) {
    return new QuantisedCase(label, TestData.path("quantised/files/" + label + ".gguf"));
  }

  private static JsonNode json(String name) throws IOException {
    return new ObjectMapper().readTree(TestData.path("quantised/golden/" + name).toFile());
  }

  private SafetensorsFile recorded() throws IOException {
    return SafetensorsFile.open(TestData.path("quantised/golden/" + label + ".safetensors"));
  }

  /** Checks every tensor of the file against its recorded sums, and some against their values. */
  void assertTensors() throws IOException {
    JsonNode expected = json(label + ".json").get("tensors");
    try (TensorSource stored = Safetensors.open(file);
        SafetensorsFile recorded = recorded();
        TensorSource open = PlacedTensors.open(RecognisedEncodings.of(stored).values())) {
      Set<String> names = new TreeSet<>();
      expected.fieldNames().forEachRemaining(names::add);
      assertThat(new TreeSet<>(open.tensors().keySet())).isEqualTo(names);
      for (String name : names) {
        JsonNode sums = expected.get(name);
        assertThat(open.find(name).orElseThrow().shape().toString())
            .as(name)
            .isEqualTo(sums.get("shape").toString().replace(",", ", "));
        float[] values = values(open, name);
        new Checksum(
                sums.get("sum").doubleValue(),
                sums.get("abs").doubleValue(),
                sums.get("squares").doubleValue(),
                sums.get("probe").doubleValue())
            .assertClose(label + ": " + name, Checksum.of(values), STORED);
      }
      for (String name : recorded.tensors().keySet()) {
        assertValues(open, recorded, name);
      }
    }
  }

  private static void assertValues(TensorSource open, SafetensorsFile recorded, String name)
      throws IOException {
    int slash = name.indexOf('/');
    if (slash < 0) {
      return;
    }
    String tensor = name.substring(slash + 1);
    float[] expected = recorded.tensor(name).toFloats();
    float[] found;
    if (name.startsWith("full/")) {
      found = values(open, tensor);
    } else {
      int columns = expected.length / 3;
      found = new float[expected.length];
      long last = open.find(tensor).orElseThrow().shape().dimension(0) - 1;
      open.readFloats(tensor, 0, found, 0, 2 * columns);
      open.readFloats(tensor, last * columns, found, 2 * columns, columns);
    }
    assertThat(TestData.relativeDifference(expected, found)).as(name).isLessThan(STORED);
  }

  private static float[] values(TensorSource open, String name) throws IOException {
    float[] values = new float[(int) open.find(name).orElseThrow().shape().elementCount()];
    open.readFloats(name, 0, values, 0, values.length);
    return values;
  }

  /** The ways to compute with the same values. */
  private static final List<Arithmetic> EXACT =
      List.of(Arithmetic.FLOAT32, new Arithmetic(ElementType.F32, LinearArithmetic.AS_STORED));

  /**
   * Checks velocity and latents of the file as the transformer of a model, in every exact way.
   *
   * @param folder where the model is put
   * @param configuration of the transformer, one of the test kit's
   */
  void assertRuns(Path folder, String configuration) throws IOException {
    for (Arithmetic arithmetic : EXACT) {
      Path own = Files.createTempDirectory(folder, "model");
      try (Networks networks = open(own, configuration, arithmetic)) {
        assertRuns(networks, "");
      }
    }
  }

  /** The same of networks that are there, perhaps with adapters, recorded under a prefix. */
  void assertRuns(Networks networks, String prefix) throws IOException {
    List<float[]> velocities = new ArrayList<>();
    float[] latents = latents(networks, velocities);
    try (SafetensorsFile recorded = recorded()) {
      TestData.assertClose(
          label + " " + prefix + "first_velocity",
          recorded.tensor(prefix + "first_velocity").toFloats(),
          velocities.get(0),
          ONE_STAGE);
      TestData.assertClose(
          label + " " + prefix + "latents_3",
          recorded.tensor(prefix + "latents_3").toFloats(),
          latents,
          SEVERAL_STEPS);
    }
  }

  /** Returns the latents after the last step of the recorded run. */
  float[] latents(Networks networks) throws IOException {
    return latents(networks, new ArrayList<>());
  }

  /** Returns the velocity of the first step of the recorded run. */
  float[] firstVelocity(Networks networks) throws IOException {
    List<float[]> velocities = new ArrayList<>();
    latents(networks, velocities);
    return velocities.get(0);
  }

  private static float[] latents(Networks networks, List<float[]> velocities) throws IOException {
    ObjectNode settings = ((ObjectNode) GoldenCase.named("standard-128").json()).deepCopy();
    settings.put("steps", json("cases.json").get("steps").intValue());
    try (SafetensorsFile inputs =
            SafetensorsFile.open(
                TestData.path("quantised/golden/flux-tiny-unquantised.safetensors"));
        NetworkUse transformer = networks.use(Component.TRANSFORMER)) {
      return new GoldenCase(settings)
          .denoiser(networks, transformer)
          .denoise(
              inputs.tensor("noise").toFloats(),
              Conditioning.of(
                  new PromptEmbeddings(inputs.tensor("pooled"), inputs.tensor("sequence"))),
              new CancellationToken(),
              (step, after, velocity) -> {
                velocities.add(velocity);
                return after;
              });
    }
  }

  /** Opens the file as the transformer of a copy of the demo checkpoint. */
  Networks open(Path folder, String configuration, Arithmetic arithmetic) throws IOException {
    CheckpointCopy model = CheckpointCopy.in(folder);
    Files.copy(
        TestData.path("quantised/configs/" + configuration + "/config.json"),
        model.file("transformer/config.json"),
        StandardCopyOption.REPLACE_EXISTING);
    return open(
        ModelLocation.of(model.folder()).with(Component.TRANSFORMER, file), folder, arithmetic);
  }

  /** Checks the embeddings of a prompt with the file as T5. */
  void assertEncodes(Path folder) throws IOException {
    for (Arithmetic arithmetic : EXACT) {
      assertEncodes(Files.createTempDirectory(folder, "model"), arithmetic);
    }
  }

  private void assertEncodes(Path folder, Arithmetic arithmetic) throws IOException {
    CheckpointCopy model = CheckpointCopy.in(folder);
    ModelLocation location = ModelLocation.of(model.folder()).with(Component.TEXT_ENCODER_2, file);
    try (SafetensorsFile recorded = recorded();
        Networks networks = open(location, folder, arithmetic)) {
      PromptEmbeddings encoded =
          TextEncoders.of(networks)
              .encode(
                  List.of(json("cases.json").get("prompt").textValue()),
                  OptionalInt.of(json("cases.json").get("sequence").intValue()),
                  RunOptions.NONE,
                  new CancellationToken(),
                  new WorkRates());
      TestData.assertClose(
          label + " sequence",
          recorded.tensor("sequence").toFloats(),
          encoded.sequence().toFloats(),
          ONE_STAGE);
    }
  }

  private static Networks open(ModelLocation location, Path folder, Arithmetic arithmetic)
      throws IOException {
    return Networks.open(
        ModelSource.at(location, Checkpoint.FAMILIES),
        new PipelineSettings(
            new SessionSettings(Device.cpu(), OptionalInt.empty(), false),
            arithmetic,
            Offload.ALL,
            new WeightCache(folder.resolve("cache"), WeightCache.DEFAULT_MAX_BYTES),
            OptionalLong.empty(),
            AdapterOptions.STRICT),
        List.of(),
        ProgressListener.NONE,
        new CancellationToken());
  }
}
