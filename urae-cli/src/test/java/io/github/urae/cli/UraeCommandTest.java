package io.github.urae.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.Profile;
import io.github.urae.flux.TrueGuidance;
import io.github.urae.flux.arithmetic.TimestepShift;
import io.github.urae.image.ImageFormat;
import io.github.urae.image.RgbImage;
import io.github.urae.testkit.TestData;
import io.github.urae.weights.SafetensorsFile;
import java.io.File;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class UraeCommandTest {

  private static final String CACHE = Path.of("target", "test-cache").toAbsolutePath().toString();

  @TempDir Path folder;

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int run(String... arguments) {
    return UraeCommand.run(new PrintWriter(out, true), new PrintWriter(err, true), arguments);
  }

  /** Draws small pictures, with further arguments. */
  private int generate(String... more) {
    List<String> arguments =
        new ArrayList<>(
            List.of("generate", "--cache-dir", CACHE, "--device", "cpu", "--height", "48"));
    arguments.addAll(Arrays.asList(more));
    for (String small : List.of("--steps=1", "--width=64")) {
      if (arguments.stream().noneMatch(a -> a.startsWith(small.substring(0, 7)))) {
        arguments.add(small);
      }
    }
    return run(arguments.toArray(new String[0]));
  }

  private List<String> filesInFolder() throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(f -> f.getFileName().toString()).sorted().toList();
    }
  }

  @Test
  void drawsAPictureWithTheBundledCheckpoint() throws IOException {
    Path file = folder.resolve("star.png");
    assertThat(generate("a star", "--output", file.toString(), "--seed", "3")).isZero();
    assertThat(ImageIO.read(file.toFile()).getWidth()).isEqualTo(64);
    assertThat(ImageIO.read(file.toFile()).getHeight()).isEqualTo(48);
    assertThat(out.toString()).isEqualToIgnoringNewLines(file.toString());
    assertThat(err.toString()).contains("64x48, 1 steps, standard profile, seed 3");
    assertThat(filesInFolder()).containsExactly("star.png");
  }

  @Test
  void numbersSeveralPictures() throws IOException {
    String file = folder.resolve("a.b.PNG").toString();
    assertThat(generate("one", "two", "--images", "2", "--output", file, "--quiet")).isZero();
    assertThat(filesInFolder()).containsExactly("a.b-0.PNG", "a.b-1.PNG", "a.b-2.PNG", "a.b-3.PNG");
    assertThat(out.toString() + err).isEmpty();
  }

  @Test
  void wordsThatAreNotReadAreTold() throws IOException {
    String file = folder.resolve("a.png").toString();
    String prompt = "a star ".repeat(6) + "the Last words";
    assertThat(generate(prompt, "--output", file, "--max-sequence-length", "12")).isZero();
    assertThat(err.toString())
        .containsPattern(
            "urae: note: T5 reads 12 tokens of a prompt at most; not read: .*the Last words\\R")
        .doesNotContain("CLIP");
  }

  @Test
  void latentsInAndOut() throws IOException {
    Path latents = folder.resolve("l.safetensors");
    String file = folder.resolve("a.png").toString();
    assertThat(
            generate("a", "--images", "2", "--output", file, "--latents-out", latents.toString()))
        .isZero();
    try (SafetensorsFile open = SafetensorsFile.open(latents)) {
      assertThat(open.tensor("latents").shape().toArray()).containsExactly(2, 12, 64);
    }
    assertThat(generate("a", "--images", "2", "--output", file, "--latents-in", latents.toString()))
        .isZero();
    assertThat(generate("a", "--output", file, "--latents-in", latents.toString())).isEqualTo(1);
    assertThat(err.toString()).contains("latents: expected").contains("[1, tokens, 64]");
  }

  @Test
  void everySettingArrivesInThePicture() throws IOException {
    String file = folder.resolve("a.png").toString();
    assertThat(
            generate(
                "a",
                "--output",
                file,
                "--prompt-2",
                "b",
                "--guidance",
                "2",
                "--seed",
                "9",
                "--max-sequence-length",
                "16",
                "--profile",
                "ultra",
                "--ntk-factor",
                "4",
                "--native-tokens",
                "99",
                "--shift",
                "2.5",
                "--threads",
                "1",
                "--batch-size",
                "2"))
        .isZero();
    assertThat(run("inspect", file, "--json")).isZero();
    JsonNode settings = new ObjectMapper().readTree(lastJson()).get("settings");
    assertThat(settings.get("prompt").textValue()).isEqualTo("a");
    assertThat(settings.get("prompt_2").textValue()).isEqualTo("b");
    assertThat(settings.get("guidance").textValue()).isEqualTo("2.0");
    assertThat(settings.get("seed").textValue()).isEqualTo("9");
    assertThat(settings.get("max_sequence_length").textValue()).isEqualTo("16");
    assertThat(settings.get("profile").textValue()).isEqualTo("ultra");
    assertThat(settings.get("ntk_factor").textValue()).isEqualTo("4.0");
    assertThat(settings.get("native_tokens").textValue()).isEqualTo("99");
    assertThat(settings.get("shift").textValue()).isEqualTo("static 2.5");
    assertThat(settings.get("proportional_attention").textValue()).isEqualTo("true");
  }

  @Test
  void picturesFromPictures() throws IOException {
    String start = folder.resolve("start.png").toString();
    String file = folder.resolve("a.png").toString();
    assertThat(generate("a star", "--output", start)).isZero();
    assertThat(generate("a", "--output", file, "--image", start, "--strength", "1", "--steps=2"))
        .isZero();
    assertThat(run("inspect", file, "--json")).isZero();
    JsonNode settings = new ObjectMapper().readTree(lastJson()).get("settings");
    assertThat(settings.get("start").textValue()).isEqualTo("image of 64x48");
    assertThat(settings.get("strength").textValue()).isEqualTo("1.0");
    assertThat(settings.get("steps_run").textValue()).isEqualTo("2");
    assertThat(settings.get("vae").textValue()).isEqualTo("whole");
    assertThat(
            run(
                "generate",
                "a",
                "--cache-dir",
                CACHE,
                "--device=cpu",
                "--width=160",
                "--height=144",
                "--steps=3",
                "--coarse-to-fine",
                "--vae-tiling=on",
                "--negative-prompt=a ring",
                "--output",
                file))
        .isZero();
    out.getBuffer().setLength(0);
    assertThat(run("inspect", file, "--json")).isZero();
    settings = new ObjectMapper().readTree(lastJson()).get("settings");
    assertThat(settings.get("start").textValue()).isEqualTo("draft of 128x128 in 3 steps");
    assertThat(settings.get("steps_run").textValue()).isEqualTo("1");
    assertThat(settings.get("vae").textValue()).isEqualTo("tiles");
    assertThat(settings.get("negative_prompt").textValue()).isEqualTo("a ring");
    assertThat(settings.get("true_cfg").textValue()).isEqualTo("2.0");
  }

  @Test
  void drawsAPictureAgain() throws IOException {
    String file = folder.resolve("a.png").toString();
    String again = folder.resolve("b.png").toString();
    assertThat(
            generate(
                "a star",
                "--images=2",
                "--seed=18446744073709551615",
                "--guidance=2",
                "--adapter=demo:2k=0.5",
                "--output",
                file))
        .isZero();
    assertThat(err.toString()).contains("seed 18446744073709551615");
    String second = folder.resolve("a-1.png").toString();
    err.getBuffer().setLength(0);
    assertThat(draw("--from", second, "--adapter=demo:2k=0.5", "--output", again)).isZero();
    assertThat(ImageIO.read(new File(again)).getWidth()).isEqualTo(64);
    assertThat(RgbImage.read(Path.of(again))).isEqualTo(RgbImage.read(Path.of(second)));
    assertThat(err.toString()).doesNotContain("note:");

    assertThat(draw("--from", second, "--output", again)).isZero();
    assertThat(RgbImage.read(Path.of(again))).isNotEqualTo(RgbImage.read(Path.of(second)));
    assertThat(err.toString())
        .contains("was drawn with adapters [urae_2k_adapter.safetensors=0.5], now []");
    assertThat(run("inspect", second)).isZero();
    assertThat(out.toString())
        .contains("draw again: urae generate --from " + second)
        .contains("size: 64x48")
        .contains("seed: 18446744073709551615")
        .doesNotContain("{");
  }

  /** No list of arguments is taken from a file that a prompt happens to name. */
  @Test
  void aPromptMayBeginWithAnAt() throws IOException {
    Path list = Files.writeString(folder.resolve("list"), "a b c");
    Path file = folder.resolve("at.png");
    assertThat(generate("@" + list, "--output", file.toString(), "--seed=1")).isZero();
    assertThat(GenerationRequest.of(file).prompts().count()).isEqualTo(1);
    assertThat(ImageFormat.texts(file)).containsEntry("prompt", "@" + list);
  }

  @Test
  void waysToSampleAreOptions() throws IOException {
    Path file = folder.resolve("karras.png");
    assertThat(generate("a", "--output", file.toString(), "--sigmas=karras", "--solver", "heun"))
        .isZero();
    assertThat(ImageFormat.texts(file))
        .containsEntry("sigmas", "karras")
        .containsEntry("solver", "heun");
    assertThat(generate("a", "--output", file.toString(), "--sigmas=sideways")).isEqualTo(2);
    assertThat(err.toString()).contains("--sigmas").contains("KARRAS");
  }

  @Test
  void optionsOverrideWhatAPictureTells() throws IOException {
    String file = folder.resolve("a.png").toString();
    String again = folder.resolve("b.jpg").toString();
    assertThat(generate("a star", "--images=2", "--seed=3", "--shift=2", "--output", file))
        .isZero();
    String second = folder.resolve("a-1.png").toString();
    assertThat(draw("a ring", "--from", second, "--steps=2", "--output", again)).isZero();
    GenerationRequest before = GenerationRequest.of(Path.of(second));
    GenerationRequest after = GenerationRequest.of(Path.of(again));
    assertThat(before.profile().shift()).hasValue(new TimestepShift.Static(2));
    assertThat(after)
        .isEqualTo(
            before.toBuilder().prompts(List.of("a ring")).maxSequenceLength(32).steps(2).build());
    // The profile goes by the size, so that another size chooses it anew.
    assertThat(draw("--from", second, "--width=144", "--height=144", "--output", again)).isZero();
    GenerationRequest large = GenerationRequest.of(Path.of(again));
    assertThat(large.profile().choice()).isEqualTo(Profile.Choice.ULTRA);
    assertThat(large.seeds()).isEqualTo(before.seeds());
    assertThat(draw("--from", second, "--images=2", "--output", file)).isZero();
    assertThat(RgbImage.read(Path.of(second))).isEqualTo(RgbImage.read(folder.resolve("a-1.png")));
  }

  @Test
  void anotherNegativePromptKeepsTheScaleThatAPictureTells() throws IOException {
    String file = folder.resolve("a.png").toString();
    String again = folder.resolve("b.png").toString();
    assertThat(generate("a", "--negative-prompt=a ring", "--true-cfg=3", "--output", file))
        .isZero();
    assertThat(draw("--from", file, "--negative-prompt=a boat", "--output", again)).isZero();
    assertThat(GenerationRequest.of(Path.of(again)).trueGuidance())
        .hasValue(new TrueGuidance(List.of("a boat"), 3));
    // A scale that does nothing is none to keep.
    assertThat(generate("a", "--negative-prompt=a ring", "--true-cfg=1", "--output", file))
        .isZero();
    assertThat(draw("--from", file, "--negative-prompt=a boat", "--output", again)).isZero();
    assertThat(GenerationRequest.of(Path.of(again)).trueGuidance())
        .hasValue(new TrueGuidance(List.of("a boat"), TrueGuidance.DEFAULT_SCALE));
  }

  @Test
  void whatAPictureOnlyNamesIsAskedFor() throws IOException {
    String start = folder.resolve("start.png").toString();
    String other = folder.resolve("other.png").toString();
    String file = folder.resolve("a.png").toString();
    String again = folder.resolve("b.png").toString();
    assertThat(generate("a star", "--output", start, "--seed=1")).isZero();
    assertThat(generate("a star", "--output", other, "--seed=2")).isZero();
    assertThat(generate("a", "--output", file, "--image", start, "--strength=1")).isZero();
    err.getBuffer().setLength(0);
    assertThat(draw("--from", file, "--output", again)).isEqualTo(1);
    assertThat(err.toString())
        .contains("only named here (64x48 pixels")
        .contains("a picture with --image")
        .hasLineCount(1);
    assertThat(draw("--from", file, "--image", start, "--output", again)).isZero();
    assertThat(RgbImage.read(Path.of(again))).isEqualTo(RgbImage.read(Path.of(file)));
    assertThat(err.toString()).doesNotContain("note:");
    assertThat(draw("--from", file, "--image", other, "--output", again)).isZero();
    assertThat(err.toString()).contains("request.start.image is not what " + file);
    assertThat(draw("--from", "/proc/version", "--output", again)).isEqualTo(1);
    assertThat(err.toString()).contains("expected a PNG, JPEG, TIFF or WebP file");
  }

  /** Draws with what is given alone. */
  private int draw(String... arguments) {
    return run(
        Stream.of(new String[] {"generate", "--cache-dir", CACHE, "--device=cpu"}, arguments)
            .flatMap(Stream::of)
            .toArray(String[]::new));
  }

  private String lastJson() {
    return out.toString().substring(out.toString().indexOf('{'));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "nonsense",
        "generate",
        "generate a --steps x",
        "generate a --device gpu",
        "generate a --profile mega",
        "generate a --memory-limit much",
        "generate a --memory-limit 0",
        "generate a --memory-limit 8388608T",
        "generate a --threads 0",
        "generate a --strength 0.5",
        "generate a --negative-prompt b --true-cfg x",
        "generate a --true-cfg 2",
        "generate a --vae-tiling maybe",
        "generate a --output a.gif",
        "generate a --output a",
        "generate a --seed 18446744073709551616",
        "generate a --image a.png --coarse-to-fine",
        "generate a --unknown",
        "inspect",
        "inspect --quiet demo:2k"
      })
  void wrongUsageEndsWithTwo(String line) {
    assertThat(run(line.isEmpty() ? new String[0] : line.split(" ", -1))).isEqualTo(2);
    assertThat(err.toString()).contains("urae");
  }

  @ParameterizedTest
  @CsvSource({
    "--steps=0, steps: expected 1 or more",
    "--width=65, multiple of 16",
    "--guidance=NaN, guidance: expected a finite number",
    "--images=0, images per prompt",
    "--max-sequence-length=65, 1 to 32 tokens",
    "--memory-limit=1K, more than the memory limit",
    "--model=/nonexistent/model, /nonexistent/model",
    "--image=/nonexistent/file, /nonexistent/file: no such file",
    "--image=/proc/version, expected a picture",
    "--coarse-to-fine, above the native area",
    "--latents-in=/nonexistent/file, /nonexistent/file: no such file",
    "--latents-out=/nonexistent/file, no such folder",
    "--output=/nonexistent/a.png, no such folder",
    "--output=/proc/a.png, cannot be written"
  })
  void errorsAreOneLineAndEndWithOne(String argument, String message) throws IOException {
    String file = folder.resolve("a.png").toString();
    String[] arguments =
        argument.startsWith("--output")
            ? new String[] {"a", argument}
            : new String[] {"a", "--output", file, argument};
    assertThat(generate(arguments)).isEqualTo(1);
    assertThat(err.toString().strip()).startsWith("urae: ").contains(message).hasLineCount(1);
    assertThat(filesInFolder()).isEmpty();
  }

  @Test
  void plansWithoutDrawing() throws IOException {
    assertThat(generate("a", "--plan", "--width=512", "--output", folder + "/a.png")).isZero();
    assertThat(out.toString())
        .contains("512x48, 1 steps: 32 text and 96 image tokens, autoencoder as a whole")
        .contains("transformer ")
        .contains("MB at once");
    assertThat(filesInFolder()).isEmpty();
  }

  @Test
  void verboseShowsTheCause() {
    assertThat(run("inspect", folder.toString(), "--verbose")).isEqualTo(1);
    assertThat(err.toString()).contains("ModelException").contains("\tat ");
  }

  @Test
  void inspectsACheckpoint() throws IOException {
    Path checkpoint = TestData.checkpoint();
    assertThat(run("inspect", checkpoint.toString(), "--json")).isZero();
    JsonNode json = new ObjectMapper().readTree(out.toString());
    assertThat(json.get("kind").textValue()).isEqualTo("FLUX.1 checkpoint");
    assertThat(json.get("native size").textValue()).isEqualTo("128x128");
    assertThat(json.get("transformer").get("parameters").longValue()).isEqualTo(2_362_176);
    assertThat(json.get("transformer").get("files").intValue()).isEqualTo(3);
    assertThat(json.get("transformer").get("element types").get("BF16").intValue()).isEqualTo(140);
    assertThat(run("inspect", checkpoint.toString())).isZero();
    assertThat(out.toString()).contains("native size: 128x128").contains("  parameters: 2362176");
  }

  @Test
  void inspectsFilesOfWeights() throws IOException {
    Path gguf = TestData.path("quantised/files/flux-tiny-Q4_0.gguf");
    assertThat(run("inspect", gguf.toString(), "--json")).isZero();
    JsonNode json = new ObjectMapper().readTree(out.toString());
    assertThat(json.get("kind").textValue()).isEqualTo("GGUF");
    assertThat(json.get("element types").get("Q4_0").intValue()).isEqualTo(32);
    // 18 bytes for each 32 weights.
    assertThat(json.get("bytes by type").get("Q4_0").longValue()).isEqualTo(1_216_512);
    assertThat(json.get("networks").get("transformer").textValue())
        .contains("FLUX.1-dev", "2 double and 4 single blocks");
    assertThat(json.get("needs beside it").toString())
        .contains("--text-encoder-2 FILE", "--vae FILE", "--tokenizers")
        .doesNotContain("--transformer");
    assertThat(json.get("bytes of weights that run").get("as stored").longValue())
        .isEqualTo(json.get("bytes").longValue());
    Path model = TestData.checkpoint();
    assertThat(run("inspect", model.resolve("vae/diffusion_pytorch_model.safetensors").toString()))
        .isZero();
    assertThat(out.toString()).contains("vae: autoencoder: latents of 16 channels");
  }

  @Test
  void drawsWithPartsFromElsewhere() throws IOException {
    String model = TestData.checkpoint().toString();
    Path gguf = TestData.path("quantised/files/flux-tiny-Q4_0.gguf");
    Path picture = folder.resolve("parts.png");
    String[] parts = {
      "--transformer",
      gguf.toString(),
      "--text-encoder",
      model,
      "--text-encoder-2",
      model,
      "--vae",
      model,
      "--tokenizers",
      model
    };
    String[] command = {
      "generate",
      "a star",
      "--width",
      "64",
      "--height",
      "64",
      "--steps",
      "1",
      "--output",
      picture.toString(),
      "--cache-dir",
      TestData.CACHE.toString()
    };
    String[] all = Arrays.copyOf(command, command.length + parts.length);
    System.arraycopy(parts, 0, all, command.length, parts.length);
    assertThat(run(all)).isZero();
    assertThat(run("inspect", picture.toString())).isZero();
    assertThat(out.toString()).contains("flux-tiny-Q4_0.gguf");
    String missing = folder.resolve("none.gguf").toString();
    assertThat(run("generate", "a star", "--text-encoder", missing)).isEqualTo(1);
    assertThat(err.toString()).contains(missing);
  }

  @Test
  void inspectsWeights() throws IOException {
    Path checkpoint = TestData.checkpoint();
    assertThat(run("inspect", checkpoint.resolve("text_encoder/model.safetensors").toString()))
        .isZero();
    assertThat(out.toString())
        .contains("kind: safetensors")
        .contains("format: pt")
        .contains("text_model.final_layer_norm.bias: BF16 [64]");
  }

  @Test
  void refusesToInspectWhatItDoesNotKnow() throws IOException {
    Path text = Files.writeString(folder.resolve("a.txt"), "x");
    assertThat(run("inspect", text.toString())).isEqualTo(1);
    Path picture = Files.writeString(folder.resolve("a.png"), "x");
    assertThat(run("inspect", picture.toString())).isEqualTo(1);
    assertThat(err.toString())
        .contains("expected a checkpoint")
        .contains("expected a PNG, JPEG, TIFF or WebP file");
  }
}
