package io.github.urae.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
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

  @Test
  void areListedWithTheOthers() {
    assertThat(run("--help")).isZero();
    assertThat(out.toString()).containsPattern("\n *train +Train").containsPattern("\n *serve +");
  }
}
