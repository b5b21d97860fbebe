package io.github.urae.cli.train;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.urae.testkit.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** The command in processes of its own, as the start script calls it. */
class TrainCommandTest {

  @TempDir Path folder;

  private Process start(String... arguments) throws IOException {
    List<String> command = new ArrayList<>();
    command.addAll(
        List.of(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-XX:TieredStopAtLevel=1",
            "-cp",
            System.getProperty("java.class.path"),
            "io.github.urae.cli.UraeCommand",
            "train"));
    command.addAll(Arrays.asList(arguments));
    command.addAll(List.of("--cache-dir", TestData.CACHE.toString()));
    return new ProcessBuilder(command)
        .redirectOutput(folder.resolve("out").toFile())
        .redirectError(folder.resolve("err").toFile())
        .start();
  }

  private int run(String... arguments) throws Exception {
    Process process = start(arguments);
    assertThat(process.waitFor(15, TimeUnit.MINUTES)).isTrue();
    return process.exitValue();
  }

  private String out() throws IOException {
    return Files.readString(folder.resolve("out"));
  }

  private String err() throws IOException {
    return Files.readString(folder.resolve("err"));
  }

  /** Pictures with captions become an adapter. */
  @Test
  void fromPicturesToAnAdapter() throws Exception {
    Path data = Files.createDirectory(folder.resolve("data"));
    for (String name : List.of("image_0", "image_1", "image_2")) {
      Files.copy(TestData.path("training/data/" + name + ".jpg"), data.resolve(name + ".jpg"));
      Files.writeString(data.resolve(name + ".txt"), "a picture");
    }
    Files.writeString(data.resolve("broken.png"), "no picture");
    Files.writeString(data.resolve("broken.txt"), "nothing");
    String model = TestData.checkpoint().toString();
    assertThat(run("prepare", "--model", model, "--data", data.toString(), "--resolution", "128"))
        .as(err())
        .isZero();
    assertThat(out()).contains("3 pictures to train on: 3 encoded");
    assertThat(err()).contains("broken.png");
    Path output = folder.resolve("output");
    assertThat(
            run(
                "lora",
                "--model",
                model,
                "--data",
                data.toString(),
                "--output",
                output.toString(),
                "--rank=2",
                "--steps=2",
                "--held-out=1",
                "--threads=1",
                "--optimizer=adamw",
                "--weighting-scheme=logit_normal",
                "--json"))
        .as(err())
        .isZero();
    assertThat(out()).contains("adapter.safetensors", "\"step\" : 2", "held_out_loss");
    assertThat(err()).contains("step 2 of 2: loss", "saved");
    assertThat(output.resolve("adapter.safetensors")).exists();
    assertThat(
            run(
                "lora",
                "--model",
                model,
                "--data",
                data.toString(),
                "--output",
                output.toString(),
                "--rank=3",
                "--held-out=1",
                "--resume=latest"))
        .isEqualTo(1);
    assertThat(err()).contains("rank 2, not 3");
    assertThat(run("lora", "--model", model, "--data", data.toString(), "--output=x", "--rank=0"))
        .isEqualTo(2);
    assertThat(err()).contains("rank", "found 0");
  }

  /** Termination saves what was trained. */
  @Test
  @EnabledOnOs(OS.LINUX)
  void aSignalSavesAndEnds() throws Exception {
    Path output = folder.resolve("output");
    Process process =
        start(
            "lora",
            "--model",
            TestData.checkpoint().toString(),
            "--data",
            TestData.path("training/data").toString(),
            "--output",
            output.toString(),
            "--threads=1");
    long end = System.nanoTime() + TimeUnit.MINUTES.toNanos(10);
    while (process.isAlive() && !err().contains("step 1 of 2000") && System.nanoTime() - end < 0) {
      Thread.sleep(20);
    }
    new ProcessBuilder("kill", "-TERM", Long.toString(process.pid())).start().waitFor();
    assertThat(process.waitFor(10, TimeUnit.MINUTES)).isTrue();
    assertThat(process.exitValue()).as(err()).isEqualTo(143);
    assertThat(err()).contains("interrupted; what was trained is saved", "--resume latest");
    try (Stream<Path> entries = Files.list(output)) {
      assertThat(entries.map(entry -> entry.getFileName().toString()))
          .anyMatch(name -> name.startsWith("checkpoint-"))
          .noneMatch(name -> name.equals("adapter.safetensors"));
    }
  }
}
