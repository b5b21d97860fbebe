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

  /** Another program may take a free port before PostgreSQL does. */
  private static final int TRIES = 3;

  private static final String WAIT_SECONDS = "240";

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
    // Below the system's folder, since PostgreSQL's own user has to get there.
    Path cluster = Files.createTempDirectory(Path.of("/tmp"), "urae-postgres");
    if (isRoot()) {
      run(List.of("chown", "postgres", cluster.toString()));
    }
    String data = cluster.resolve("data").toString();
    Postgres server = new Postgres(programs, cluster, freePort());
    server.asOwner("initdb", "-D", data, "-U", "urae", "-A", "trust", "-N");
    for (int tries = 1; ; tries++) {
      try {
        server.asOwner(
            "pg_ctl",
            "-D",
            data,
            "-l",
            cluster.resolve("log").toString(),
            "-w",
            "-t",
            WAIT_SECONDS,
            "-o",
            "-p " + server.port + " -h 127.0.0.1 -k " + cluster + " -F",
            "start");
        return Optional.of(server);
      } catch (IOException e) {
        if (tries == TRIES) {
          throw e;
        }
        server = new Postgres(programs, cluster, freePort());
      }
    }
  }

  private static int freePort() throws IOException {
    try (ServerSocket free = new ServerSocket(0)) {
      return free.getLocalPort();
    }
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
      if (!process.waitFor(5, TimeUnit.MINUTES) || process.exitValue() != 0) {
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
    asOwner(
        "pg_ctl",
        "-D",
        cluster.resolve("data").toString(),
        "-m",
        "immediate",
        "-w",
        "-t",
        WAIT_SECONDS,
        "stop");
    try (Stream<Path> files = Files.walk(cluster)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    }
  }
}
