package io.github.urae.internal;

/**
 * Text from files, made fit to be shown: names of tensors, metadata and settings may hold anything,
 * and a terminal would obey what it is sent.
 */
public final class PrintableText {

  /** Longest part of a message that comes out of a file. */
  private static final int MAX_NAME_LENGTH = 160;

  private PrintableText() {}

  /**
   * Writes characters that do not print as Java would in a literal: control characters, among them
   * those that begin a terminal's commands, and those that turn the direction of text.
   *
   * @param text any text
   * @return the same where nothing had to be replaced
   */
  public static String of(String text) {
    int first = 0;
    while (first < text.length() && isPrintable(text.charAt(first))) {
      first++;
    }
    if (first == text.length()) {
      return text;
    }
    StringBuilder printable = new StringBuilder(text.length() + 16).append(text, 0, first);
    for (int i = first; i < text.length(); i++) {
      char character = text.charAt(i);
      if (isPrintable(character)) {
        printable.append(character);
      } else {
        printable.append(String.format("\\u%04x", (int) character));
      }
    }
    return printable.toString();
  }

  private static boolean isPrintable(char character) {
    return switch (Character.getType(character)) {
      case Character.CONTROL,
          Character.LINE_SEPARATOR,
          Character.PARAGRAPH_SEPARATOR,
          Character.SURROGATE ->
          Character.isSurrogate(character);
      // Joiners, which scripts and emoji need, are of the same kind as changes of direction.
      case Character.FORMAT -> character == '\u200C' || character == '\u200D';
      default -> true;
    };
  }

  /**
   * Quotes a name out of a file for a message: printable, and no longer than a message bears.
   *
   * @param name of a tensor or a setting
   * @return the name in single quotes; of a long one its beginning, with its length
   */
  public static String quoted(String name) {
    return "'" + shortened(name) + "'";
  }

  /**
   * Cuts a text out of a file short enough for a message.
   *
   * @param text any text
   * @return the text, printable; of a long one its beginning, with its length
   */
  public static String shortened(String text) {
    if (text.length() <= MAX_NAME_LENGTH) {
      return of(text);
    }
    int end = Character.isHighSurrogate(text.charAt(MAX_NAME_LENGTH - 1)) ? 1 : 0;
    return of(text.substring(0, MAX_NAME_LENGTH - end)) + "... (" + text.length() + " characters)";
  }
}
