package io.github.urae.examples;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.urae.testkit.TestData;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Runs every program as a newcomer would, on the bundled checkpoint. */
class ExamplesTest {

  private static final String TEXT = "a red circle on a blue background";

  @TempDir Path folder;

  private static String model() {
    return TestData.checkpoint().toString();
  }

  private static String adapter() {
    return TestData.adapter2k().toString();
  }

  private String file(String name) {
    return folder.resolve(name).toString();
  }

  private static int side(String file) throws IOException {
    BufferedImage image = ImageIO.read(Path.of(file).toFile());
    assertThat(image.getHeight()).isEqualTo(image.getWidth());
    return image.getWidth();
  }

  private interface Program {
    void run(String[] arguments) throws Exception;
  }

  private static String run(Program program, String... arguments) throws Exception {
    PrintStream console = System.out;
    ByteArrayOutputStream said = new ByteArrayOutputStream();
    System.setOut(new PrintStream(said, true, StandardCharsets.UTF_8));
    try {
      program.run(arguments);
    } finally {
      System.setOut(console);
    }
    return said.toString(StandardCharsets.UTF_8);
  }

  @Test
  void textToImageAndImageToImage() throws Exception {
    run(TextToImage::main, model(), TEXT, file("circle.png"));
    assertThat(side(file("circle.png"))).isEqualTo(128);
    run(
        ImageToImage::main,
        model(),
        file("circle.png"),
        "a green star on a blue background",
        file("star.png"));
    assertThat(side(file("star.png"))).isEqualTo(128);
    assertThat(Path.of(file("star.png")))
        .as("drawn anew")
        .content(StandardCharsets.ISO_8859_1)
        .isNotEqualTo(Files.readString(Path.of(file("circle.png")), StandardCharsets.ISO_8859_1));
  }

  @Test
  void springBoot() throws Exception {
    run(DrawWithSpringBoot::main, model(), TEXT, file("spring.png"));
    assertThat(side(file("spring.png"))).isEqualTo(128);
  }

  @Test
  void langChain4j() throws Exception {
    run(DrawWithLangChain4j::main, model(), TEXT, "a green star", file("edited.png"));
    assertThat(side(file("edited.png"))).isEqualTo(128);
  }

  @Test
  void ultraResolution() throws Exception {
    String said = run(UltraResolution::main, model(), adapter(), TEXT, file("large.png"));
    assertThat(side(file("large.png"))).isEqualTo(256);
    assertThat(said).contains("MB", "denoising ", " s left");
  }

  @Test
  void cancelledGeneration() throws Exception {
    String said = run(CancelledGeneration::main, model(), TEXT, file("none.png"), "0");
    assertThat(said).isEqualTo("cancelled" + System.lineSeparator());
    assertThat(Path.of(file("none.png"))).doesNotExist();
    assertThat(run(CancelledGeneration::main, model(), TEXT, file("some.png"), "600")).isEmpty();
    assertThat(side(file("some.png"))).isEqualTo(128);
  }

  @Test
  void latentsBetweenSteps() throws Exception {
    run(LatentsBetweenSteps::main, model(), TEXT, file("even.png"));
    assertThat(side(file("even.png"))).isEqualTo(128);
  }

  @Test
  void mergedAndExportedModelsDraw() throws Exception {
    run(MergeAdapter::main, model(), adapter(), file("merged"));
    run(ExportToOnnx::main, file("merged"), file("exported"));
    assertThat(Path.of(file("exported"), "transformer", "model.onnx")).isNotEmptyFile();
    run(TextToImage::main, file("exported"), TEXT, file("exported.png"));
    assertThat(side(file("exported.png"))).isEqualTo(128);
  }

  /** None is forgotten here. */
  @Test
  void everyProgramIsRun() throws IOException {
    String tests =
        Files.readString(
            Path.of("src/test/java/io/github/urae/examples/ExamplesTest.java"),
            StandardCharsets.UTF_8);
    try (Stream<Path> files = Files.list(Path.of("src/main/java/io/github/urae/examples"))) {
      List<String> programs =
          files
              .map(file -> file.getFileName().toString().replace(".java", ""))
              .filter(name -> !name.equals("package-info"))
              .toList();
      assertThat(programs).isNotEmpty();
      assertThat(programs)
          .allMatch(
              name ->
                  tests.contains("run(" + name + "::main")
                      || tests.contains("run(\n        " + name + "::main"));
    }
  }
}
