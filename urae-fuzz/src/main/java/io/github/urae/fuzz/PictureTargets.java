package io.github.urae.fuzz;

import io.github.urae.flux.GenerationRecord;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.image.ImageFormat;
import io.github.urae.image.RgbImage;
import io.github.urae.testkit.TestData;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import javax.imageio.ImageIO;

/** Pictures to start from, the settings that pictures carry, and requests. */
final class PictureTargets {

  private static final List<String> WORDS =
      List.of(
          "prompts",
          "width",
          "height",
          "steps",
          "guidance",
          "seeds",
          "seed",
          "images_per_prompt",
          "batch_size",
          "profile",
          "start",
          "true_guidance",
          "vae_tiling",
          "sha256",
          "strength",
          "image",
          "latents",
          "embeddings",
          "negative_prompts",
          "request",
          "model",
          "adapters",
          "name",
          "scale",
          "device",
          "element_type",
          "passes",
          "decoded_in_tiles",
          "ultra",
          "standard",
          "auto",
          "never",
          "always");

  private PictureTargets() {}

  /** Pictures in every form that is read. */
  static FuzzTarget startImage(Path folder) throws IOException {
    Path file = folder.resolve("start");
    List<byte[]> examples = new ArrayList<>(pictures());
    for (String form : List.of("gif", "bmp")) {
      BufferedImage image = new BufferedImage(8, 8, BufferedImage.TYPE_INT_RGB);
      ByteArrayOutputStream written = new ByteArrayOutputStream();
      if (ImageIO.write(image, form, written)) {
        examples.add(written.toByteArray());
      }
    }
    return new FuzzTarget(
        examples,
        PictureTargets::changed,
        bytes -> RgbImage.read(Files.write(file, bytes)).resized(16, 16));
  }

  private static byte[] changed(byte[] example, Choices choices) {
    boolean isPng = example[1] == 'P';
    return (isPng ? new PngMutation() : Mutation.BYTES).change(example, choices);
  }

  /** Texts of pictures: whatever their chunks hold. */
  static FuzzTarget pictureTexts(Path folder) throws IOException {
    Path file = folder.resolve("picture");
    return new FuzzTarget(
        pictures(),
        PictureTargets::changed,
        bytes -> {
          ImageFormat.texts(Files.write(file, bytes));
          GenerationRecord.read(file);
        });
  }

  /** The record in a picture that is whole. */
  static FuzzTarget settings(Path folder) throws IOException {
    Path file = folder.resolve("picture.png");
    RgbImage picture = RgbImage.of(1, 1, new int[1]);
    byte[] example =
        ImageFormat.texts(TestData.path("golden/cases/standard-128-0.png"))
            .getOrDefault("urae", record())
            .getBytes(StandardCharsets.UTF_8);
    return new FuzzTarget(
        List.of(example),
        new JsonMutation(WORDS),
        bytes -> {
          String text = new String(bytes, StandardCharsets.UTF_8);
          ByteArrayOutputStream written = new ByteArrayOutputStream();
          ImageFormat.PNG.write(picture, Map.of("urae", text), written);
          GenerationRequest.of(Files.write(file, written.toByteArray()));
        });
  }

  private static String record() {
    return """
        {"request": %s, "model": "flux-tiny", "adapters": [{"name": "a", "scale": 1.0}],
         "device": "CPU", "element_type": "F32",
         "passes": [{"width": 64, "height": 64, "steps": 2}], "decoded_in_tiles": false}"""
        .formatted(request());
  }

  static FuzzTarget request(Path folder) {
    return new FuzzTarget(
        List.of(request().getBytes(StandardCharsets.UTF_8)),
        new JsonMutation(WORDS),
        bytes -> {
          String json = new String(bytes, StandardCharsets.UTF_8);
          GenerationRequest request = GenerationRequest.fromJson(json);
          GenerationRequest.fromJson(request.toJson());
        });
  }

  private static String request() {
    return GenerationRequest.builder("a cat").width(64).height(64).steps(2).build().toJson();
  }

  private static List<byte[]> pictures() throws IOException {
    RgbImage picture = RgbImage.of(16, 16, new int[256]);
    List<byte[]> pictures = new ArrayList<>();
    for (ImageFormat format : ImageFormat.values()) {
      ByteArrayOutputStream written = new ByteArrayOutputStream();
      format.write(picture, Map.of("urae", record(), "key", "value"), written);
      pictures.add(written.toByteArray());
    }
    return pictures;
  }
}
