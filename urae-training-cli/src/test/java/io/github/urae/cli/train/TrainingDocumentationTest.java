package io.github.urae.cli.train;

import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.io.IOException;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import javax.tools.JavaCompiler;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** What the documentation shows of training is what works. */
class TrainingDocumentationTest {

  private static final Path ROOT = Path.of("..").toAbsolutePath().normalize();
  private static final Pattern COMMAND = Pattern.compile("(?m)^\\./urae train ((?:.+\\\\\n)*.+)$");
  private static final Pattern JAVA = Pattern.compile("(?s)```java\n(.*?)```");

  @TempDir Path folder;

  private static String page(String name) throws IOException {
    return Files.readString(ROOT.resolve(name));
  }

  @Test
  void everyCommandIsUnderstood() throws IOException {
    List<String> commands = new ArrayList<>();
    for (String page : List.of("README.md", "docs/training.md")) {
      for (MatchResult command : COMMAND.matcher(page(page)).results().toList()) {
        commands.add(command.group(1).replace("\\\n", " "));
      }
    }
    assertThat(commands).hasSizeGreaterThan(4);
    for (String command : commands) {
      new CommandLine(new TrainCommand())
          .setCaseInsensitiveEnumValuesAllowed(true)
          .parseArgs(command.trim().split(" +", -1));
    }
  }

  @Test
  void theProgramCompiles() throws IOException {
    Matcher snippet = JAVA.matcher(page("docs/training.md"));
    assertThat(snippet.find()).isTrue();
    Path file =
        Files.writeString(
            folder.resolve("Snippet.java"),
            "import io.github.urae.tensor.*; import io.github.urae.training.*;"
                + " import java.nio.file.*;\n"
                + "class Snippet { void run() throws Exception {\n"
                + snippet.group(1)
                + "}}\n");
    StringWriter said = new StringWriter();
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    try (StandardJavaFileManager files = compiler.getStandardFileManager(null, Locale.ROOT, null)) {
      boolean compiles =
          compiler
              .getTask(
                  said,
                  files,
                  null,
                  List.of(
                      "-proc:none",
                      "-d",
                      folder.toString(),
                      "-classpath",
                      System.getProperty("java.class.path")),
                  null,
                  files.getJavaFileObjects(file))
              .call();
      assertThat(compiles).as(said.toString()).isTrue();
    }
  }

  private static JavaClasses training() {
    return new ClassFileImporter()
        .withImportOption(new ImportOption.DoNotIncludeTests())
        .importPackages("io.github.urae.training");
  }

  @Test
  void thePublicTypesAreThoseOfTheDocumentation() throws IOException {
    String page = page("docs/architecture.md");
    String rest = page.substring(page.indexOf("`urae-training` adds those of"));
    int next = rest.indexOf("\n`");
    String paragraph = next < 0 ? rest : rest.substring(0, next);
    Set<String> documented =
        Pattern.compile("\\b[A-Z][a-z]+(?:[A-Z][a-z]+)+\\b")
            .matcher(paragraph)
            .results()
            .map(MatchResult::group)
            .collect(Collectors.toCollection(TreeSet::new));
    Set<String> compiled =
        training().stream()
            .filter(type -> type.getPackageName().equals("io.github.urae.training"))
            .filter(type -> type.getModifiers().contains(JavaModifier.PUBLIC))
            .filter(JavaClass::isTopLevelClass)
            .map(JavaClass::getSimpleName)
            .collect(Collectors.toCollection(TreeSet::new));
    assertThat(compiled).isEqualTo(documented);
  }

  @Test
  void signaturesShowNoInternalsAndNoTypesOfLibraries() {
    for (JavaClass type : training()) {
      if (type.getPackageName().equals("io.github.urae.training")
          && type.getModifiers().contains(JavaModifier.PUBLIC)) {
        type.getMembers().stream()
            .filter(
                member ->
                    member.getModifiers().contains(JavaModifier.PUBLIC)
                        || member.getModifiers().contains(JavaModifier.PROTECTED))
            .forEach(
                member ->
                    member
                        .getAllInvolvedRawTypes()
                        .forEach(
                            shown ->
                                assertThat(shown.getBaseComponentType().getPackageName())
                                    .as(member.getFullName())
                                    .matches("|java\\..*|io\\.github\\.urae(?!.*internal).*")));
      }
    }
  }
}
