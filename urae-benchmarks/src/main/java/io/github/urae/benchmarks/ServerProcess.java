package io.github.urae.benchmarks;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.Closeable;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** {@code ./urae serve} in a process of its own, with the bundled model. Linux only. */
final class ServerProcess implements Closeable {

  /** Pixels of a side of the pictures that are asked for. */
  static final int SIDE = 128;

  static final ObjectMapper JSON = new ObjectMapper();

  private final HttpClient client = HttpClient.newHttpClient();
  private final Process process;
  private final String url;

  /**
   * Starts it.
   *
   * @param data folder of its jobs and pictures
   * @throws IOException if it does not start
   */
  ServerProcess(Path data) throws IOException {
    process =
        new ProcessBuilder("./urae", "serve", "--port", "0", "--data", data.toString())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    BufferedReader out = process.inputReader(StandardCharsets.UTF_8);
    String line = out.readLine();
    if (line == null || !line.contains(" on http://")) {
      process.destroy();
      throw new IOException("./urae serve said: " + line);
    }
    url = line.substring(line.indexOf("http://"));
  }

  long pid() {
    return process.pid();
  }

  boolean isAlive() {
    return process.isAlive();
  }

  /** Returns the body that asks for a picture. */
  static String order(int seed, int steps) {
    return "{\"prompt\":\"a sailing boat on the sea\",\"size\":\""
        + SIDE
        + "x"
        + SIDE
        + "\",\"steps\":"
        + steps
        + ",\"seed\":"
        + seed
        + "}";
  }

  HttpResponse<String> post(String path, String body) throws IOException, InterruptedException {
    return client.send(
        HttpRequest.newBuilder(URI.create(url + path))
            .header("Content-Type", "application/json")
            .POST(HttpRequest.BodyPublishers.ofString(body))
            .build(),
        HttpResponse.BodyHandlers.ofString());
  }

  /** Asks for a picture and waits for it; returns its base 64, or nothing where it was refused. */
  String picture(int seed, int steps) throws IOException, InterruptedException {
    HttpResponse<String> answer = post("/v1/images/generations", order(seed, steps));
    return JSON.readTree(answer.body()).at("/data/0/b64_json").asText();
  }

  JsonNode get(String path) throws IOException, InterruptedException {
    return JSON.readTree(
        client
            .send(
                HttpRequest.newBuilder(URI.create(url + path)).build(),
                HttpResponse.BodyHandlers.ofString())
            .body());
  }

  @Override
  public void close() throws IOException {
    process.destroy();
    try {
      process.waitFor();
    } catch (InterruptedException e) {
      throw new IOException(e);
    }
  }

  void kill() throws InterruptedException {
    process.destroyForcibly().waitFor();
  }
}
