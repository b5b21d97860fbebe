package io.github.urae.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.urae.testkit.TestData;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** The command with little memory, without streams, terminal or home: right, or a clear error. */
@EnabledOnOs(OS.LINUX)
class HostileSurroundingsTest {

  @TempDir Path folder;

  /** Runs a line of the shell in which URAE stands for the command, and returns what it said. */
  private String run(int status, String line) throws IOException, InterruptedException {
    String java =
        Path.of(System.getProperty("java.home"), "bin", "java") + " -XX:TieredStopAtLevel=1 ";
    Path said = Files.createTempFile(folder, "said", null);
    ProcessBuilder shell =
        new ProcessBuilder(List.of("bash", "-c", line))
            .directory(folder.toFile())
            .redirectErrorStream(true)
            .redirectOutput(said.toFile());
    shell.environment().put("JAVA", java);
    shell.environment().put("CLASSPATH", System.getProperty("java.class.path"));
    shell.environment().put("URAE", "io.github.urae.cli.UraeCommand");
    shell
        .environment()
        .put(
            "DRAW",
            "generate star --width 64 --height 64 --steps 1 --output a.png --cache-dir "
                + TestData.CACHE);
    Process process = shell.start();
    if (!process.waitFor(10, TimeUnit.MINUTES)) {
      process.destroyForcibly();
      throw new AssertionError("no end: " + Files.readString(said));
    }
    String text = Files.readString(said, StandardCharsets.UTF_8);
    assertThat(process.exitValue()).as(text).isEqualTo(status);
    assertThat(text).doesNotContain("\tat ").doesNotContain("Exception");
    return text;
  }

  @Test
  void drawsWithLittleMemory() throws Exception {
    run(0, "$JAVA -Xmx64m $URAE $DRAW");
    assertThat(folder.resolve("a.png")).isNotEmptyFile();
  }

  @Test
  void tooLittleMemoryIsNamedWithTheWayOut() throws Exception {
    assertThat(run(1, "$JAVA -Xmx8m $URAE $DRAW"))
        .contains("out of memory")
        .contains("8 MB")
        .contains("URAE_JAVA_OPTS=-Xmx512m");
    assertThat(run(1, "$JAVA -Xmx64m $URAE $DRAW --images 50000"))
        .contains("50000 images")
        .contains("-Xmx");
  }

  @Test
  void anOutputThatTakesNothingIsAnError() throws Exception {
    assertThat(run(1, "$JAVA $URAE --help > /dev/full")).contains("standard output");
    assertThat(run(1, "$JAVA $URAE inspect " + TestData.adapter2k() + " >&-"))
        .contains("standard output");
  }

  @Test
  void drawsWithoutStreamsTerminalAndHome() throws Exception {
    run(0, "env -u HOME TERM=dumb COLUMNS=0 $JAVA $URAE $DRAW <&- 2>&-");
    assertThat(folder.resolve("a.png")).isNotEmptyFile();
  }

  @Test
  void longAndStrangeArgumentsAreTaken() throws Exception {
    run(0, "LC_ALL=C.UTF-8 $JAVA $URAE ${DRAW/--output a.png/} --output $'x\\ny *?\"<>|.png'");
    assertThat(folder.resolve("x\ny *?\"<>|.png")).isNotEmptyFile();
    run(0, "$JAVA $URAE generate \"$(printf 'star %.0s' {1..20000})\" ${DRAW/generate star/}");
    run(2, "$JAVA $URAE ${DRAW/star/$'a\\xff\\xfe'}");
  }
}
