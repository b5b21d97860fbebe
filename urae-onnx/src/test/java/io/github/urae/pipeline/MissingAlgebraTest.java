package io.github.urae.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.urae.AdapterException;
import io.github.urae.device.Device;
import io.github.urae.device.Precision;
import io.github.urae.testkit.TestData;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** URAE's 4K adapter where urae-openblas is not among an application's dependencies. */
class MissingAlgebraTest {

  @TempDir Path folder;

  /** Opens a pipeline and prints its stages; the argument is the cache folder. */
  public static void main(String[] arguments) throws IOException {
    try {
      open(Path.of(arguments[0]), Path.of(arguments[1]));
    } catch (AdapterException e) {
      System.out.println(e.getMessage());
    }
  }

  private static void open(Path checkpoint, Path cacheFolder) throws IOException {
    FluxPipeline.builder()
        .model(checkpoint)
        .adapter(TestData.adapter2k())
        .adapter(TestData.adapter4k())
        .device(Device.cpu())
        .precision(Precision.FLOAT32)
        .cacheFolder(cacheFolder)
        .listener(progress -> System.out.println(progress.stage()))
        .build()
        .close();
  }

  private List<String> runWithoutAlgebra() throws Exception {
    String classPath =
        Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator, -1))
            .filter(entry -> !entry.contains("openblas"))
            .collect(Collectors.joining(File.pathSeparator));
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-cp",
                classPath,
                MissingAlgebraTest.class.getName(),
                TestData.checkpoint().toString(),
                folder.toString())
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    try (BufferedReader reader = process.inputReader(StandardCharsets.UTF_8)) {
      List<String> lines = new ArrayList<>(reader.lines().toList());
      assertThat(process.waitFor()).isZero();
      return lines;
    }
  }

  /** Converting FLUX.1's weights takes minutes. */
  @Test
  void isNoticedBeforeAnythingIsConverted() throws Exception {
    assertThat(runWithoutAlgebra())
        .singleElement()
        .asString()
        .contains("io.github.urae:urae-openblas");
  }

  @Test
  void isNotMissedWhereTheWeightsAreMergedAlready() throws Exception {
    open(TestData.checkpoint(), folder);
    assertThat(runWithoutAlgebra()).contains("LOADING").doesNotContain("MERGING");
  }
}
