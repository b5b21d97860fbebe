package io.github.urae.server;

import io.github.urae.adapter.AdapterSpec;
import io.github.urae.cli.MatchingOptions;
import io.github.urae.cli.ModelOptions;
import io.github.urae.cli.OffloadOption;
import io.github.urae.cli.OutputOptions;
import io.github.urae.cli.Progress;
import io.github.urae.cli.SizeConverter;
import io.github.urae.cli.UraeCommand;
import io.github.urae.pipeline.FluxPipeline;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import org.springframework.boot.logging.LoggingInitializationContext;
import org.springframework.boot.logging.LoggingSystem;
import org.springframework.boot.logging.logback.LogbackLoggingSystem;
import org.springframework.core.env.StandardEnvironment;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

/** {@code urae serve}: draws pictures for other programs, and for people, over HTTP. */
@Command(
    name = "serve",
    description =
        "Draw pictures for other programs over HTTP, as OpenAI's image API does, and for people on"
            + " a page.",
    mixinStandardHelpOptions = true,
    sortOptions = false)
final class ServeCommand implements Callable<Integer> {

  /** Names of the bundled adapters. */
  private static final List<String> BUNDLED = List.of("demo:2k", "demo:4k");

  private static final String LOGGING = "classpath:io/github/urae/server/serve-logback.xml";

  private static final Duration PATIENCE = Duration.ofSeconds(40);

  @Spec CommandSpec spec;
  @ParentCommand UraeCommand urae;

  @Option(
      names = "--port",
      paramLabel = "N",
      defaultValue = "" + ServerSettings.DEFAULT_PORT,
      description = "Where to listen; 0 for a free port (default: ${DEFAULT-VALUE}).")
  int port;

  @Option(
      names = "--address",
      paramLabel = "ADDRESS",
      defaultValue = "127.0.0.1",
      description =
          "Where to listen; others than loopback need a key or --no-auth (default:"
              + " ${DEFAULT-VALUE}).")
  String address;

  @Option(
      names = "--api-key-file",
      paramLabel = "FILE",
      description =
          "Ask callers for the key in the file's first line, 16 characters or more (default: that"
              + " of URAE_API_KEY, if it is set).")
  Path apiKeyFile;

  @Option(names = "--no-auth", description = "Let everybody call who reaches the server.")
  boolean open;

  @Option(
      names = "--data",
      paramLabel = "DIR",
      description =
          "Folder for jobs and pictures (default: $XDG_DATA_HOME/urae/server or"
              + " ~/.local/share/urae/server).")
  Path data;

  @Option(
      names = "--database",
      paramLabel = "URL",
      description =
          "Keep jobs in this database, as in jdbc:postgresql://HOST/NAME; user and password from"
              + " URAE_DATABASE_USER and URAE_DATABASE_PASSWORD (default: one in the data folder).")
  String database;

  @Mixin ModelOptions model;

  @Option(
      names = "--adapter",
      paramLabel = "FILE[=SCALE]",
      description = "Draw everything with this adapter; repeatable, applied in order.")
  List<String> adapters = List.of();

  @Option(
      names = "--adapters",
      paramLabel = "DIR",
      description = "Folder of adapters that requests may name.")
  Path adapterFolder;

  @Mixin MatchingOptions matching;

  @Option(
      names = "--memory-limit",
      paramLabel = "SIZE",
      converter = SizeConverter.class,
      description = "Refuse what is expected to take more memory, as in 6G or 800M.")
  Long memoryLimit;

  @Mixin OffloadOption offload;

  @Option(
      names = "--concurrency",
      paramLabel = "N",
      defaultValue = "1",
      description = "Jobs that are drawn at once (default: ${DEFAULT-VALUE}).")
  int concurrency;

  @Option(
      names = "--queue",
      paramLabel = "N",
      defaultValue = "64",
      description = "Jobs that may wait (default: ${DEFAULT-VALUE}).")
  int maxQueued;

  @Option(
      names = "--max-side",
      paramLabel = "PIXELS",
      defaultValue = "4096",
      description = "Longest side of a picture (default: ${DEFAULT-VALUE}).")
  int maxSide;

  @Option(
      names = "--keep",
      paramLabel = "N",
      defaultValue = "1000",
      description = "Finished jobs that are kept with their pictures (default: ${DEFAULT-VALUE}).")
  int keptJobs;

