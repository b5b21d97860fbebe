package io.github.urae.server;

import io.github.urae.pipeline.FluxPipeline;
import io.github.urae.server.internal.http.ServerConfiguration;
import io.github.urae.server.internal.job.JobQueue;
import java.io.IOException;
import java.net.BindException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.SQLException;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import org.springframework.boot.web.server.PortInUseException;
import org.springframework.boot.web.server.servlet.context.AnnotationConfigServletWebServerApplicationContext;
import org.springframework.core.env.MapPropertySource;
import org.springframework.core.env.MutablePropertySources;
import org.springframework.core.env.StandardEnvironment;

/**
 * A server that draws with a pipeline: OpenAI's image API, jobs, and a page.
 *
 * <pre>{@code
 * try (FluxPipeline pipeline = FluxPipeline.builder().model(Path.of("FLUX.1-dev")).build();
 *     UraeServer server =
 *         UraeServer.start(pipeline, ServerSettings.builder(Path.of("data")).build())) {
 *   System.out.println("http://127.0.0.1:" + server.port());
 *   Thread.currentThread().join();
 * }
 * }</pre>
 *
 * <p>Jobs and pictures are kept in the data folder, or jobs in a database elsewhere: what was
 * finished is there after a restart, what was not is drawn then, however the process ended. Owns
 * threads, connections and files until it is closed; the pipeline stays its caller's.
 *
 * <p>An application around it keeps its own: the server takes no beans, settings, listeners,
 * auto-configurations or pages from its class path and environment, and leaves logging as it is.
 */
public final class UraeServer implements AutoCloseable {

  /** How long answers may take to be sent after the last job has ended. */
  private static final Duration LAST_ANSWERS = Duration.ofSeconds(10);

  private final AnnotationConfigServletWebServerApplicationContext context;
  private final FileChannel lock;

  private UraeServer(AnnotationConfigServletWebServerApplicationContext context, FileChannel lock) {
    this.context = context;
    this.lock = lock;
  }

  /**
   * Starts a server, which answers when this returns.
   *
   * @param pipeline draws; its adapters are the server's to change until it is closed
   * @param settings where it listens, and what it refuses
   * @return the server; the caller closes it
   * @throws IOException if the data folder cannot be written to or another server uses it, the
   *     address is in use, the database does not answer or another server uses it, or the folder of
   *     adapters cannot be read
   */
  public static UraeServer start(FluxPipeline pipeline, ServerSettings settings)
      throws IOException {
    if (settings.adapterFolder().isPresent()) {
      checkAdapters(settings.adapterFolder().get());
    }
    createFolder(settings.dataFolder());
    FileChannel lock = lock(settings.dataFolder());
    try {
      return new UraeServer(open(pipeline, settings), lock);
    } catch (RuntimeException e) {
      lock.close();
      throw explained(e, settings);
    } catch (Error e) {
      lock.close();
      throw e;
    }
  }

  /** Refuses what is no folder that can be listed. */
  static void checkAdapters(Path folder) throws IOException {
    if (!Files.isDirectory(folder) || !Files.isReadable(folder)) {
      throw new IOException(
          folder
              + ": expected a folder of adapters, found "
              + (Files.isDirectory(folder)
                  ? "one that cannot be read"
                  : Files.exists(folder) ? "a file" : "nothing")
              + "; make it, or start without (--adapters)");
    }
  }

