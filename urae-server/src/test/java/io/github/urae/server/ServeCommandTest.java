package io.github.urae.server;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.urae.device.Offload;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

/** The options of {@code urae serve}, and what the documentation says of them. */
class ServeCommandTest {

  private static final Path ROOT = Path.of("..").toAbsolutePath().normalize();
  private static final Pattern COMMAND = Pattern.compile("(?m)^\\./urae serve(.*)$");
  private static final Pattern OPTION = Pattern.compile("(?<![\\w-])--[a-z]+(?:-[a-z]+)*");

  private static CommandLine commandLine() {
    return new CommandLine(new ServeCommandProvider().command());
  }

  @Test
  void memoryIsLimitedAndSavedAsByGenerate() {
    CommandLine parsed = commandLine();
    parsed.parseArgs("--memory-limit", "20G", "--offload", "one-at-a-time");
    ServeCommand command = parsed.getCommand();
    assertThat(command.memoryLimit).isEqualTo(20L << 30);
    assertThat(parsed.getParseResult().<Offload>matchedOptionValue("--offload", null))
        .isEqualTo(Offload.ONE_AT_A_TIME);
  }

  @Test
  void everyShownCommandIsUnderstood() throws IOException {
    List<String> commands = new ArrayList<>();
    for (String page : List.of("README.md", "docs/service.md")) {
      COMMAND
          .matcher(Files.readString(ROOT.resolve(page)))
          .results()
          .map(command -> command.group(1).strip())
          .forEach(commands::add);
    }
    assertThat(commands).hasSizeGreaterThan(3);
    for (String command : commands) {
      commandLine().parseArgs(command.isEmpty() ? new String[0] : command.split(" +", -1));
    }
  }

  @Test
  void everyOptionOfTheTableIsOne() throws IOException {
    String page = Files.readString(ROOT.resolve("docs/service.md"));
    String table = page.substring(page.indexOf("| option |"), page.indexOf("## For clients"));
    List<String> shown = OPTION.matcher(table).results().map(MatchResult::group).toList();
    assertThat(shown).hasSizeGreaterThan(15);
    assertThat(commandLine().getCommandSpec().optionsMap().keySet()).containsAll(shown);
  }
}
