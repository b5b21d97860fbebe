package io.github.urae.internal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.core.JsonFactoryBuilder;
import com.fasterxml.jackson.core.JsonParseException;
import com.fasterxml.jackson.core.Version;
import com.fasterxml.jackson.databind.JsonNode;
import io.github.urae.FileFormatException;
import io.github.urae.InferenceException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** JSON that is deep, long or has many parts is refused as what it is, in bounded memory. */
class BoundedJsonTest {

  @TempDir Path folder;

  private JsonConfig read(String json) throws IOException {
    return JsonConfig.read(Files.writeString(folder.resolve("config.json"), json));
  }

  private void assertRefused(String json, String... parts) {
    assertThatThrownBy(() -> read(json))
        .isInstanceOf(FileFormatException.class)
        .hasMessageContaining(folder.resolve("config.json") + ": not valid JSON")
        .hasMessageContainingAll(parts);
  }

  @ParameterizedTest
  @ValueSource(strings = {"[", "{\"a\":", "[[],", "{\"a\":[{\"b\":"})
  void depth(String opening) {
    for (int times : new int[] {65, 100_000}) {
      assertRefused("{\"a\":" + opening.repeat(times), "nesting depth");
    }
  }

  @Test
  void digits() throws IOException {
    String digits = "1".repeat(1_000_000);
    for (String number :
        new String[] {digits, "-" + digits, "0." + digits, "1e" + digits, "1e-" + digits}) {
      assertRefused("{\"a\": " + number + "}", "Number value length");
    }
    assertThat(read("{\"a\": 1e400}").number("b", 1)).isEqualTo(1);
    assertThatThrownBy(() -> read("{\"a\": 1e400}").number("a", 1))
        .hasMessageContaining("expected a number");
    assertThat(read("{\"a\": 1" + "0".repeat(300) + "}").number("a", 1)).isEqualTo(1e300);
  }

  @Test
  void parts() {
    int each = (int) BoundedJson.MAX_TOKENS / 2 + 1;
    assertRefused("{\"a\": [" + "[],".repeat(each) + "0]}", "Token count");
    assertRefused("{\"a\": [" + "{},".repeat(each) + "0]}", "Token count");
  }

  /** Before 2.18 Jackson did not count. */
  @Test
  void partsAreCountedWithoutJackson() {
    JsonTrees uncounted = new JsonTrees(new JsonFactoryBuilder());
    int each = (int) BoundedJson.MAX_TOKENS / 2 + 1;
    for (String part : List.of("[],", "{},", "1,1,", "{\"a\":1},")) {
      assertThatThrownBy(() -> uncounted.read("[" + part.repeat(each) + "0]"))
          .isInstanceOf(JsonParseException.class)
          .hasMessageContaining("Token count");
    }
  }

  @Test
  void anOlderJacksonIsNamed() {
    BoundedJson.checkVersion();
    assertThatThrownBy(
            () -> BoundedJson.checkVersion(new Version(2, 14, 3, null, "com.fasterxml", "core")))
        .isInstanceOf(InferenceException.class)
        .hasMessageContaining("expected 2.15 or a later 2.x, found 2.14.3");
  }

  @Test
  void textsOfAnyLengthThatFilesHave() throws IOException {
    String text = "t".repeat(1_000_000);
    assertThat(read("{\"a\": \"" + text + "\"}").text("a")).hasValue(text);
    assertThat(read("{\"" + text + "\": 1}").has(text)).isTrue();
  }

  /** As Python reads them: what comes last holds. */
  @Test
  void keysThatAreThereTwice() throws IOException {
    assertThat(read("{\"a\": 1, \"a\": 2}").positiveInt("a")).isEqualTo(2);
    JsonNode tree = new JsonTrees(BoundedJson.trees()).read("{\"a\": {\"b\": 1}, \"a\": 2}");
    assertThat(tree.get("a").intValue()).isEqualTo(2);
  }
}
