package io.github.urae.server.internal.job;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import javax.sql.DataSource;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps a database for one server, since two would each draw the jobs that the other has. A lock of
 * PostgreSQL's for the tables' schema, which ends with the connection that holds it, so that no end
 * of a process leaves it behind; other databases are files of a folder that is locked itself.
 * Thread-safe.
 *
 * @see <a href="https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS">
 *     Advisory locks</a>
 */
public final class DatabaseLock implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(DatabaseLock.class);

  /** The four letters of the name, and the schema's number, so that nobody else's is the same. */
  private static final String KEY =
      "((1970430309::bigint << 32) + coalesce((select oid::bigint from pg_namespace where nspname ="
          + " current_schema()), 0))";

  /** As PostgreSQL shows the two halves of the number. */
  private static final String HOLDER =
      "select coalesce(host(client_addr), 'this machine'), pid from pg_stat_activity"
          + " where pid = (select pid from pg_locks where locktype = 'advisory' and granted"
          + " and objsubid = 1 and classid = 1970430309 and objid = ("
          + KEY
          + " & 4294967295)::oid)";

  private static final String NOT_AVAILABLE = "55P03";

  private static final int VALID_SECONDS = 5;

  private final DataSource database;
  private final String name;

  /** Holds the lock; null where none is needed. */
  private Connection holder;

  /**
   * Takes the lock, after a moment if another server is just ending.
   *
   * @param database where the tables are, or will be
   * @param name what messages call it
   * @throws IOException if another server has it
   * @throws SQLException if the database does not answer
   */
  public DatabaseLock(DataSource database, String name) throws IOException, SQLException {
    this.database = database;
    this.name = name;
    this.holder = taken();
  }

  private Connection taken() throws IOException, SQLException {
    Connection connection = database.getConnection();
    boolean locked = false;
    try {
      if (!connection.getMetaData().getDatabaseProductName().equals("PostgreSQL")) {
        return null;
      }
      lock(connection);
      locked = true;
      return connection;
    } finally {
      if (!locked) {
        connection.close();
      }
    }
  }

  private void lock(Connection connection) throws IOException, SQLException {
    try (Statement statement = connection.createStatement()) {
      // A machine that has gone without a word is noticed soon, and its lock is free.
      statement.execute("set tcp_keepalives_idle = 60");
      statement.execute("set tcp_keepalives_interval = 10");
      statement.execute("set tcp_keepalives_count = 3");
      statement.execute("set lock_timeout = '2s'");
      try {
        statement.execute("select pg_advisory_lock(" + KEY + ")");
      } catch (SQLException e) {
        if (NOT_AVAILABLE.equals(e.getSQLState())) {
          throw new IOException(
              name
                  + ": another server uses this database"
                  + holder(statement)
                  + "; stop it, or give each a database of its own, or a schema:"
                  + " ?currentSchema=NAME",
              e);
        }
        throw e;
      } finally {
        statement.execute("reset lock_timeout");
      }
    }
  }

  private static String holder(Statement statement) throws SQLException {
    try (ResultSet found = statement.executeQuery(HOLDER)) {
      return found.next()
          ? ", from " + found.getString(1) + ", process " + found.getInt(2) + " of PostgreSQL"
          : "";
    }
  }

  /**
   * Makes sure that the lock is still this server's, and takes it again after its connection broke.
   *
   * @throws UncheckedIOException if another server has it by now, or the database does not answer
   */
  synchronized void check() {
    if (holder == null) {
      return;
    }
    try {
      if (!holder.isValid(VALID_SECONDS)) {
        giveBack(holder);
        holder = taken();
        LOG.warn("{}: the connection was lost; it is this server's again", name);
      }
    } catch (SQLException e) {
      throw new UncheckedIOException(new IOException(name + ": " + e.getMessage(), e));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Leaves the database to others. */
  @Override
  public synchronized void close() {
    if (holder == null) {
      return;
    }
    try (Statement statement = holder.createStatement()) {
      statement.execute("select pg_advisory_unlock_all()");
    } catch (SQLException e) {
      LOG.debug("{}: the lock has ended with its connection", name, e);
    }
    giveBack(holder);
    holder = null;
  }

  private void giveBack(Connection connection) {
    try {
      connection.close();
    } catch (SQLException e) {
      LOG.debug("{}: a broken connection", name, e);
    }
  }
}
