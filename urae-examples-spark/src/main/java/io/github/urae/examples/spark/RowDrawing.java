package io.github.urae.examples.spark;

import io.github.urae.InferenceException;
import io.github.urae.InvalidRequestException;
import io.github.urae.UraeException;
import io.github.urae.flux.GeneratedImage;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.ImagePipeline;
import io.github.urae.flux.Seeds;
import io.github.urae.image.ImageFormat;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Iterator;
import java.util.Spliterators;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/** Draws rows of a table, one after the other. Sent to executors, so without a pipeline inside. */
final class RowDrawing implements MapPartitionsFunction<Row, Row> {

  /** All texts. The last is what Spark makes of a line that is no JSON. */
  static final StructType REQUESTS =
      texts(
          "id",
          "prompt",
          "width",
          "height",
          "steps",
          "guidance",
          "seed",
          "request",
          "_corrupt_record");

  static final StructType RESULTS =
      new StructType()
          .add("id", DataTypes.StringType)
          .add("picture", DataTypes.BinaryType)
          .add("request", DataTypes.StringType)
          .add("seconds", DataTypes.DoubleType)
          .add("error", DataTypes.StringType);

  private static final long serialVersionUID = 1L;

  private static final int MOST_FAILURES = 3;

  /** After a whole number, they change nothing. */
  private static final Pattern ZEROS = Pattern.compile("\\.0+$");

  private final String model;

  RowDrawing(String model) {
    this.model = model;
  }

  private static StructType texts(String... names) {
    StructType type = new StructType();
    for (String name : names) {
      type = type.add(name, DataTypes.StringType);
    }
    return type;
  }

  /** Draws as results are asked for: one picture is in memory at a time. */
  @Override
  public Iterator<Row> call(Iterator<Row> rows) throws IOException {
    Task task = new Task(ExecutorPipelines.here(model));
    Stream<Row> stream = StreamSupport.stream(Spliterators.spliteratorUnknownSize(rows, 0), false);
    return stream.map(task::draw).iterator();
  }

  /** The rows of one task. */
  private static final class Task {

    private final ImagePipeline pipeline;
    private int failuresInARow;

    Task(ImagePipeline pipeline) {
      this.pipeline = pipeline;
    }

    /**
     * A row at fault is a row with an error; so is one of whose scales no finite numbers come,
     * which an engine that works says without a cause. So is one on which the engine fails, for it
     * may be too large; but as many in a row are not, and fail the task, which Spark repeats
     * elsewhere.
     */
    Row draw(Row row) {
      String id = row.getAs("id");
      try {
        Row drawn = draw(id, request(row));
        failuresInARow = 0;
        return drawn;
      } catch (InvalidRequestException e) {
        return failed(id, e);
      } catch (InferenceException e) {
        if (e.getCause() != null && ++failuresInARow >= MOST_FAILURES) {
          throw e;
        }
        return failed(id, e);
      }
    }

    private Row draw(String id, GenerationRequest request) {
      long start = System.nanoTime();
      if (request.images() != 1) {
        throw new InvalidRequestException(
            "request: expected one picture a row, found " + request.images());
      }
      GeneratedImage image = pipeline.generate(request).get(0);
      ByteArrayOutputStream png = new ByteArrayOutputStream();
      try {
        image.write(ImageFormat.PNG, png);
      } catch (IOException e) {
        throw new UncheckedIOException("a picture can be written to memory", e);
      }
      double seconds = (System.nanoTime() - start) / 1e9;
      return RowFactory.create(id, png.toByteArray(), image.request().toJson(), seconds, null);
    }

    private static Row failed(String id, UraeException why) {
      return RowFactory.create(id, null, null, null, why.getMessage());
    }
  }

  private static GenerationRequest request(Row row) {
    String unreadable = row.getAs("_corrupt_record");
    if (unreadable != null) {
      throw new InvalidRequestException("row: expected JSON, found '" + unreadable + "'");
    }
    String whole = row.getAs("request");
    if (whole != null) {
      return GenerationRequest.fromJson(whole);
    }
    String prompt = row.getAs("prompt");
    if (prompt == null) {
      throw new InvalidRequestException("row: expected a prompt or a request, found neither");
    }
    GenerationRequest.Builder request = GenerationRequest.builder(prompt);
    set(row, "width", text -> request.width(Integer.parseInt(whole(text))));
    set(row, "height", text -> request.height(Integer.parseInt(whole(text))));
    set(row, "steps", text -> request.steps(Integer.parseInt(whole(text))));
    set(row, "guidance", text -> request.guidance(Double.parseDouble(text)));
    set(row, "seed", text -> request.seed(Seeds.parse(whole(text))));
    return request.build();
  }

  /** Tables that know no null among whole numbers hold others: 64.0. */
  private static String whole(String text) {
    return ZEROS.matcher(text.strip()).replaceFirst("");
  }

  private static void set(Row row, String column, Consumer<String> setting) {
    String text = row.getAs(column);
    if (text == null) {
      return;
    }
    try {
      setting.accept(text);
    } catch (NumberFormatException e) {
      throw InvalidRequestException.of(
          column,
          column
              + (column.equals("guidance") ? ": expected a number" : ": expected a whole number")
              + ", found '"
              + text
              + "'",
          e);
    }
  }
}
