package io.github.urae.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.Seeds;
import java.io.File;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import javax.tools.JavaCompiler;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** What the documentation shows is what works. */
class ReadmeTest {

  private static final Path ROOT = Path.of("..").toAbsolutePath().normalize();
  private static final Pattern FENCE =
      Pattern.compile("(?m)^```(\\w*)\n(.*?)^```$", Pattern.DOTALL);
  private static final Pattern IMPORT = Pattern.compile("(?m)^import .*;\n");
  private static final Pattern CLASS = Pattern.compile("(?m)^public (?:final )?class (\\w+)");
  private static final Pattern VERSION = Pattern.compile("<version>(.*?)</version>");
  private static final Pattern COMMAND = Pattern.compile("(?m)^\\./urae ((?:.+\\\\\n)*.+)$");
  private static final Pattern PICTURE = Pattern.compile("!\\[.*?\\]\\([^)]*images/([^)]+)\\)");
  private static final Pattern ARGUMENT = Pattern.compile("\"([^\"]*)\"|(\\S+)");

  @TempDir Path folder;

  private static List<Path> documents() throws IOException {
    try (Stream<Path> docs = Files.list(ROOT.resolve("docs"))) {
      return Stream.concat(Stream.of(ROOT.resolve("README.md")), docs)
          .filter(file -> file.toString().endsWith(".md"))
          .toList();
    }
  }

  private static List<String> fences(Path document, String language) throws IOException {
    return FENCE
        .matcher(Files.readString(document))
        .results()
        .filter(fence -> fence.group(1).equals(language))
        .map(fence -> fence.group(2))
        .toList();
  }

  /** The consumer project of the build compiles and runs that file. */
  @Test
  void theProgramIsTheConsumerProjects() throws IOException {
    assertThat(fences(ROOT.resolve("README.md"), "java").get(0))
        .isEqualTo(
            Files.readString(ROOT.resolve("urae-cli/src/it/consumer/src/main/java/Draw.java")));
  }

  @Test
  void theDependenciesAreTheConsumerProjects() throws IOException {
    String project =
        withoutSpace(Files.readString(ROOT.resolve("urae-cli/src/it/consumer/pom.xml")));
    String shown = fences(ROOT.resolve("README.md"), "xml").get(0);
    for (String part : shown.split("</dependencies>\n", -1)) {
      assertThat(project)
          .contains(
              withoutSpace(
                  VERSION.matcher(part).replaceAll("<version>@project.version@</version>")));
    }
  }

  /** The build compiles and runs that project. */
  @Test
  void theWholeProjectIsTheBuilds() throws IOException {
    Path shown = ROOT.resolve("docs/embedding.md");
    Path project = ROOT.resolve("urae-cli/src/it/whole-project");
    Matcher version = VERSION.matcher(Files.readString(ROOT.resolve("urae-bom/pom.xml")));
    assertThat(version.find()).isTrue();
    assertThat(fences(shown, "xml").get(0))
        .isEqualTo(
            Files.readString(project.resolve("pom.xml"))
                .replace("@project.version@", version.group(1)));
    assertThat(fences(shown, "java").get(0))
        .isEqualTo(Files.readString(project.resolve("src/main/java/Pictures.java")));
  }

  private static String withoutSpace(String text) {
    return text.replaceAll("\\s", "");
  }

  /** One version of ours is shown, the build's, and only artifacts that the BOM has. */
  @Test
  void shownDependenciesExist() throws IOException {
    String bom = Files.readString(ROOT.resolve("urae-bom/pom.xml"));
    Matcher version = VERSION.matcher(bom);
    assertThat(version.find()).isTrue();
    for (Path document : documents()) {
      for (String xml : fences(document, "xml")) {
        for (MatchResult ours :
            Pattern.compile("<artifactId>(urae-.*?)</artifactId>\\s*(<version>(.*?)</version>)?")
                .matcher(xml)
                .results()
                .toList()) {
          assertThat(bom).contains("<artifactId>" + ours.group(1) + "</artifactId>");
          assertThat(ours.group(3)).isIn(null, version.group(1));
        }
      }
    }
  }

  @TestFactory
  Stream<DynamicTest> everyJavaSnippetCompiles() throws IOException {
    List<DynamicTest> tests = new ArrayList<>();
    for (Path document : documents()) {
      assertThat(fences(document, "text"))
          .as("Java that is not marked as such in " + document)
          .noneMatch(text -> text.contains("FluxPipeline") || text.contains(";\n"));
      if (document.endsWith("training.md")) {
        continue; // Needs libtorch: tested where that is on the class path.
      }
      for (String snippet : fences(document, "java")) {
        tests.add(compiled(document.getFileName().toString(), snippet));
      }
    }
    assertThat(tests).hasSizeGreaterThan(1);
    return tests.stream();
  }

