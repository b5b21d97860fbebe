package io.github.urae.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Commands whose modules are not on this class path. */
class OptionalCommandTest {

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int run(String... arguments) {
    return UraeCommand.run(new PrintWriter(out, true), new PrintWriter(err, true), arguments);
  }

  @ParameterizedTest
  @CsvSource({"train, urae-training-cli", "serve, urae-server"})
  void sayWhatIsMissing(String name, String module) {
    assertThat(run(name, "whatever", "--option", "1")).isEqualTo(1);
    assertThat(err.toString())
        .startsWith("urae: " + name + ": ")
        .contains("io.github.urae:" + module);
    assertThat(out.toString()).isEmpty();
  }

  /** What they need is not this command's, nor anything's that an application depends on. */
  @Test
  void bringNothingIntoThisClassPath() {
    for (String absent :
        List.of("org.bytedeco.pytorch.Tensor", "io.github.urae.training.FluxTraining")) {
      assertThatThrownBy(() -> Class.forName(absent)).isInstanceOf(ClassNotFoundException.class);
    }
  }

  /** The only modules whose dependencies lead to libtorch. */
  @Test
  void nothingElseDependsOnTraining() throws IOException {
    List<String> dependents = new ArrayList<>();
    try (DirectoryStream<Path> modules =
        Files.newDirectoryStream(Path.of("..").toAbsolutePath().normalize(), "urae-*")) {
      for (Path module : modules) {
        Path pom = module.resolve("pom.xml");
        if (Files.exists(pom)) {
          String dependencies = Files.readString(pom).replaceFirst("(?s).*?</parent>", "");
          if (dependencies.contains("<artifactId>urae-training")
              || dependencies.contains("<artifactId>pytorch<")) {
            dependents.add(module.getFileName().toString());
          }
        }
      }
    }
    assertThat(dependents)
        .containsExactlyInAnyOrder(
            "urae-bom", "urae-training", "urae-training-cli", "urae-benchmarks");
  }

  @Test
  void areListedWithTheOthers() {
    assertThat(run("--help")).isZero();
    assertThat(out.toString()).containsPattern("\n *train +Train").containsPattern("\n *serve +");
  }
}
