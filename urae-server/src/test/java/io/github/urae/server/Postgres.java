package io.github.urae.server;

import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** A PostgreSQL server of a test, from Debian's package, in a folder of its own. */
final class Postgres implements AutoCloseable {

  private static final Path INSTALLED = Path.of("/usr/lib/postgresql");

  private final Path programs;
  private final Path cluster;
  private final int port;

  private Postgres(Path programs, Path cluster, int port) {
    this.programs = programs;
    this.cluster = cluster;
    this.port = port;
  }

  /** Starts a server; empty where none is installed. */
  static Optional<Postgres> start() throws IOException {
    if (!Files.isDirectory(INSTALLED)) {
      return Optional.empty();
    }
    Path programs;
    try (Stream<Path> versions = Files.list(INSTALLED)) {
      programs = versions.max(Comparator.naturalOrder()).orElseThrow().resolve("bin");
    }
    if (!Files.isExecutable(programs.resolve("postgres"))) {
      return Optional.empty();
    }
    int port;
    try (ServerSocket free = new ServerSocket(0)) {
      port = free.getLocalPort();
    }
    // Below the system's folder, since PostgreSQL's own user has to get there.
    Path cluster = Files.createTempDirectory(Path.of("/tmp"), "urae-postgres");
    if (isRoot()) {
      run(List.of("chown", "postgres", cluster.toString()));
    }
    Postgres server = new Postgres(programs, cluster, port);
    server.asOwner(
        "initdb", "-D", cluster.resolve("data").toString(), "-U", "urae", "-A", "trust", "-N");
    server.asOwner(
        "pg_ctl",
        "-D",
        cluster.resolve("data").toString(),
        "-l",
        cluster.resolve("log").toString(),
        "-w",
        "-o",
        "-p " + port + " -h 127.0.0.1 -k " + cluster + " -F",
        "start");
    return Optional.of(server);
  }

  String url() {
    return "jdbc:postgresql://127.0.0.1:" + port + "/postgres";
  }

  private static boolean isRoot() {
    return System.getProperty("user.name").equals("root");
  }

  /** It does not run as root. */
  private void asOwner(String program, String... arguments) throws IOException {
    List<String> command = new ArrayList<>();
    if (isRoot()) {
      command.addAll(List.of("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"));
    }
    command.add(programs.resolve(program).toString());
    command.addAll(List.of(arguments));
    run(command);
  }

  private static void run(List<String> command) throws IOException {
    Path output = Files.createTempFile("command", ".log");
    Process process =
        new ProcessBuilder(command)
            .directory(Path.of("/").toFile())
            .redirectErrorStream(true)
            .redirectOutput(output.toFile())
            .start();
    try {
      if (!process.waitFor(60, TimeUnit.SECONDS) || process.exitValue() != 0) {
        process.destroyForcibly();
        throw new IOException(command + ": " + Files.readString(output));
      }
    } catch (InterruptedException e) {
      throw new IOException(command + " was interrupted", e);
    }
    Files.delete(output);
  }

  @Override
  public void close() throws IOException {
    asOwner("pg_ctl", "-D", cluster.resolve("data").toString(), "-m", "immediate", "-w", "stop");
    try (Stream<Path> files = Files.walk(cluster)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    }
  }
}