  private DynamicTest compiled(String origin, String snippet) {
    String name = origin + ": " + snippet.lines().filter(line -> !line.isBlank()).findFirst().get();
    return DynamicTest.dynamicTest(name, () -> compile(snippet));
  }

  /**
   * Statements are put into a method, after the imports that an editor would add, of a class that
   * has the pipeline that documentation takes for granted.
   */
  private void compile(String snippet) throws IOException {
    Matcher type = CLASS.matcher(snippet);
    boolean whole = type.find();
    String name = whole ? type.group(1) : "Snippet";
    String source =
        whole
            ? snippet
            : imports()
                + String.join(
                    "", IMPORT.matcher(snippet).results().map(MatchResult::group).toList())
                + "class Snippet { FluxPipeline pipeline; void run() throws Exception {\n"
                + IMPORT.matcher(snippet).replaceAll("")
                + "}}\n";
    Path file = Files.createDirectories(folder.resolve(name)).resolve(name + ".java");
    Files.writeString(file, source);
    StringWriter said = new StringWriter();
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    boolean compiles =
        compiler
            .getTask(
                said,
                compiler.getStandardFileManager(null, Locale.ROOT, null),
                null,
                List.of(
                    "-proc:none",
                    "-d",
                    file.getParent().toString(),
                    "-classpath",
                    System.getProperty("java.class.path")),
                null,
                compiler.getStandardFileManager(null, Locale.ROOT, null).getJavaFileObjects(file))
            .call();
    assertThat(compiles).as(said + source).isTrue();
  }

  /** All public packages of the modules, and those of the JDK that examples need. */
  private static String imports() throws IOException {
    StringBuilder imports = new StringBuilder("import java.nio.file.*;\nimport java.util.*;\n");
    for (String module : List.of("urae-core", "urae-onnx", "urae-demo-model")) {
      Path root = ROOT.resolve(module).resolve("src/main/java");
      try (Stream<Path> files = Files.walk(root)) {
        files
            .filter(file -> file.endsWith("package-info.java"))
            .map(
                file ->
                    root.relativize(file.getParent()).toString().replace(File.separatorChar, '.'))
            .filter(name -> !name.contains("internal"))
            .sorted()
            .forEach(name -> imports.append("import ").append(name).append(".*;\n"));
      }
    }
    return imports.toString();
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

  /** So that {@code scripts/draw-pictures} can draw them anew. */
  @Test
  void aCommandIsShownForEveryPicture() throws IOException {
    List<String> shown = new ArrayList<>();
    for (Path document : documents()) {
      String text = Files.readString(document);
      List<String> drawn =
          COMMAND
              .matcher(text)
              .results()
              .map(command -> List.of(arguments(command.group(1).replace("\\\n", " "))))
              .filter(line -> line.contains("--output"))
              .map(line -> line.get(line.indexOf("--output") + 1))
              .toList();
      for (MatchResult picture : PICTURE.matcher(text).results().toList()) {
        shown.add(picture.group(1));
        assertThat(picture.group(1))
            .satisfiesAnyOf(
                name -> assertThat(drawn).as(document.toString()).containsOnlyOnce(name),
                name -> assertThat(name).matches("(sheet|trained)-\\d\\d\\.jpg|page-\\w+\\.png"));
      }
    }
    try (Stream<Path> files = Files.list(ROOT.resolve("docs/images"))) {
      assertThat(files.map(file -> file.getFileName().toString()))
          .containsExactlyInAnyOrderElementsOf(shown);
    }
  }

  @Test
  void theFirstCommandDrawsAPicture() throws IOException {
    Matcher command = COMMAND.matcher(Files.readString(ROOT.resolve("README.md")));
    assertThat(command.find()).isTrue();
    Path picture = folder.resolve("lighthouse.png");
    String cache = Path.of("target", "test-cache").toAbsolutePath().toString();
    List<String> arguments = new ArrayList<>(List.of(arguments(command.group(1))));
    arguments.set(arguments.indexOf("lighthouse.png"), picture.toString());
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

  @Test
  void theRequestInJsonIsOne() throws IOException {
    Matcher json =
        Pattern.compile("```json\n(.*?)```", Pattern.DOTALL)
            .matcher(Files.readString(ROOT.resolve("docs/requests.md")));
    assertThat(json.find()).isTrue();
    GenerationRequest request = GenerationRequest.fromJson(json.group(1));
    assertThat(request.seeds()).isEqualTo(Seeds.of(-1));
    ObjectMapper mapper = new ObjectMapper();
    assertThat(mapper.readTree(request.toJson())).isEqualTo(mapper.readTree(json.group(1)));
  }

  private static String[] arguments(String line) {
    return ARGUMENT
        .matcher(line)
        .results()
        .map(part -> part.group(1) == null ? part.group(2) : part.group(1))
        .toArray(String[]::new);
  }
}
