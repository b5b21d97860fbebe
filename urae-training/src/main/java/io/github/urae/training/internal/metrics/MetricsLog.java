package io.github.urae.training.internal.metrics;

import io.github.urae.TrainingException;
import io.github.urae.internal.FileFailure;
import io.github.urae.internal.FileReplacement;
import io.github.urae.internal.InputFile;
import io.github.urae.internal.OwnedResources;
import java.io.Closeable;
import java.io.IOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;

/**
 * The table of a training, {@code metrics.csv}, and what is made of it: {@code loss.png}, and an
 * event file in {@code tensorboard/}. The table is the source: a training that is resumed from a
 * step cuts it back to that step and makes the others again, so that they show one run. Not
 * thread-safe; the creator closes it.
 */
public final class MetricsLog implements Closeable {

  /** Name of the table. */
  public static final String TABLE = "metrics.csv";

  /** Name of the drawing. */
  public static final String CURVE = "loss.png";

  /** Name of the folder for TensorBoard. */
  public static final String EVENTS = "tensorboard";

  /** Of a table: some ten million rows. */
  private static final int MOST_BYTES = Integer.MAX_VALUE - 64;

  private final Path folder;
  private final List<MetricsRow> rows;
  private final Writer table;
  private final EventFile events;

  private MetricsLog(Path folder, List<MetricsRow> rows, Writer table, EventFile events) {
    this.folder = folder;
    this.rows = rows;
    this.table = table;
    this.events = events;
  }

  /**
   * Begins the table of a training, or continues it.
   *
   * @param folder the training's folder
   * @param step updates that are done; rows of later ones are dropped
   * @return the open log; the caller closes it
   * @throws IOException if a file cannot be read or written
   * @throws TrainingException if the table was not written by a training
   */
  public static MetricsLog open(Path folder, long step) throws IOException {
    Path file = folder.resolve(TABLE);
    List<MetricsRow> rows = read(file, step);
    if (step == 0) {
      rows.clear(); // Of one that was killed before its first checkpoint.
    }
    StringBuilder text = new StringBuilder(MetricsRow.header()).append('\n');
    rows.forEach(row -> text.append(row.line()).append('\n'));
    byte[] bytes = text.toString().getBytes(StandardCharsets.UTF_8);
    FileReplacement.replace(
        file, () -> OptionalLong.of(bytes.length), target -> Files.write(target, bytes));
    OwnedResources opened = new OwnedResources();
    try {
      Writer table =
          opened.add(
              Files.newBufferedWriter(file, StandardCharsets.UTF_8, StandardOpenOption.APPEND));
      EventFile events = opened.add(events(folder.resolve(EVENTS), rows));
      return new MetricsLog(folder, rows, table, events);
    } catch (Throwable e) {
      opened.closeAfter(e);
      throw e;
    }
  }

  private static List<MetricsRow> read(Path file, long step) throws IOException {
    List<MetricsRow> rows = new ArrayList<>();
    if (!Files.exists(file)) {
      return rows;
    }
    List<String> lines = InputFile.text(file, MOST_BYTES).lines().toList();
    if (lines.isEmpty() || !lines.get(0).equals(MetricsRow.header())) {
      throw new TrainingException(
          file
              + ": is no table of this trainer's; expected the columns "
              + MetricsRow.header()
              + "; move it away, or choose another output folder");
    }
    for (int i = 1; i < lines.size(); i++) {
      MetricsRow row;
      try {
        row = MetricsRow.parse(lines.get(i));
      } catch (IllegalArgumentException e) {
        if (i == lines.size() - 1) {
          break; // The process was killed while it wrote this row.
        }
        throw new TrainingException(file + ": line " + (i + 1) + ": " + e.getMessage(), e);
      }
      if (row.step() <= step) {
        rows.add(row);
      }
    }
    return rows;
  }

  private static EventFile events(Path folder, List<MetricsRow> rows) throws IOException {
    Files.createDirectories(folder);
    try (DirectoryStream<Path> old =
        Files.newDirectoryStream(folder, "events.out." + EventFile.NAME_PART + ".*.urae")) {
      for (Path file : old) {
        Files.delete(file);
      }
    }
    double begun = rows.isEmpty() ? now() : rows.get(0).unixTime();
    String name = "events.out." + EventFile.NAME_PART + "." + (long) begun + ".urae";
    EventFile events = EventFile.create(folder.resolve(name), begun);
    try {
      for (MetricsRow row : rows) {
        add(events, row);
      }
      return events;
    } catch (Throwable e) {
      try (events) {
        throw e;
      }
    }
  }

  /**
   * Returns the present.
   *
   * @return seconds since 1970
   */
  public static double now() {
    return System.currentTimeMillis() / 1e3;
  }

  /**
   * Adds a row to the table and the events.
   *
   * @param row of a later step than all before
   * @throws IOException if it cannot be written; the message names the file
   */
  public void add(MetricsRow row) throws IOException {
    try {
      table.write(row.line());
      table.write('\n');
      table.flush();
    } catch (IOException e) {
      throw FileFailure.ofWriting(folder.resolve(TABLE), OptionalLong.empty(), e);
    }
    try {
      add(events, row);
    } catch (IOException e) {
      throw FileFailure.ofWriting(folder.resolve(EVENTS), OptionalLong.empty(), e);
    }
    rows.add(row);
  }

  private static void add(EventFile events, MetricsRow row) throws IOException {
    Map<String, Double> scalars = new LinkedHashMap<>();
    put(scalars, "loss/step", row.loss());
    put(scalars, "loss/smoothed", row.smoothedLoss());
    for (int i = 0; i < SigmaBuckets.COUNT; i++) {
      put(scalars, "loss_by_sigma/" + SigmaBuckets.name(i), row.bucketLosses().get(i));
    }
    put(scalars, "loss/held_out", row.heldOutLoss().orElse(Double.NaN));
    put(scalars, "optimizer/gradient_norm", row.gradientNorm());
    put(scalars, "optimizer/learning_rate", row.learningRate());
    put(scalars, "optimizer/prodigy_d", row.stepSize().orElse(Double.NaN));
    put(scalars, "time/seconds", row.seconds());
    put(scalars, "memory/gigabytes", row.memoryBytes() / 1e9);
    events.add(row.unixTime(), row.step(), scalars);
  }

  private static void put(Map<String, Double> scalars, String tag, double value) {
    if (!Double.isNaN(value)) {
      scalars.put(tag, value);
    }
  }

  /**
   * Returns the rows.
   *
   * @return a copy, in order
   */
  public List<MetricsRow> rows() {
    return List.copyOf(rows);
  }

  /**
   * Draws the loss so far.
   *
   * @throws IOException if the picture cannot be written; the old one is then as it was
   */
  public void drawCurve() throws IOException {
    if (!rows.isEmpty()) {
      LossCurve.draw(rows, folder.resolve(CURVE));
    }
  }

  @Override
  public void close() throws IOException {
    try (events) {
      table.close();
    }
  }
}
