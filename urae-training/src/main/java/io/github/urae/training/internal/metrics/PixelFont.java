package io.github.urae.training.internal.metrics;

import java.awt.Graphics2D;
import java.util.Map;

/**
 * Letters of five by seven pixels: those that a drawing of the loss needs. Java's own fonts are
 * those of the system, and a container often has none.
 */
final class PixelFont {

  /** Pixels from one letter to the next. */
  static final int ADVANCE = 6;

  /** Pixels of a letter from top to bottom. */
  static final int HEIGHT = 7;

  private static final int WIDTH = 5;

  /** Rows from top to bottom, each five bits. */
  private static final Map<Character, int[]> LETTERS =
      Map.ofEntries(
          Map.entry('0', new int[] {14, 17, 19, 21, 25, 17, 14}),
          Map.entry('1', new int[] {4, 12, 4, 4, 4, 4, 14}),
          Map.entry('2', new int[] {14, 17, 1, 2, 4, 8, 31}),
          Map.entry('3', new int[] {31, 2, 4, 2, 1, 17, 14}),
          Map.entry('4', new int[] {2, 6, 10, 18, 31, 2, 2}),
          Map.entry('5', new int[] {31, 16, 30, 1, 1, 17, 14}),
          Map.entry('6', new int[] {6, 8, 16, 30, 17, 17, 14}),
          Map.entry('7', new int[] {31, 1, 2, 4, 8, 8, 8}),
          Map.entry('8', new int[] {14, 17, 17, 14, 17, 17, 14}),
          Map.entry('9', new int[] {14, 17, 17, 15, 1, 2, 12}),
          Map.entry('.', new int[] {0, 0, 0, 0, 0, 12, 12}),
          Map.entry('-', new int[] {0, 0, 0, 31, 0, 0, 0}),
          Map.entry('d', new int[] {1, 1, 13, 19, 17, 17, 15}),
          Map.entry('e', new int[] {0, 0, 14, 17, 31, 16, 14}),
          Map.entry('h', new int[] {16, 16, 22, 25, 17, 17, 17}),
          Map.entry('l', new int[] {12, 4, 4, 4, 4, 4, 14}),
          Map.entry('m', new int[] {0, 0, 26, 21, 21, 17, 17}),
          Map.entry('o', new int[] {0, 0, 14, 17, 17, 17, 14}),
          Map.entry('p', new int[] {0, 0, 30, 17, 30, 16, 16}),
          Map.entry('s', new int[] {0, 0, 14, 16, 14, 1, 30}),
          Map.entry('t', new int[] {8, 8, 28, 8, 8, 9, 6}),
          Map.entry('u', new int[] {0, 0, 17, 17, 17, 19, 13}));

  private PixelFont() {}

  static int width(String text) {
    return text.length() * ADVANCE - 1;
  }

  /** Draws a text in the current colour; letters that are not here are left out. */
  static void draw(Graphics2D graphics, String text, int left, int top) {
    for (int i = 0; i < text.length(); i++) {
      int[] rows = LETTERS.getOrDefault(text.charAt(i), new int[HEIGHT]);
      for (int y = 0; y < HEIGHT; y++) {
        for (int x = 0; x < WIDTH; x++) {
          if ((rows[y] >> (WIDTH - 1 - x) & 1) == 1) {
            graphics.fillRect(left + i * ADVANCE + x, top + y, 1, 1);
          }
        }
      }
    }
  }
}
