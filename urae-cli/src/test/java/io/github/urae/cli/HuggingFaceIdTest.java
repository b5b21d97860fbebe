package io.github.urae.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.urae.testkit.TestData;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Ids on the command line, in a process whose environment says where the cache lies. */
class HuggingFaceIdTest {

  private static final String COMMIT = "3de623fc3c33e44ffbe2bad470d0f45bccf2eb21";

  @TempDir Path hub;

  @Test
  void aPictureIsDrawnOfIds() throws Exception {
    download("org/tiny", TestData.checkpoint());
    download("org/adapters", TestData.adapter2k().getParent());
    Path picture = hub.resolve("picture.png");
    String adapter = "org/adapters:" + TestData.adapter2k().getFileName() + "=0.5";
    String said =
        urae(
            0,
            List.of("generate", "a star", "--width", "64", "--height", "64", "--steps", "1"),
            List.of("--model", "org/tiny", "--adapter", adapter, "--output", picture.toString()));
    assertThat(picture).as(said).isNotEmptyFile();
    assertThat(urae(0, List.of("inspect", picture.toString()), List.of())).contains("org/tiny");
  }

  @Test
  void whatWasNotDownloadedIsRefused() throws Exception {
    assertThat(urae(1, List.of("inspect", "org/missing"), List.of()))
        .contains("'hf download org/missing'")
        .contains(hub.toString());
  }

  private void download(String repository, Path source) throws IOException {
    Path folder = hub.resolve("models--" + repository.replace("/", "--"));
    Path blobs = Files.createDirectories(folder.resolve("blobs"));
    Path snapshot = folder.resolve("snapshots").resolve(COMMIT);
    Files.createDirectories(folder.resolve("refs"));
    Files.writeString(folder.resolve("refs/main"), COMMIT);
    try (Stream<Path> files = Files.walk(source)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        Path link = snapshot.resolve(source.relativize(file).toString());
        Path blob = blobs.resolve(source.relativize(file).toString().replace('/', '-'));
        Files.copy(file, blob);
        Files.createDirectories(link.getParent());
        Files.createSymbolicLink(link, link.getParent().relativize(blob));
      }
    }
  }

  private String urae(int status, List<String> arguments, List<String> more) throws Exception {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                "io.github.urae.cli.UraeCommand"));
    command.addAll(arguments);
    command.addAll(more);
    command.addAll(List.of("--cache-dir", TestData.CACHE.toAbsolutePath().toString()));
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().put("HF_HUB_CACHE", hub.toString());
    Process process = builder.start();
    process.getOutputStream().close();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(said).isEqualTo(status);
    return said;
  }
}