  /** Spring wraps what went wrong many times. */
  private static IOException explained(RuntimeException failure, ServerSettings settings) {
    for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
      if (cause instanceof PortInUseException || cause instanceof BindException) {
        return new IOException(
            settings.address()
                + ":"
                + settings.port()
                + ": the server cannot listen there: another program does, or the address is not"
                + " this machine's; choose another port, or 0 for a free one",
            failure);
      }
      if (cause instanceof SQLException e) {
        return new IOException(
            settings.database().map(ServerSettings.Database::toString).orElse("the jobs' database")
                + ": "
                + e.getMessage(),
            failure);
      }
      if (cause instanceof IOException e) {
        return e;
      }
    }
    throw failure;
  }

  /** Pictures and prompts are its user's alone. */
  private static void createFolder(Path folder) throws IOException {
    if (!Files.isDirectory(folder)) {
      Path parent = folder.toAbsolutePath().getParent();
      Files.createDirectories(parent);
      if (Files.getFileStore(parent).supportsFileAttributeView("posix")) {
        Files.createDirectory(
            folder,
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
      } else {
        Files.createDirectory(folder);
      }
    }
  }

  /** Two servers would each draw the jobs that the other has left. */
  private static FileChannel lock(Path folder) throws IOException {
    FileChannel channel =
        FileChannel.open(
            folder.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    try {
      FileLock lock = channel.tryLock();
      if (lock != null) {
        return channel;
      }
    } catch (OverlappingFileLockException e) {
      // Of this process.
    }
    channel.close();
    throw new IOException(folder + ": another server uses this folder");
  }

  /**
   * Without {@code SpringApplication}, which takes listeners and settings from the class path and
   * the environment, and sets up the process's logging: all of it may be another application's.
   */
  private static AnnotationConfigServletWebServerApplicationContext open(
      FluxPipeline pipeline, ServerSettings settings) {
    AnnotationConfigServletWebServerApplicationContext context =
        new AnnotationConfigServletWebServerApplicationContext();
    context.setClassLoader(UraeServer.class.getClassLoader());
    context.setEnvironment(new OwnEnvironment(properties(settings)));
    context.setAllowBeanDefinitionOverriding(false);
    // Without a method to call at the end: the pipeline is its caller's to close.
    context.registerBean(
        ServerSettings.class, () -> settings, bean -> bean.setDestroyMethodName(""));
    context.registerBean(FluxPipeline.class, () -> pipeline, bean -> bean.setDestroyMethodName(""));
    context.register(ServerConfiguration.class);
    context.refresh();
    return context;
  }

  /** Knows the server's settings alone, neither the process's variables nor its properties. */
  private static final class OwnEnvironment extends StandardEnvironment {

    OwnEnvironment(Map<String, Object> properties) {
      getPropertySources().addFirst(new MapPropertySource("settings", properties));
    }

    @Override
    protected void customizePropertySources(MutablePropertySources sources) {
      // Called before there is anything of the server's: the process's are left out.
    }
  }

  private static Map<String, Object> properties(ServerSettings settings) {
    Map<String, Object> values = new LinkedHashMap<>();
    values.put("server.address", settings.address());
    values.put("server.port", settings.port());
    values.put("server.shutdown", "graceful");
    values.put("spring.lifecycle.timeout-per-shutdown-phase", LAST_ANSWERS.toMillis() + "ms");
    values.put("server.tomcat.threads.max", ServerConfiguration.threads(settings));
    values.put("server.tomcat.connection-timeout", settings.patience().toMillis() + "ms");
    values.put("server.tomcat.max-swallow-size", "32MB");
    values.put(
        "server.tomcat.basedir",
        settings.dataFolder().toAbsolutePath().resolve("temporary").resolve("tomcat").toString());
    values.put("spring.web.resources.add-mappings", "false");
    values.put("spring.mvc.log-resolved-exception", "false");
    values.put("spring.datasource.hikari.maximum-pool-size", 9);
    if (settings.database().isPresent()) {
      ServerSettings.Database database = settings.database().get();
      values.put("spring.datasource.url", database.url());
      database.user().ifPresent(user -> values.put("spring.datasource.username", user));
      database.password().ifPresent(word -> values.put("spring.datasource.password", word));
    } else {
      // Written at once: what is acknowledged outlives the process. Without more, the database
      // would keep pages in memory as the heap allows, which is hundreds of megabytes.
      values.put(
          "spring.datasource.url",
          "jdbc:h2:file:"
              + settings.dataFolder().toAbsolutePath().resolve("jobs-database")
              + ";WRITE_DELAY=0;DB_CLOSE_ON_EXIT=FALSE;CACHE_SIZE=4096");
    }
    return values;
  }

  /**
   * Returns where the server listens.
   *
   * @return the port, also where a free one was asked for
   */
  public int port() {
    return context.getWebServer().getPort();
  }

  /**
   * Ends the server: no more jobs are taken, what is drawn ends, and is drawn again after the next
   * start unless its caller waited, who is answered with 503. Closing twice is harmless.
   *
   * @throws IOException if the data folder cannot be released
   */
  @Override
  public void close() throws IOException {
    try {
      if (context.isActive()) {
        // While those who wait can still be told.
        context.getBean(JobQueue.class).close();
      }
    } finally {
      try {
        context.close();
      } finally {
        lock.close();
      }
    }
  }
}
