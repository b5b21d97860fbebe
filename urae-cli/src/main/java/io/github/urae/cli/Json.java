package io.github.urae.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.util.DefaultIndenter;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.github.urae.internal.PrintableText;
import java.io.PrintWriter;
import java.util.Map;

/** Prints findings as JSON. */
public final class Json {

  private Json() {}

  /**
   * Prints findings.
   *
   * @param out receives the lines
   * @param findings maps, lists, texts, numbers and truth values, in order
   */
  public static void print(PrintWriter out, Map<String, Object> findings) {
    DefaultPrettyPrinter printer =
        new DefaultPrettyPrinter().withObjectIndenter(new DefaultIndenter("  ", "\n"));
    try {
      // JSON's own escapes leave some of a terminal's commands as they are.
      new JsonMapper()
          .writer(printer)
          .writeValueAsString(findings)
          .lines()
          .map(PrintableText::of)
          .forEach(out::println);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("maps, lists, texts and numbers are JSON", e);
    }
  }
}
