package io.github.urae.server;

import io.github.urae.demo.DemoModel;
import io.github.urae.pipeline.FluxPipeline;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.UnaryOperator;
import java.util.logging.Level;
import java.util.logging.Logger;

/** A server with the bundled model, on a free port. */
final class RunningServer implements AutoCloseable {

  static final Path FILES = Path.of("target", "test-cache").toAbsolutePath();

  /** One for all tests, which follow each other. */
  private static FluxPipeline pipeline;

  private static DemoModel model;

  /** Tomcat's, which tells of every start. */
  private static final Logger TOMCAT = Logger.getLogger("org.apache");

  static {
    TOMCAT.setLevel(Level.WARNING);
  }

  private final UraeServer server;
  final Path data;
  final HttpClient client = HttpClient.newHttpClient();

  private RunningServer(UraeServer server, Path data) {
    this.server = server;
    this.data = data;
  }

  static synchronized DemoModel model() throws IOException {
    if (model == null) {
      model = DemoModel.unpackInto(FILES);
    }
    return model;
  }

  static synchronized FluxPipeline pipeline() throws IOException {
    if (pipeline == null) {
      pipeline = FluxPipeline.builder().model(model().checkpoint()).cacheFolder(FILES).build();
    }
    return pipeline;
  }

  static RunningServer start() throws IOException {
    return start(settings -> settings);
  }

  static RunningServer start(UnaryOperator<ServerSettings.Builder> change) throws IOException {
    Files.createDirectories(FILES);
    return start(Files.createTempDirectory(FILES, "data"), change);
  }

  static RunningServer start(Path data, UnaryOperator<ServerSettings.Builder> change)
      throws IOException {
    ServerSettings settings = change.apply(ServerSettings.builder(data).port(0)).build();
    return new RunningServer(UraeServer.start(pipeline(), settings), data);
  }

  int port() {
    return server.port();
  }

  String url(String path) {
    return "http://127.0.0.1:" + port() + path;
  }

  HttpRequest.Builder request(String path) {
    return HttpRequest.newBuilder(URI.create(url(path)));
  }

  HttpResponse<String> send(HttpRequest.Builder request) {
    return send(request, HttpResponse.BodyHandlers.ofString());
  }

  <T> HttpResponse<T> send(HttpRequest.Builder request, HttpResponse.BodyHandler<T> handler) {
    try {
      return client.send(request.build(), handler);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  HttpResponse<String> get(String path) {
    return send(request(path));
  }

  HttpResponse<String> post(String path, String json) {
    return send(
        request(path)
            .header("Content-Type", "application/json")
            .POST(HttpRequest.BodyPublishers.ofString(json)));
  }

  @Override
  public void close() throws IOException {
    server.close();
  }
}
