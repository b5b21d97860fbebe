package io.github.urae.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.urae.demo.DemoModel;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Exports and single files on the command line. */
class ExportCommandTest {

  private static final String CACHE = Path.of("target", "test-cache").toAbsolutePath().toString();

  @TempDir Path folder;

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int run(String... arguments) {
    List<String> all = new ArrayList<>(Arrays.asList(arguments));
    all.addAll(List.of("--cache-dir", CACHE));
    return UraeCommand.run(
        new PrintWriter(out, true), new PrintWriter(err, true), all.toArray(new String[0]));
  }

  private BufferedImage draw(String name, String... more) throws IOException {
    Path file = folder.resolve(name + ".png");
    List<String> arguments =
        new ArrayList<>(
            List.of("generate", "a star", "--width", "64", "--height", "64", "--steps", "2"));
    arguments.addAll(List.of("--seed", "3", "--device", "cpu", "--output", file.toString()));
    arguments.addAll(Arrays.asList(more));
    assertThat(run(arguments.toArray(new String[0]))).as(err.toString()).isZero();
    return ImageIO.read(file.toFile());
  }

  private static int difference(BufferedImage a, BufferedImage b) {
    int largest = 0;
    for (int y = 0; y < a.getHeight(); y++) {
      for (int x = 0; x < a.getWidth(); x++) {
        for (int shift = 0; shift < 24; shift += 8) {
          int one = (a.getRGB(x, y) >> shift) & 0xFF;
          int other = (b.getRGB(x, y) >> shift) & 0xFF;
          largest = Math.max(largest, Math.abs(one - other));
        }
      }
    }
    return largest;
  }

  @Test
  void exportsDrawWhatTheCheckpointDraws() throws IOException {
    String export = folder.resolve("export").toString();
    assertThat(run("export", "--adapter", "demo:2k", "--output", export))
        .as(err.toString())
        .isZero();
    assertThat(out.toString()).contains(export);
    assertThat(err.toString()).contains("adapters 1", "dtype F32", "profile standard");

    BufferedImage expected = draw("checkpoint", "--adapter", "demo:2k");
    assertThat(difference(expected, draw("export", "--model", export))).isLessThanOrEqualTo(1);
    assertThat(difference(expected, draw("without"))).isGreaterThan(1);

    out.getBuffer().setLength(0);
    assertThat(run("inspect", export, "--json")).as(err.toString()).isZero();
    JsonNode json = new ObjectMapper().readTree(out.toString());
    assertThat(json.get("kind").asText()).isEqualTo("FLUX.1 as ONNX exports");
    JsonNode transformer = json.get("transformer");
    assertThat(transformer.get("parameters").asText()).isEqualTo("140 of 140 recovered");
    assertThat(transformer.get("patterns").get("attention").asText()).isEqualTo("6 of 6");
    assertThat(transformer.get("runs").asText()).startsWith("rewritten");

    out.getBuffer().setLength(0);
    assertThat(run("inspect", "demo:4k", "--model", export, "--json")).isZero();
    json = new ObjectMapper().readTree(out.toString());
    assertThat(json.get("weights changed").get("transformer").asInt()).isEqualTo(20);
    assertThat(json.get("would not apply")).isEmpty();
  }

  @Test
  void theTransformerMayComeFromElsewhere() throws IOException {
    Path checkpoint = DemoModel.unpackInto(Path.of(CACHE)).checkpoint();
    Path index = checkpoint.resolve("transformer/diffusion_pytorch_model.safetensors.index.json");
    assertThat(difference(draw("own"), draw("other", "--transformer", index.toString()))).isZero();
    Path missing = folder.resolve("none.safetensors");
    assertThat(run("generate", "a star", "--transformer", missing.toString())).isEqualTo(1);
    assertThat(err.toString()).contains("none.safetensors");
  }

  @Test
  void wrongUsage() {
    assertThat(run("export")).isEqualTo(2);
    assertThat(run("export", "--output", "x", "--profile", "auto")).isEqualTo(2);
    assertThat(run("export", "--output", "x", "--dtype", "f8")).isEqualTo(2);
  }
}
