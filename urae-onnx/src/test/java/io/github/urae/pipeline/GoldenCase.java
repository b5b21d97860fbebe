package io.github.urae.pipeline;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.urae.adapter.AdapterSpec;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.Profile;
import io.github.urae.flux.TrueGuidance;
import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.flux.arithmetic.Schedule;
import io.github.urae.flux.model.internal.Flux1;
import io.github.urae.onnx.internal.generation.Denoiser;
import io.github.urae.onnx.internal.generation.TransformerInputs;
import io.github.urae.onnx.internal.generation.VelocityPredictor;
import io.github.urae.onnx.internal.model.Networks;
import io.github.urae.onnx.internal.session.NetworkUse;
import io.github.urae.testkit.TestData;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.StreamSupport;
import javax.imageio.ImageIO;

/** Whole runs that the reference recorded: {@code golden/cases.json}. */
public record GoldenCase(JsonNode json) {

  public static GoldenCase named(String name) {
    try {
      JsonNode all = new ObjectMapper().readTree(TestData.path("golden/cases.json").toFile());
      for (JsonNode row : all) {
        if (row.get("name").textValue().equals(name)) {
          return new GoldenCase(row);
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    throw new IllegalArgumentException(name);
  }

  String name() {
    return json.get("name").textValue();
  }

  int steps() {
    return json.get("steps").intValue();
  }

  boolean ultra() {
    return json.path("ultra").asBoolean();
  }

  List<Integer> recordedSteps() {
    return StreamSupport.stream(json.get("latents_recorded").spliterator(), false)
        .map(JsonNode::intValue)
        .toList();
  }

  public GenerationRequest.Builder request() {
    GenerationRequest.Builder builder =
        GenerationRequest.builder(texts("prompt"))
            .size(json.get("width").intValue(), json.get("height").intValue())
            .steps(steps())
            .guidance(json.get("guidance").doubleValue())
            .seed(json.get("seed").longValue())
            .imagesPerPrompt(json.path("images_per_prompt").asInt(1))
            .maxSequenceLength(json.get("sequence").intValue())
            .profile(Profile.Choice.STANDARD);
    if (ultra()) {
      builder.profile(
          Profile.Settings.of(Profile.Choice.ULTRA)
              .withNativeTokens(json.get("native_tokens").longValue()));
    }
    if (json.has("negative_prompt")) {
      builder.trueGuidance(
          new TrueGuidance(texts("negative_prompt"), json.get("true_cfg").doubleValue()));
    }
    if (json.path("prompt_2").isArray()) {
      builder.secondPrompts(texts("prompt_2").toArray(new String[0]));
    }
    return builder;
  }

  List<String> prompts() {
    return texts("prompt");
  }

  LatentGrid grid() {
    return new LatentGrid(
        Flux1.LATENTS, json.get("width").intValue(), json.get("height").intValue());
  }

  /** Returns the numbers that the case's sampling follows with a checkpoint. */
  Profile profile(Networks networks) {
    return networks
        .checkpoint()
        .scheduler()
        .profile(request().build().profile(), networks.nativeTokens(), false);
  }

  Schedule schedule(Networks networks) {
    return Schedule.of(steps(), profile(networks).shift(), grid().tokens());
  }

  /** Returns what denoises the case. */
  Denoiser denoiser(Networks networks, NetworkUse transformer) {
    return denoiser(networks, transformer, VelocityPredictor.everyStep(transformer));
  }

  /** The same with another way to compute a step. */
  Denoiser denoiser(Networks networks, NetworkUse transformer, VelocityPredictor predictor) {
    TransformerInputs inputs =
        new TransformerInputs(
            transformer,
            networks.checkpoint(),
            grid(),
            json.get("sequence").intValue(),
            profile(networks),
            json.get("guidance").doubleValue());
    return new Denoiser(predictor, inputs, schedule(networks));
  }

  /** Returns the adapters of the case. */
  public List<AdapterSpec> adapters() {
    Path trained2k = TestData.adapter2k();
    List<Path> files =
        switch (json.path("adapter").asText("none")) {
          case "2k" -> List.of(trained2k);
          case "4k" -> List.of(trained2k, TestData.adapter4k());
          case "conversion" ->
              List.of(TestData.path("adapters/urae_4k_adapter_lora_conversion.safetensors"));
          default -> List.of();
        };
    return files.stream().map(file -> new AdapterSpec(file, 1)).toList();
  }

  private List<String> texts(String key) {
    List<String> texts = new ArrayList<>();
    json.get(key).forEach(node -> texts.add(node.textValue()));
    return texts;
  }

  public List<BufferedImage> pictures() throws IOException {
    List<BufferedImage> pictures = new ArrayList<>();
    for (JsonNode file : json.get("files")) {
      pictures.add(ImageIO.read(TestData.path("golden/cases/" + file.textValue()).toFile()));
    }
    return pictures;
  }

  /** Returns the largest difference of any colour of any pixel, in 255ths. */
  public static int largestDifference(BufferedImage expected, BufferedImage actual) {
    if (expected.getWidth() != actual.getWidth() || expected.getHeight() != actual.getHeight()) {
      throw new AssertionError("sizes differ");
    }
    int largest = 0;
    for (int y = 0; y < expected.getHeight(); y++) {
      for (int x = 0; x < expected.getWidth(); x++) {
        for (int shift = 0; shift < 24; shift += 8) {
          int a = (expected.getRGB(x, y) >> shift) & 0xFF;
          int b = (actual.getRGB(x, y) >> shift) & 0xFF;
          largest = Math.max(largest, Math.abs(a - b));
        }
      }
    }
    return largest;
  }
}
