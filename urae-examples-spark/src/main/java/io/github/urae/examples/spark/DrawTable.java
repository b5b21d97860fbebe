package io.github.urae.examples.spark;

import static org.apache.spark.sql.functions.coalesce;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.concat_ws;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.row_number;
import static org.apache.spark.sql.functions.sha2;
import static org.apache.spark.sql.functions.struct;
import static org.apache.spark.sql.functions.to_json;
import static org.apache.spark.sql.functions.when;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.expressions.Window;

/**
 * Draws a table of requests: {@code DrawTable REQUESTS RESULTS MODEL [CHUNK]}.
 *
 * <p>REQUESTS is Parquet, or JSON (a name that ends in {@code .json}, or a folder of such a name;
 * one object a line): a row for each picture, with {@code id} and {@code prompt}, and as far as
 * wanted {@code width}, {@code height}, {@code steps}, {@code guidance}, {@code seed}; or with
 * {@code request}, the JSON of a request. Other columns are left aside. A row without an id gets
 * one of its content, with a number where others say the same.
 *
 * <p>RESULTS becomes Parquet: {@code id}, {@code picture} (PNG, with its settings in the file),
 * {@code request} (the JSON that draws the same again), {@code seconds}, or {@code error} in the
 * place of a picture.
 *
 * <p>Spark makes a job's results visible at its end. So CHUNK rows are a job each; started again
 * after whatever end, the program draws what is not in RESULTS.
 */
public final class DrawTable {

  private static final String CONTENT = "_content";

  private final SparkSession spark;
  private final String model;
  private final int chunk;

  /**
   * Creates the job.
   *
   * @param spark runs it
   * @param model a path or id as for a pipeline, the same on every machine
   * @param chunk rows a job: what is lost at most if the program ends, and at least a few for each
   *     task that runs at a time
   * @throws IllegalArgumentException if a job would have no rows
   */
  public DrawTable(SparkSession spark, String model, int chunk) {
    if (chunk < 1) {
      throw new IllegalArgumentException("chunk: expected at least 1 row, found " + chunk);
    }
    this.spark = spark;
    this.model = model;
    this.chunk = chunk;
  }

  /** Runs the job. */
  public static void main(String[] arguments) throws IOException {
    if (arguments.length < 3 || arguments.length > 4) {
      throw new IllegalArgumentException("usage: DrawTable REQUESTS RESULTS MODEL [CHUNK]");
    }
    try (SparkSession spark = SparkSession.builder().appName("URAE").getOrCreate()) {
      int chunk = arguments.length > 3 ? Integer.parseInt(arguments[3]) : 256;
      new DrawTable(spark, arguments[2], chunk).draw(arguments[0], arguments[1]);
    }
  }

  /**
   * Draws what is not drawn yet. One job at a time may write to a folder of results.
   *
   * @param requests a file or folder of any file system that Spark reads
   * @param results a folder; made if missing
   * @throws IOException if the file system fails
   */
  public void draw(String requests, String results) throws IOException {
    Path folder = new Path(results);
    FileSystem files = folder.getFileSystem(spark.sparkContext().hadoopConfiguration());
    files.mkdirs(folder);
    // What a killed job's tasks left there, the next job would take for its own tasks' results.
    files.delete(new Path(folder, "_temporary"), true);
    Dataset<Row> rows = read(requests);
    long twice = rows.count() - rows.select("id").distinct().count();
    if (twice > 0) {
      throw new IllegalArgumentException(
          requests + ": expected an id for each row, found " + twice + " that others have, too");
    }
    int tasks = spark.sparkContext().defaultParallelism();
    RowDrawing drawing = new RowDrawing(model);
    while (true) {
      Dataset<Row> done = spark.read().schema(RowDrawing.RESULTS).parquet(results).select("id");
      Dataset<Row> next = rows.join(done, rows.col("id").equalTo(done.col("id")), "left_anti");
      List<Row> batch = next.orderBy("id").limit(chunk).collectAsList();
      if (batch.isEmpty()) {
        break;
      }
      // From here on the rows are fixed, whatever becomes of the files that they are from.
      write(
          spark
              .createDataset(batch, Encoders.row(RowDrawing.REQUESTS))
              .repartition(Math.min(tasks, batch.size()))
              .mapPartitions(drawing, Encoders.row(RowDrawing.RESULTS)),
          results);
    }
    if (files.listStatus(folder).length == 0) {
      // Of no requests: a table all the same.
      write(spark.createDataset(List.of(), Encoders.row(RowDrawing.RESULTS)), results);
    }
  }

  private static void write(Dataset<Row> rows, String results) {
    rows.write()
        // A task that is repeated after its executor was lost replaces what it had written.
        .option("mapreduce.fileoutputcommitter.algorithm.version", 1)
        .mode(SaveMode.Append)
        .parquet(results);
  }

  /** Reads all columns as text: what a value means is found out row by row. */
  private Dataset<Row> read(String requests) {
    Dataset<Row> table =
        requests.endsWith(".json")
            ? spark.read().schema(RowDrawing.REQUESTS).json(requests)
            : texts(spark.read().parquet(requests));
    List<Column> columns = new ArrayList<>();
    for (String name : RowDrawing.REQUESTS.fieldNames()) {
      columns.add(name.equals("id") ? id().as(name) : col(name));
    }
    return table
        .withColumn(CONTENT, sha2(to_json(struct(col("*"))), 256))
        .select(columns.toArray(new Column[0]));
  }

  /** Columns are found as SQL finds them: in capitals, too. */
  private static Dataset<Row> texts(Dataset<Row> table) {
    List<Column> columns = new ArrayList<>();
    for (String name : RowDrawing.REQUESTS.fieldNames()) {
      columns.add(
          Arrays.stream(table.columns())
              .filter(name::equalsIgnoreCase)
              .findFirst()
              .map(table::col)
              .orElse(lit(null))
              .cast("string")
              .as(name));
    }
    return table.select(columns.toArray(new Column[0]));
  }

  /**
   * Rows that say the same can stand for each other: which of them has which number is no matter.
   */
  private static Column id() {
    Column content = col(CONTENT);
    Column number = row_number().over(Window.partitionBy(col("id"), content).orderBy(content));
    return coalesce(
        col("id"), when(number.equalTo(1), content).otherwise(concat_ws("-", content, number)));
  }
}