  @Option(
      names = "--cors",
      paramLabel = "ORIGIN",
      description = "Let pages of this origin call the server; repeatable.")
  List<String> origins = List.of();

  @Option(
      names = "--allowed-host",
      paramLabel = "NAME",
      description =
          "Name that the server may be called by, behind a proxy, beside that of --public-url;"
              + " repeatable.")
  List<String> hosts = List.of();

  @Option(
      names = "--public-url",
      paramLabel = "URL",
      description = "What links to pictures begin with, behind a proxy.")
  URI publicUrl;

  @Mixin OutputOptions verbosity;

  @Override
  public Integer call() throws IOException, InterruptedException {
    logWarnings();
    urae.endsWhenInterrupted(
        PATIENCE, "jobs that were not finished are drawn after the next start");
    ServerSettings settings = settings();
    CountDownLatch end = new CountDownLatch(1);
    urae.cancellation().onCancel(end::countDown);
    try (FluxPipeline pipeline = pipeline();
        UraeServer server = UraeServer.start(pipeline, settings)) {
      String host = address.contains(":") ? "[" + address + "]" : address;
      spec.commandLine()
          .getOut()
          .printf("%s on http://%s:%d%n", pipeline.model().name(), host, server.port());
      spec.commandLine().getOut().flush();
      end.await();
    }
    return 0;
  }

  /** Logging is the process's, which is this command's; where Logback is not, it stays as it is. */
  private static void logWarnings() {
    if (LoggingSystem.get(ServeCommand.class.getClassLoader())
        instanceof LogbackLoggingSystem logging) {
      logging.beforeInitialize();
      logging.initialize(
          new LoggingInitializationContext(new StandardEnvironment()), LOGGING, null);
    }
  }

  private FluxPipeline pipeline() throws IOException {
    try (Progress progress = verbosity.progress()) {
      FluxPipeline.Builder builder =
          model.pipeline().listener(progress).cancellation(urae.cancellation());
      matching.applyTo(builder);
      offload.applyTo(builder);
      List<AdapterSpec> always = new ArrayList<>();
      for (String text : adapters) {
        always.add(model.adapter(text));
      }
      builder.adapters(always);
      if (memoryLimit != null) {
        builder.memoryLimit(memoryLimit);
      }
      return builder.build();
    }
  }

  private ServerSettings settings() throws IOException {
    ServerSettings.Builder settings =
        ServerSettings.builder(data == null ? defaultData() : data)
            .address(address)
            .port(port)
            .concurrency(concurrency)
            .maxQueued(maxQueued)
            .maxSide(maxSide)
            .keptJobs(keptJobs)
            .allowedOrigins(origins)
            .allowedHosts(hosts)
            .bundledAdapters(bundled());
    key().ifPresent(settings::apiKey);
    if (open) {
      settings.open();
    }
    if (database != null) {
      settings.database(
          new ServerSettings.Database(
              database,
              Optional.ofNullable(System.getenv("URAE_DATABASE_USER")),
              Optional.ofNullable(System.getenv("URAE_DATABASE_PASSWORD"))));
    }
    if (adapterFolder != null) {
      // Before a large model is loaded.
      UraeServer.checkAdapters(adapterFolder);
      settings.adapterFolder(adapterFolder);
    }
    if (publicUrl != null) {
      settings.publicUrl(publicUrl);
    }
    if (memoryLimit != null) {
      settings.memoryLimit(memoryLimit);
    }
    return settings.build();
  }

  private Optional<String> key() throws IOException {
    if (apiKeyFile == null) {
      return Optional.ofNullable(System.getenv("URAE_API_KEY")).filter(key -> !key.isEmpty());
    }
    return Optional.of(Files.readString(apiKeyFile).lines().findFirst().orElse("").strip());
  }

  /** They fit no other model. */
  private Map<String, Path> bundled() throws IOException {
    Map<String, Path> files = new LinkedHashMap<>();
    if (model.isBundled()) {
      for (String name : BUNDLED) {
        files.put(name, model.adapter(name).path());
      }
    }
    return files;
  }

  private static Path defaultData() {
    String home = System.getenv("XDG_DATA_HOME");
    Path base =
        home == null || home.isEmpty()
            ? Path.of(System.getProperty("user.home"), ".local", "share")
            : Path.of(home);
    return base.resolve("urae").resolve("server");
  }
}
