package io.github.urae.internal;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.urae.AdapterException;
import org.junit.jupiter.api.Test;

class PrintableTextTest {

  @Test
  void whatATerminalWouldObeyIsEscaped() {
    assertThat(PrintableText.of("a\u001b[2Jb\n\u009b31m\u0000\u007f\u202e\u2028\ufeff"))
        .isEqualTo("a\\u001b[2Jb\\u000a\\u009b31m\\u0000\\u007f\\u202e\\u2028\\ufeff");
    assertThat(new AdapterException("key '\u001b]0;title\u0007'"))
        .hasMessage("key '\\u001b]0;title\\u0007'");
  }

  @Test
  void whatPrintsStays() {
    for (String text :
        new String[] {
          "", "transformer_blocks.0.attn.to_q", "Füße, 猫 \uD83D\uDC31\u200D\uD83D\uDC64"
        }) {
      assertThat(PrintableText.of(text)).isSameAs(text);
    }
  }

  @Test
  void longNamesAreCut() {
    assertThat(PrintableText.quoted("name")).isEqualTo("'name'");
    assertThat(PrintableText.quoted("a.".repeat(30_000)))
        .startsWith("'a.a.a.")
        .endsWith("a.... (60000 characters)'")
        .hasSizeLessThan(200);
    // Not within a character.
    assertThat(PrintableText.shortened("a".repeat(159) + "\uD83D\uDC31".repeat(10)))
        .startsWith("a".repeat(159) + "... (");
  }
}
