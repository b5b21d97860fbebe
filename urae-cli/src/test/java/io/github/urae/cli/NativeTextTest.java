package io.github.urae.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.urae.testkit.TestData;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** Prompts and paths in any script arrive as they were typed, also without a locale. */
@EnabledOnOs(OS.LINUX)
class NativeTextTest {

  private static final String PROMPT = "ein Gruß aus 東京, ☃";

  @TempDir Path folder;

  /** Runs a line of a shell, so that bytes are those of this file whatever the test's locale is. */
  private String shell(String locale, int status, String line) throws Exception {
    Path script = Files.writeString(folder.resolve("run.sh"), line, StandardCharsets.UTF_8);
    ProcessBuilder builder = new ProcessBuilder("sh", script.toString()).redirectErrorStream(true);
    builder.environment().put("LC_ALL", locale);
    Process process = builder.start();
    process.getOutputStream().close();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(said).isEqualTo(status);
    return said;
  }

  private static String urae(String more) {
    return "exec '%s' -cp '%s' io.github.urae.cli.UraeCommand generate --cache-dir '%s' --steps 1"
            .formatted(
                Path.of(System.getProperty("java.home"), "bin", "java"),
                System.getProperty("java.class.path"),
                TestData.CACHE)
        + " --width 64 --height 64 "
        + more;
  }

  private static String text(Path picture) throws Exception {
    return new String(Files.readAllBytes(picture), StandardCharsets.UTF_8);
  }

  private List<String> pictures() throws Exception {
    // In the test's own locale Java may not be able to list the name: the shell does.
    List<String> names = new ArrayList<>();
    try (Stream<String> lines =
        shell("C.UTF-8", 0, "ls '" + folder + "' | grep png || true").lines()) {
      lines.forEach(names::add);
    }
    return names;
  }

  @Test
  void aPromptInTheLocaleC() throws Exception {
    Path picture = folder.resolve("picture.png");
    shell("C", 0, urae("'" + PROMPT + "' --output '" + picture + "'"));
    assertThat(text(picture)).contains(PROMPT);
  }

  @Test
  void aPathInTheLocaleCIsRefusedByName() throws Exception {
    String path = folder + "/Gruß.png";
    assertThat(shell("C", 2, urae("star --output '" + path + "'")))
        .contains("--output", path, "ANSI_X3.4-1968", "set LC_ALL=C.UTF-8");
    assertThat(shell("C", 1, urae("star --model '/nowhere/Gruß'")))
        .contains("/nowhere/Gruß", "set LC_ALL=C.UTF-8")
        .doesNotContain("Exception");
    assertThat(pictures()).isEmpty();
  }

  @Test
  void bytesThatAreNoTextAreRefused() throws Exception {
    for (String locale : List.of("C", "C.UTF-8")) {
      assertThat(shell(locale, 2, urae("\"$(printf 'a \\374 b')\"")))
          .contains("cannot be read in the locale's encoding");
    }
  }

  @Test
  void pathAndPromptInUtf8() throws Exception {
    String said = shell("C.UTF-8", 0, urae("'" + PROMPT + "' --output '" + folder + "/Gruß.png'"));
    assertThat(said).contains("Gruß.png");
    assertThat(pictures()).containsExactly("Gruß.png");
  }

  /** The start script chooses a locale that can. */
  @Test
  void theStartScriptInTheLocaleC() throws Exception {
    Path root = Path.of("..").toAbsolutePath().normalize();
    Path java = folder.resolve("bin/java");
    Files.createDirectories(java.getParent());
    Files.writeString(java, "#!/bin/sh\necho \"locale $LC_ALL\"\n", StandardCharsets.UTF_8);
    assertThat(java.toFile().setExecutable(true)).isTrue();
    String line =
        """
        mkdir -p '%1$s/scripts' '%1$s/module/target' '%1$s/urae-none/src/main'
        cp '%2$s/scripts/run-java.sh' '%1$s/scripts/'
        touch '%1$s/pom.xml' '%1$s/urae-none/pom.xml' '%1$s/module/target/classpath'
        touch '%1$s/module/target/name.built'
        export JAVA_HOME='%1$s'
        exec bash -c '. "%1$s/scripts/run-java.sh"; run_java name module Main -- argument'
        """
            .formatted(folder, root);
    assertThat(shell("C", 0, line)).isEqualToIgnoringNewLines("locale C.UTF-8");
    assertThat(shell("C.UTF-8", 0, line)).isEqualToIgnoringNewLines("locale C.UTF-8");
    assertThat(shell("no_SUCH.UTF-8", 0, line)).contains("locale C.UTF-8");
  }
}
