package io.github.urae.training.internal.data;

import java.util.ArrayList;
import java.util.List;

/**
 * Rows of comma-separated values: fields in double quotes may hold commas, line ends and, doubled,
 * quotes.
 *
 * @see <a href="https://www.rfc-editor.org/rfc/rfc4180">RFC 4180</a>
 */
final class CsvRows {

  private final String text;
  private final List<List<String>> rows = new ArrayList<>();
  private List<String> row = new ArrayList<>();
  private int position;

  private CsvRows(String text) {
    this.text = text;
  }

  /** Returns the rows; empty lines are left out. */
  static List<List<String>> of(String text) {
    CsvRows reader = new CsvRows(text);
    while (reader.position < text.length()) {
      reader.readField();
    }
    reader.endRow();
    return reader.rows;
  }

  /** Reads a field and what ends it. */
  private void readField() {
    StringBuilder field = new StringBuilder();
    if (text.charAt(position) == '"') {
      readQuoted(field);
    }
    while (position < text.length() && ",\r\n".indexOf(text.charAt(position)) < 0) {
      field.append(text.charAt(position++));
    }
    row.add(field.toString());
    if (position == text.length()) {
      return;
    }
    if (text.charAt(position++) == ',') {
      if (position == text.length()) {
        row.add("");
      }
      return;
    }
    endRow();
  }

  private void readQuoted(StringBuilder field) {
    position++;
    while (position < text.length()) {
      char character = text.charAt(position++);
      if (character != '"') {
        field.append(character);
      } else if (position < text.length() && text.charAt(position) == '"') {
        field.append('"');
        position++;
      } else {
        return;
      }
    }
  }

  private void endRow() {
    boolean blank = row.isEmpty() || (row.size() == 1 && row.get(0).isBlank());
    if (!blank) {
      rows.add(row);
    }
    row = new ArrayList<>();
  }
}
