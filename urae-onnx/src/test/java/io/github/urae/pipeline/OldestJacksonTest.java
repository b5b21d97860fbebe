package io.github.urae.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import com.fasterxml.jackson.core.json.PackageVersion;
import io.github.urae.flux.GeneratedImage;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.testkit.TestData;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** An application may have an older Jackson than this build: the oldest that is promised. */
class OldestJacksonTest {

  /** The build copies it there. */
  private static final Path JARS = Path.of("target", "jackson-oldest");

  @TempDir Path folder;

  @Test
  void drawsAndReadsItsPicture() throws Exception {
    assumeThat(JARS).as("of a build by Maven").isDirectory();
    List<String> path = new ArrayList<>(jars());
    Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator, -1))
        .filter(entry -> !entry.matches(".*jackson-(core|databind|annotations)-[^/]*\\.jar"))
        .forEach(path::add);
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-cp",
                String.join(File.pathSeparator, path),
                Program.class.getName(),
                TestData.checkpoint().toString(),
                TestData.adapter2k().toString(),
                TestData.CACHE.toString(),
                folder.resolve("picture.png").toString())
            .redirectErrorStream(true)
            .start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(said).isZero();
    assertThat(said).endsWith("drawn with Jackson 2.15.2" + System.lineSeparator());
  }

  private static List<String> jars() throws IOException {
    try (Stream<Path> files = Files.list(JARS)) {
      return files.map(Path::toString).toList();
    }
  }

  /**
   * Reads whatever is JSON: configurations, tokenizers, headers, an adapter, requests, a record.
   */
  static final class Program {

    public static void main(String[] arguments) throws Exception {
      Path picture = Path.of(arguments[3]);
      GenerationRequest request =
          GenerationRequest.fromJson(
              GenerationRequest.builder("a").size(64, 64).steps(1).seed(1).build().toJson());
      try (FluxPipeline pipeline =
          FluxPipeline.builder()
              .model(Path.of(arguments[0]))
              .adapter(Path.of(arguments[1]))
              .cacheFolder(Path.of(arguments[2]))
              .build()) {
        GeneratedImage image = pipeline.generate(request).get(0);
        image.save(picture);
        if (!GenerationRequest.of(picture).equals(image.request())) {
          throw new AssertionError("another request");
        }
      }
      System.out.println("drawn with Jackson " + PackageVersion.VERSION);
    }
  }
}
