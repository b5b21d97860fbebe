package io.github.urae.server.internal.job;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.springframework.jdbc.core.simple.JdbcClient;

/**
 * Jobs in a database, PostgreSQL or H2, in the SQL that both know. Every change is on its own and
 * there when the call returns. Thread-safe.
 */
public final class JobStore {

  /** Scripts that make version 1, 2, ... of the tables out of the one before. */
  private static final int SCHEMA_VERSION = 1;

  private final JdbcClient database;
  private final DatabaseLock lock;

  /**
   * Makes the tables where they are missing or of an earlier release.
   *
   * @param lock without which no job is added or begun
   */
  public JobStore(JdbcClient database, DatabaseLock lock) {
    this.database = database;
    this.lock = lock;
    database.sql("create table if not exists urae_schema (version int not null)").update();
    int version =
        database
            .sql("select coalesce(max(version), 0) from urae_schema")
            .query(Integer.class)
            .single();
    if (version > SCHEMA_VERSION) {
      throw new UncheckedIOException(
          new IOException(
              "the database is of a newer release: expected tables of version "
                  + SCHEMA_VERSION
                  + " or before, found "
                  + version));
    }
    for (int next = version + 1; next <= SCHEMA_VERSION; next++) {
      for (String statement : script(next).split(";\\s*\n", 0)) {
        database.sql(statement).update();
      }
      database.sql("insert into urae_schema (version) values (?)").param(next).update();
    }
  }

  private static String script(int version) {
    try (InputStream in = JobStore.class.getResourceAsStream("schema-" + version + ".sql")) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Adds a job that waits. */
  void add(String id, Drawing drawing, boolean attached) {
    lock.check();
    database
        .sql(
            "insert into urae_job (id, kind, status, attached, created, drawing)"
                + " values (?, ?, ?, ?, ?, ?)")
        .params(
            id,
            drawing.kind().id(),
            JobStatus.QUEUED.id(),
            attached,
            Instant.now().toEpochMilli(),
            drawing.toText())
        .update();
  }

  /** Notes that a job is begun. */
  void begin(String id) {
    lock.check();
    database
        .sql("update urae_job set status = ?, started = ?, attempts = attempts + 1 where id = ?")
        .params(JobStatus.GENERATING.id(), Instant.now().toEpochMilli(), id)
        .update();
  }

  /** Puts a job that an orderly end has stopped back, as if it had not been begun. */
  void takeBack(String id) {
    database
        .sql("update urae_job set status = ?, started = null, attempts = attempts - 1 where id = ?")
        .params(JobStatus.QUEUED.id(), id)
        .update();
  }

  /** Puts a job that was begun back among those that wait. */
  void putBack(String id) {
    database
        .sql("update urae_job set status = ?, started = null where id = ?")
        .params(JobStatus.QUEUED.id(), id)
        .update();
  }

  /** Notes that a job's pictures are there. */
  void complete(String id, int pictures) {
    database
        .sql("update urae_job set status = ?, completed = ?, pictures = ? where id = ?")
        .params(JobStatus.COMPLETED.id(), Instant.now().toEpochMilli(), pictures, id)
        .update();
  }

  /** Notes that a job was ended by its caller. */
  void cancel(String id) {
    database
        .sql("update urae_job set status = ?, completed = ? where id = ?")
        .params(JobStatus.CANCELLED.id(), Instant.now().toEpochMilli(), id)
        .update();
  }

  /** Notes that a job failed. */
  void fail(String id, JobFailure failure) {
    database
        .sql(
            "update urae_job set status = ?, completed = ?, failure = ?, failure_code = ?,"
                + " failure_parameter = ?, failure_status = ? where id = ?")
        .params(
            JobStatus.FAILED.id(),
            Instant.now().toEpochMilli(),
            failure.message(),
            failure.code(),
            failure.parameter(),
            failure.status(),
            id)
        .update();
  }

  /** Removes a job. */
  void remove(String id) {
    database.sql("delete from urae_job where id = ?").param(id).update();
  }

  /** Returns a job. */
  public Optional<Job> find(String id) {
    return database
        .sql("select * from urae_job where id = ?")
        .param(id)
        .query((row, index) -> job(row))
        .optional();
  }

  /**
   * Returns jobs, the newest first.
   *
   * @param limit how many at most
   * @param before the number that they are below
   */
  public List<Job> newest(int limit, long before) {
    return database
        .sql("select * from urae_job where number < ? order by number desc limit ?")
        .params(before, limit)
        .query((row, index) -> job(row))
        .list();
  }

  /** Returns jobs that have not ended, the oldest first. */
  List<Job> unfinished() {
    return database
        .sql("select * from urae_job where status in (?, ?) order by number")
        .params(JobStatus.QUEUED.id(), JobStatus.GENERATING.id())
        .query((row, index) -> job(row))
        .list();
  }

  /** Returns ids of ended jobs beyond the newest. */
  List<String> surplus(int kept) {
    return database
        .sql(
            "select id from urae_job where status not in (?, ?) order by number desc"
                + " offset ? rows fetch next 100 rows only")
        .params(JobStatus.QUEUED.id(), JobStatus.GENERATING.id(), kept)
        .query(String.class)
        .list();
  }

  /** Returns ids of all jobs. */
  List<String> ids() {
    return database.sql("select id from urae_job").query(String.class).list();
  }

  /** Returns operations a second by class of size. */
  Map<Integer, Double> speeds() {
    return database
        .sql("select size_class, operations from urae_speed")
        .query((row, index) -> Map.entry(row.getInt(1), row.getDouble(2)))
        .list()
        .stream()
        .collect(Collectors.toMap(Map.Entry::getKey, Map.Entry::getValue));
  }

  /** Notes operations a second of a class of size. */
  void setSpeed(int sizeClass, double operations) {
    int changed =
        database
            .sql("update urae_speed set operations = ? where size_class = ?")
            .params(operations, sizeClass)
            .update();
    if (changed == 0) {
      database
          .sql("insert into urae_speed (size_class, operations) values (?, ?)")
          .params(sizeClass, operations)
          .update();
    }
  }

  private static Job job(ResultSet row) throws SQLException {
    String failure = row.getString("failure");
    return new Job(
        row.getString("id"),
        row.getLong("number"),
        JobKind.of(row.getString("kind")),
        JobStatus.of(row.getString("status")),
        row.getBoolean("attached"),
        row.getInt("attempts"),
        Instant.ofEpochMilli(row.getLong("created")),
        time(row, "started"),
        time(row, "completed"),
        row.getString("drawing"),
        row.getInt("pictures"),
        failure == null
            ? Optional.empty()
            : Optional.of(
                new JobFailure(
                    failure,
                    row.getString("failure_code"),
                    row.getString("failure_parameter"),
                    row.getInt("failure_status"))));
  }

  private static Optional<Instant> time(ResultSet row, String column) throws SQLException {
    long millis = row.getLong(column);
    return row.wasNull() ? Optional.empty() : Optional.of(Instant.ofEpochMilli(millis));
  }
}
