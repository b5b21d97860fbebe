package io.github.urae.training.internal.metrics;

import io.github.urae.image.ImageFormat;
import io.github.urae.image.RgbImage;
import io.github.urae.internal.FileReplacement;
import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.geom.Path2D;
import java.awt.image.BufferedImage;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.math.BigDecimal;
import java.math.MathContext;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.stream.DoubleStream;

/**
 * Draws losses over steps: of each step as a dot, smoothed as a line, and of held-out pictures as a
 * line with marks. The axis of the loss ends where 98 of 100 steps do, so that a few large ones do
 * not flatten the rest.
 */
final class LossCurve {

  private static final int WIDTH = 960;
  private static final int HEIGHT = 480;
  private static final int LEFT = 64;
  private static final int RIGHT = 16;
  private static final int TOP = 28;
  private static final int BOTTOM = 32;

  /** Lines across, at most. */
  private static final int LINES = 6;

  private static final Color STEP = new Color(0xBFCBD9);
  private static final Color SMOOTHED = new Color(0x1F5FA8);
  private static final Color HELD_OUT = new Color(0xC2571A);
  private static final Color GRID = new Color(0xE6E6E6);
  private static final Color TEXT = new Color(0x404040);

  private final List<MetricsRow> rows;
  private final BufferedImage image = new BufferedImage(WIDTH, HEIGHT, BufferedImage.TYPE_INT_RGB);
  private final Graphics2D graphics = image.createGraphics();
  private final double lastStep;
  private final double least;
  private final double most;

  private LossCurve(List<MetricsRow> rows) {
    this.rows = rows;
    lastStep = Math.max(1.0, (double) rows.get(rows.size() - 1).step());
    double[] losses =
        rows.stream()
            .flatMapToDouble(
                row -> DoubleStream.of(row.loss(), row.heldOutLoss().orElse(Double.NaN)))
            .filter(Double::isFinite)
            .sorted()
            .toArray();
    double high = losses.length == 0 ? 1 : losses[(int) ((losses.length - 1) * 0.98)];
    least = losses.length == 0 ? 0 : Math.min(losses[0], high);
    most = high > least ? high : least + 1;
  }

