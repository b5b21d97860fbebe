package io.github.urae.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** What the documentation shows is what works. */
class ReadmeTest {

  private static final Path ROOT = Path.of("..").toAbsolutePath().normalize();
  private static final Pattern JAVA = Pattern.compile("```java\n(.*?)```", Pattern.DOTALL);
  private static final Pattern COMMAND = Pattern.compile("(?m)^\\./urae ((?:.+\\\\\n)*.+)$");
  private static final Pattern ARGUMENT = Pattern.compile("\"([^\"]*)\"|(\\S+)");

  @TempDir Path folder;

  private static List<Path> documents() throws IOException {
    try (Stream<Path> docs = Files.list(ROOT.resolve("docs"))) {
      return Stream.concat(Stream.of(ROOT.resolve("README.md")), docs)
          .filter(file -> file.toString().endsWith(".md"))
          .toList();
    }
  }

  /** The consumer project of the build compiles and runs that file. */
  @Test
  void theProgramIsTheConsumerProjects() throws IOException {
    Matcher program = JAVA.matcher(Files.readString(ROOT.resolve("README.md")));
    assertThat(program.find()).isTrue();
    assertThat(program.group(1))
        .isEqualTo(
            Files.readString(ROOT.resolve("urae-cli/src/it/consumer/src/main/java/Draw.java")));
  }

  @TestFactory
  Stream<DynamicTest> everyCommandIsUnderstood() throws IOException {
    List<DynamicTest> tests = new ArrayList<>();
    for (Path document : documents()) {
      for (MatchResult command : COMMAND.matcher(Files.readString(document)).results().toList()) {
        String line = command.group(1).replace("\\\n", " ");
        tests.add(
            DynamicTest.dynamicTest(
                document.getFileName() + ": " + line,
                () -> UraeCommand.commandLine().parseArgs(arguments(line))));
      }
    }
    assertThat(tests).isNotEmpty();
    return tests.stream();
  }

  @Test
  void theFirstCommandDrawsAPicture() throws IOException {
    Matcher command = COMMAND.matcher(Files.readString(ROOT.resolve("README.md")));
    assertThat(command.find()).isTrue();
    Path picture = folder.resolve("star.png");
    String cache = Path.of("target", "test-cache").toAbsolutePath().toString();
    List<String> arguments = new ArrayList<>(List.of(arguments(command.group(1))));
    arguments.set(arguments.indexOf("star.png"), picture.toString());
    arguments.addAll(List.of("--cache-dir", cache, "--steps", "2"));
    StringWriter err = new StringWriter();
    int status =
        UraeCommand.run(
            new PrintWriter(new StringWriter(), true),
            new PrintWriter(err, true),
            arguments.toArray(new String[0]));
    assertThat(status).as(err.toString()).isZero();
    assertThat(picture).isNotEmptyFile();
  }

  private static String[] arguments(String line) {
    return ARGUMENT
        .matcher(line)
        .results()
        .map(part -> part.group(1) == null ? part.group(2) : part.group(1))
        .toArray(String[]::new);
  }
}
