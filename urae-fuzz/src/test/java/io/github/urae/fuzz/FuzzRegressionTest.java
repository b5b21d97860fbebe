package io.github.urae.fuzz;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every target with its examples, the inputs that once broke it, and some changed at random; {@code
 * -Durae.test.seed} gives others. In the heap and the time that a hostile file may take.
 */
class FuzzRegressionTest {

  private static final int RANDOM_INPUTS = 60;

  private static final Duration LONGEST = Duration.ofMinutes(2);

  @TempDir Path folder;

  static Stream<String> targets() {
    return FuzzTargets.names().stream();
  }

  @ParameterizedTest
  @MethodSource("targets")
  void documentedExceptionsOnly(String name) throws IOException {
    long seed = Long.getLong("urae.test.seed", 5);
    FuzzTarget target = FuzzTargets.open(name, folder);
    Map<String, byte[]> inputs = new LinkedHashMap<>(StoredInputs.of(name));
    int number = 0;
    for (byte[] input : target.seeds()) {
      inputs.put("seed " + number++, input);
    }
    Random random = new Random(seed);
    for (int i = 0; i < RANDOM_INPUTS; i++) {
      byte[] input = new byte[1 + random.nextInt(100)];
      random.nextBytes(input);
      inputs.put("random " + i + " of seed " + seed, input);
    }
    inputs.forEach(
        (key, input) -> {
          try {
            assertTimeoutPreemptively(LONGEST, () -> target.run(input));
          } catch (Throwable e) {
            throw new AssertionError(
                key + ": " + HexFormat.of().formatHex(input, 0, Math.min(200, input.length)), e);
          }
        });
  }

  /** A target that refuses all of its examples would test nothing. */
  @ParameterizedTest
  @MethodSource("targets")
  void firstExampleIsRead(String name) throws IOException {
    FuzzTarget target = FuzzTargets.open(name, folder);
    target.reader().read(target.examples().get(0));
  }

  @Test
  void inputsBelongToTargets() throws IOException, URISyntaxException {
    var inputs = StoredInputs.class.getResource("inputs");
    if (inputs != null) {
      try (Stream<Path> folders = Files.list(Path.of(inputs.toURI()))) {
        assertThat(folders.map(path -> path.getFileName().toString()))
            .allMatch(FuzzTargets.names()::contains);
      }
    }
  }
}