  /** Draws into a file, which is replaced. */
  static void draw(List<MetricsRow> rows, Path file) throws IOException {
    RgbImage image = RgbImage.of(new LossCurve(rows).draw());
    FileReplacement.replace(
        file,
        OptionalLong::empty,
        target -> {
          try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(target))) {
            ImageFormat.PNG.write(image, Map.of(), out);
          }
        });
  }

  private BufferedImage draw() {
    graphics.setColor(Color.WHITE);
    graphics.fillRect(0, 0, WIDTH, HEIGHT);
    drawGrid();
    drawLegend();
    graphics.setRenderingHint(RenderingHints.KEY_ANTIALIASING, RenderingHints.VALUE_ANTIALIAS_ON);
    graphics.clipRect(LEFT, TOP - 2, WIDTH - LEFT - RIGHT + 3, HEIGHT - TOP - BOTTOM + 4);
    graphics.setColor(STEP);
    for (MetricsRow row : rows) {
      if (Double.isFinite(row.loss())) {
        mark((double) row.step(), row.loss(), 1);
      }
    }
    graphics.setStroke(new BasicStroke(2));
    graphics.setColor(SMOOTHED);
    Path2D line = new Path2D.Double();
    for (MetricsRow row : rows) {
      extend(line, (double) row.step(), row.smoothedLoss());
    }
    graphics.draw(line);
    graphics.setColor(HELD_OUT);
    Path2D heldOut = new Path2D.Double();
    for (MetricsRow row : rows) {
      if (row.heldOutLoss().isPresent()) {
        extend(heldOut, (double) row.step(), row.heldOutLoss().getAsDouble());
        mark((double) row.step(), row.heldOutLoss().getAsDouble(), 3);
      }
    }
    graphics.draw(heldOut);
    graphics.dispose();
    return image;
  }

  private void extend(Path2D line, double step, double loss) {
    if (!Double.isFinite(loss)) {
      return;
    }
    if (line.getCurrentPoint() == null) {
      line.moveTo(x(step), y(loss));
    } else {
      line.lineTo(x(step), y(loss));
    }
  }

  private void mark(double step, double loss, int radius) {
    graphics.fillOval(
        (int) x(step) - radius, (int) y(loss) - radius, 2 * radius + 1, 2 * radius + 1);
  }

  private double x(double step) {
    return LEFT + step / lastStep * (WIDTH - LEFT - RIGHT);
  }

  private double y(double loss) {
    return HEIGHT - BOTTOM - (loss - least) / (most - least) * (HEIGHT - TOP - BOTTOM);
  }

  private void drawGrid() {
    BigDecimal each = interval(most - least);
    for (BigDecimal at = firstMultiple(each, least); at.doubleValue() <= most; at = at.add(each)) {
      int y = (int) y(at.doubleValue());
      graphics.setColor(GRID);
      graphics.drawLine(LEFT, y, WIDTH - RIGHT, y);
      graphics.setColor(TEXT);
      String text = text(at);
      PixelFont.draw(graphics, text, LEFT - 8 - PixelFont.width(text), y - PixelFont.HEIGHT / 2);
    }
    BigDecimal steps = interval(lastStep).max(BigDecimal.ONE);
    for (BigDecimal at = BigDecimal.ZERO; at.doubleValue() <= lastStep; at = at.add(steps)) {
      int x = (int) x(at.doubleValue());
      graphics.setColor(GRID);
      graphics.drawLine(x, TOP, x, HEIGHT - BOTTOM);
      graphics.setColor(TEXT);
      String text = text(at);
      int left = Math.min(x - PixelFont.width(text) / 2, WIDTH - PixelFont.width(text) - 2);
      PixelFont.draw(graphics, text, left, HEIGHT - BOTTOM + 8);
    }
    PixelFont.draw(graphics, "steps", WIDTH - RIGHT - PixelFont.width("steps"), HEIGHT - 12);
  }

  /** Digits as people write them: no exponent unless the number is very small. */
  private static String text(BigDecimal value) {
    BigDecimal plain = value.stripTrailingZeros();
    return plain.scale() > 5 ? plain.toString().replace("E", "e") : plain.toPlainString();
  }

  private static BigDecimal firstMultiple(BigDecimal each, double least) {
    return each.multiply(BigDecimal.valueOf((long) Math.ceil(least / each.doubleValue())));
  }

  /** Returns 1, 2 or 5 times a power of ten, of which few fit into a range. */
  private static BigDecimal interval(double range) {
    double wanted = range / LINES;
    BigDecimal power = BigDecimal.ONE.scaleByPowerOfTen((int) Math.floor(Math.log10(wanted)));
    for (int factor : new int[] {1, 2, 5}) {
      BigDecimal interval = power.multiply(BigDecimal.valueOf(factor), MathContext.UNLIMITED);
      if (interval.doubleValue() >= wanted) {
        return interval;
      }
    }
    return power.multiply(BigDecimal.TEN);
  }

  private void drawLegend() {
    int left = LEFT;
    left = drawLegend(left, STEP, "loss");
    left = drawLegend(left, SMOOTHED, "smoothed");
    if (rows.stream().anyMatch(row -> row.heldOutLoss().isPresent())) {
      drawLegend(left, HELD_OUT, "held out");
    }
  }

  private int drawLegend(int left, Color color, String text) {
    graphics.setColor(color);
    graphics.fillRect(left, 10, 14, PixelFont.HEIGHT);
    graphics.setColor(TEXT);
    PixelFont.draw(graphics, text, left + 20, 10);
    return left + 20 + PixelFont.width(text) + 24;
  }
}
