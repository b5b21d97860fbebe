package io.github.urae.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.urae.InvalidRequestException;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.ConnectException;
import java.net.Socket;
import java.net.SocketException;
import java.net.URLEncoder;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import java.util.zip.DeflaterOutputStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What callers may not do. */
@SuppressWarnings("StringConcatToTextBlock") // Lines of HTTP end otherwise.
class SecurityTest {

  private static final String KEY = "a-key-of-some-length";

  /** Without a key, on loopback. */
  private static RunningServer server;

  private static RunningServer guarded;

  @BeforeAll
  static void start() throws IOException {
    Files.createDirectories(RunningServer.FILES);
    Path adapters = Files.createTempDirectory(RunningServer.FILES, "adapters");
    Files.writeString(adapters.getParent().resolve("secret.safetensors"), "not to be named");
    server =
        RunningServer.start(
            settings ->
                settings.adapterFolder(adapters).maxUploadBytes(1 << 20).maxUploadPixels(1 << 20));
    guarded =
        RunningServer.start(
            settings ->
                settings
                    .address("0.0.0.0")
                    .apiKey(KEY)
                    .allowedOrigins(List.of("https://example.org")));
  }

  @AfterAll
  static void stop() throws IOException {
    server.close();
    guarded.close();
  }

  private static void assertRefused(
      HttpResponse<String> response, int status, String code, String parameter) {
    assertThat(response.statusCode()).as(response.body()).isEqualTo(status);
    assertThat(response.body()).contains("\"code\":\"" + code + "\"");
    assertThat(response.body())
        .contains(parameter == null ? "\"param\":null" : "\"param\":\"" + parameter + "\"");
    assertNoPath(response.body());
  }

  private static void assertNoPath(String text) {
    assertThat(text)
        .doesNotContain(RunningServer.FILES.toString())
        .doesNotContain(System.getProperty("user.home") + "/")
        .doesNotContain("java.")
        .doesNotContain("Exception");
  }

  private static String order(String fields) {
    return "{\"prompt\":\"the sea\",\"size\":\"32x32\",\"steps\":1" + fields + "}";
  }

  private static HttpResponse<String> upload(RunningServer to, String path, byte[] picture) {
    String begin =
        "--limit\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\nthe sea\r\n--limit\r\n"
            + "Content-Disposition: form-data; name=\"image\"; filename=\"../../etc/passwd\"\r\n"
            + "Content-Type: image/png\r\n\r\n";
    ByteArrayOutputStream body = new ByteArrayOutputStream();
    body.writeBytes(begin.getBytes(StandardCharsets.UTF_8));
    body.writeBytes(picture);
    body.writeBytes("\r\n--limit--\r\n".getBytes(StandardCharsets.UTF_8));
    return to.send(
        to.request(path)
            .header("Content-Type", "multipart/form-data; boundary=limit")
            .POST(HttpRequest.BodyPublishers.ofByteArray(body.toByteArray())));
  }

  /** A PNG that declares a size and holds zeros, compressed. */
  private static byte[] png(int width, int height, int rows) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    DataOutputStream out = new DataOutputStream(bytes);
    out.writeLong(0x89504E470D0A1A0AL);
    ByteArrayOutputStream header = new ByteArrayOutputStream();
    DataOutputStream fields = new DataOutputStream(header);
    fields.writeInt(width);
    fields.writeInt(height);
    fields.write(new byte[] {8, 2, 0, 0, 0});
    chunk(out, "IHDR", header.toByteArray());
    ByteArrayOutputStream pixels = new ByteArrayOutputStream();
    try (DeflaterOutputStream deflater = new DeflaterOutputStream(pixels)) {
      for (int i = 0; i < rows; i++) {
        deflater.write(new byte[1 + 3 * Math.min(width, 1 << 16)]);
      }
    }
    chunk(out, "IDAT", pixels.toByteArray());
    chunk(out, "IEND", new byte[0]);
    return bytes.toByteArray();
  }

  private static void chunk(DataOutputStream out, String type, byte[] content) throws IOException {
    out.writeInt(content.length);
    byte[] name = type.getBytes(StandardCharsets.ISO_8859_1);
    CRC32 sum = new CRC32();
    sum.update(name);
    sum.update(content);
    out.write(name);
    out.write(content);
    out.writeInt((int) sum.getValue());
  }

  @ParameterizedTest
  @ValueSource(strings = {"/%761/jobs", "/v1;x/jobs", "/v1;/server", "/v%31;a=b/plan", "//v1/jobs"})
  void noSpellingOfAnAddressGoesAroundTheKey(String path) {
    assertThat(guarded.get(path).statusCode()).isEqualTo(401);
    assertThat(guarded.send(guarded.request(path).header("Authorization", "Bearer " + KEY + "x")))
        .extracting(HttpResponse::statusCode)
        .isEqualTo(401);
  }

  @Test
  void aPageBehindTlsGetsACookieForTlsAlone() {
    HttpResponse<String> opened =
        guarded.send(
            guarded
                .request("/v1/session")
                .header("Authorization", "Bearer " + KEY)
                .header("Origin", "https://example.org")
                .POST(HttpRequest.BodyPublishers.noBody()));
    assertThat(opened.headers().firstValue("Set-Cookie").orElseThrow())
        .contains("; Secure")
        .contains("; HttpOnly");
  }

  @Test
  void aNumberThatIsNoneIsRefused() {
    assertRefused(
        server.post("/v1/jobs", order(",\"guidance\":1e999")), 400, "invalid_value", "guidance");
  }

  @Test
  void theEnvironmentDoesNotMoveTheServer() throws IOException {
    System.setProperty("server.servlet.context-path", "/elsewhere");
    System.setProperty("server.address", "0.0.0.0");
    try (RunningServer other = RunningServer.start()) {
      assertThat(other.get("/health").statusCode()).isEqualTo(200);
      assertThatThrownBy(() -> new Socket("127.0.0.2", other.port()).close())
          .isInstanceOf(ConnectException.class);
    } finally {
      System.clearProperty("server.servlet.context-path");
      System.clearProperty("server.address");
    }
  }

  @Test
  void anOversizeBodyIsNotRead() throws IOException {
    assertRefused(
        upload(server, "/v1/images/edits", new byte[2 << 20]), 413, "body_too_large", null);
    try (RawConnection caller = new RawConnection(server)) {
      String answer =
          caller
              .send(
                  "POST /v1/images/edits HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                      + "Content-Type: multipart/form-data; boundary=a\r\n"
                      + "Content-Length: 99999999999\r\n\r\n")
              .until("body_too_large");
      assertThat(answer).startsWith("HTTP/1.1 413");
    }
  }

  @Test
  void anOversizeBodyWithoutALengthIsCutOff() {
    byte[] piece = new byte[1 << 16];
    HttpResponse<String> response =
        server.send(
            server
                .request("/v1/images/edits")
                .header("Content-Type", "multipart/form-data; boundary=limit")
                .POST(HttpRequest.BodyPublishers.ofByteArrays(Collections.nCopies(40, piece))));
    assertRefused(response, 413, "body_too_large", null);
  }

  @Test
  void aPngBombIsNotDecoded() throws IOException {
    // 2,000 by 20,000 black pixels in some kilobytes.
    byte[] bomb = png(2000, 20_000, 20_000);
    assertThat(bomb.length).isLessThan(1 << 18);
    assertRefused(upload(server, "/v1/images/edits", bomb), 400, "invalid_value", "image");
  }

  @Test
  void aThousandMillionPixelsAreNotDecoded() throws IOException {
    HttpResponse<String> response =
        upload(server, "/v1/images/edits", png(1_000_000_000, 1_000_000_000, 1));
    assertRefused(response, 400, "invalid_value", "image");
    assertThat(response.body()).contains("pixels");
  }

  /** Headers of a few bytes that promise what no memory holds. */
  @ParameterizedTest
  @ValueSource(strings = {"jpeg", "gif", "bmp", "webp", "tiff"})
  void noFormatsPromiseIsBelieved(String format) throws IOException {
    ByteBuffer file = ByteBuffer.allocate(200).order(ByteOrder.LITTLE_ENDIAN);
    switch (format) {
      case "jpeg" -> {
        file.put(bytes("\u00FF\u00D8\u00FF\u00C0\0\u0011\b\u00FF\u00DC\u00FF\u00DC\3"));
        file.put(
            bytes("\1\u0011\0\2\u0011\0\3\u0011\0\u00FF\u00DA\0\f\3\1\0\2\0\3\0\0?\0\u00FF\u00D9"));
      }
      case "gif" ->
          file.put(bytes("GIF89a\u00FF\u00FF\u00FF\u00FF\0\0\0,\0\0\0\0"))
              .putInt(-1)
              .put(bytes("\u0080\0\0\0\0\0\0\2\1\1\0;"));
      case "bmp" -> {
        file.put(bytes("BM")).putInt(200).putInt(0).putInt(54).putInt(40);
        file.putInt(20_000).putInt(20_000).putShort((short) 1).putShort((short) 24);
      }
      case "webp" -> {
        file.put(bytes("RIFF")).putInt(192).put(bytes("WEBPVP8L")).putInt(180);
        file.put((byte) 0x2F).putInt(0x0FFFFFFF);
      }
      default -> {
        file.put(bytes("II*\0")).putInt(8).putShort((short) 8);
        int[][] tags = {
          {256, 40_000}, {257, 40_000}, {258, 8}, {259, 1}, {262, 1}, {273, 8}, {277, 1}, {279, 9}
        };
        for (int[] tag : tags) {
          file.putShort((short) tag[0]).putShort((short) 4).putInt(1).putInt(tag[1]);
        }
      }
    }
    HttpResponse<String> response = upload(server, "/v1/images/edits", file.array());
    assertRefused(response, 400, "invalid_value", "image");
    assertThat(response.body())
        .containsAnyOf("at most 1048576 pixels", "Invalid width/height for BI_RGB");
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.ISO_8859_1);
  }

  /** Names of parts and files, and texts of fields, are no paths to anything. */
  @Test
  void noNameOfAFormLeadsAnywhere() throws IOException {
    String form =
        "--limit\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\nthe sea\r\n--limit\r\n"
            + "Content-Disposition: form-data; name=\"%s\"; filename=\"../../%s\"\r\n\r\n"
            + "x\r\n--limit--\r\n";
    for (String name : List.of("../../secret", "/etc/passwd", "image/../../x", "..\\\\x")) {
      HttpResponse<String> response =
          server.send(
              server
                  .request("/v1/images/edits")
                  .header("Content-Type", "multipart/form-data; boundary=limit")
                  .POST(HttpRequest.BodyPublishers.ofString(form.formatted(name, name))));
      assertThat(response.statusCode()).as(response.body()).isEqualTo(400);
      assertThat(response.body()).contains("unknown_parameter");
    }
    for (String field : List.of("output_format", "profile", "response_format", "size")) {
      assertRefused(
          server.post(
              "/v1/images/generations",
              "{\"prompt\":\"a\",\"" + field + "\":\"../../../etc/passwd\"}"),
          400,
          "invalid_value",
          field);
    }
    // Any name is the one model's.
    assertThat(
            server
                .post("/v1/images/generations", order(",\"model\":\"../../../etc/passwd\""))
                .statusCode())
        .isEqualTo(200);
    try (Stream<Path> files = Files.walk(server.data.getParent())) {
      assertThat(files.map(file -> file.getFileName().toString()))
          .doesNotContain("passwd", "x", "secret.png");
    }
  }

  @Test
  void aBombOfTextsIsNotUnpacked() throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    DataOutputStream out = new DataOutputStream(bytes);
    out.write(png(16, 16, 16), 0, 33);
    ByteArrayOutputStream text = new ByteArrayOutputStream();
    text.writeBytes("urae\0\0".getBytes(StandardCharsets.ISO_8859_1));
    try (DeflaterOutputStream deflater = new DeflaterOutputStream(text)) {
      for (int i = 0; i < 400; i++) {
        deflater.write(new byte[1 << 20]);
      }
    }
    chunk(out, "zTXt", text.toByteArray());
    chunk(out, "IEND", new byte[0]);
    HttpResponse<String> response =
        server.send(
            server
                .request("/v1/settings")
                .POST(HttpRequest.BodyPublishers.ofByteArray(bytes.toByteArray())));
    assertRefused(response, 400, "invalid_value", "image");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "../secret",
        "..",
        ".",
        "/etc/passwd",
        "secret.safetensors",
        "..\\secret",
        "%2e%2e/secret",
        "a/../../secret",
        "file:///etc/passwd",
        "~/.ssh/id_rsa",
        "nul\\u0000"
      })
  void noAdapterOutsideItsFolderCanBeNamed(String name) {
    String json = name.replace("\\s", "\\\\s");
    assertRefused(
        server.post("/v1/images/generations", order(",\"adapters\":[\"" + json + "\"]")),
        400,
        "unknown_adapter",
        "adapters");
    assertRefused(
        server.post("/v1/images/generations", order(",\"adapters\":[{\"name\":\"" + json + "\"}]")),
        400,
        "unknown_adapter",
        "adapters");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "/v1/jobs/../../secret",
        "/v1/jobs/%2e%2e%2fsecret",
        "/v1/pictures/..%2f..%2fsecret/0.png",
        "/v1/pictures/00000000000000000000000000000000/../../../secret",
        "/v1/pictures/00000000000000000000000000000000/0/tiles_files/0/..%2f..%2f0_0.jpg",
        "/v1/pictures/00000000000000000000000000000000/start.png/../../../secret",
        "/v1/jobs/..%2f..%2fsecret/events",
        "/openseadragon/..%2f..%2f..%2f..%2fetc/passwd",
        "/openseadragon/....//....//etc/passwd",
        "/%5c..%5c..%5cetc",
        "/static/../application.properties",
        "/..;/secret",
        "/WEB-INF/web.xml"
      })
  void noPathLeadsOutOfTheFolders(String path) throws IOException {
    try (RawConnection caller = new RawConnection(server)) {
      String answer =
          caller
              .send("GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
              .rest();
      assertThat(answer).startsWith("HTTP/1.1 4");
      assertNoPath(answer);
    }
  }

  @Test
  void nothingIsFetched() {
    assertRefused(
        server.post(
            "/v1/images/edits", order(",\"image\":\"http://127.0.0.1:" + server.port() + "/\"")),
        415,
        "unsupported_media_type",
        null);
    assertRefused(
        server.post("/v1/images/generations", order(",\"image\":\"file:///etc/passwd\"")),
        400,
        "unknown_parameter",
        "image");
  }

  @Test
  void theKeyIsAskedFor() {
    assertRefused(guarded.get("/v1/models"), 401, "missing_api_key", null);
    for (String wrong :
        List.of("wrong", KEY + "x", KEY.substring(1), KEY.toUpperCase(Locale.ROOT))) {
      HttpResponse<String> response =
          guarded.send(guarded.request("/v1/models").header("Authorization", "Bearer " + wrong));
      assertRefused(response, 401, "invalid_api_key", null);
      assertThat(response.headers().firstValue("WWW-Authenticate")).hasValue("Bearer");
    }
    assertThat(
            guarded
                .send(guarded.request("/v1/models").header("Authorization", "Bearer " + KEY))
                .statusCode())
        .isEqualTo(200);
    for (String path :
        List.of("/v1/jobs", "/v1/server", "/v1//jobs", "/v1/./jobs", "/V1/jobs", "/v1/jobs;a=b")) {
      assertThat(guarded.get(path).statusCode()).as(path).isIn(400, 401, 404);
    }
  }

  @Test
  void aCookieStandsForTheKeyAndALinkForOnePicture() throws IOException {
    HttpResponse<String> opened =
        guarded.send(
            guarded
                .request("/v1/session")
                .header("Authorization", "Bearer " + KEY)
                .POST(HttpRequest.BodyPublishers.noBody()));
    String cookie = opened.headers().firstValue("Set-Cookie").orElseThrow();
    assertThat(cookie).contains("HttpOnly", "SameSite=Strict").doesNotContain(KEY);
    String pair = cookie.substring(0, cookie.indexOf(';'));
    assertThat(guarded.send(guarded.request("/v1/models").header("Cookie", pair)).statusCode())
        .isEqualTo(200);
    assertThat(
            guarded.send(guarded.request("/v1/models").header("Cookie", pair + "x")).statusCode())
        .isEqualTo(401);

    HttpResponse<String> drawn =
        guarded.send(
            guarded
                .request("/v1/images/generations")
                .header("Authorization", "Bearer " + KEY)
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(order(",\"response_format\":\"url\""))));
    String url = drawn.body().replaceAll("(?s).*\"url\":\"([^\"]*)\".*", "$1");
    String path = url.substring(url.indexOf("/v1/"));
    assertThat(guarded.get(path).statusCode()).isEqualTo(200);
    assertThat(guarded.get(path.replace("signature=", "signature=A")).statusCode()).isEqualTo(401);
    assertThat(guarded.get(path.replaceAll("expires=\\d", "expires=9")).statusCode())
        .isEqualTo(401);
    assertThat(guarded.get(path.replaceAll("\\?.*", "")).statusCode()).isEqualTo(401);
    assertThat(guarded.get(path.replace("/0.png", "/0/small.jpg")).statusCode()).isEqualTo(401);
  }

  @Test
  void othersThanLoopbackNeedAKey() {
    assertThatThrownBy(() -> ServerSettings.builder(Path.of("data")).address("0.0.0.0").build())
        .isInstanceOf(InvalidRequestException.class)
        .hasMessageContaining("--no-auth");
    assertThatThrownBy(() -> ServerSettings.builder(Path.of("data")).apiKey("short").build())
        .isInstanceOf(InvalidRequestException.class);
    assertThat(
            ServerSettings.builder(Path.of("data")).address("0.0.0.0").open().build().isLoopback())
        .isFalse();
  }

  @Test
  void pagesElsewhereMayNotCall() {
    for (String path : List.of("/v1/models", "/v1/jobs")) {
      HttpResponse<String> response =
          server.send(server.request(path).header("Origin", "https://example.org"));
      assertRefused(response, 403, "foreign_origin", null);
      assertThat(response.headers().firstValue("Access-Control-Allow-Origin")).isEmpty();
    }
    assertRefused(
        server.send(
            server
                .request("/v1/images/generations")
                .header("Sec-Fetch-Site", "cross-site")
                .header("Content-Type", "multipart/form-data; boundary=a")
                .POST(HttpRequest.BodyPublishers.ofString("--a--"))),
        403,
        "foreign_origin",
        null);
    // What a form on a page elsewhere could send.
    assertRefused(
        server.send(
            server
                .request("/v1/images/generations")
                .header("Content-Type", "text/plain")
                .POST(HttpRequest.BodyPublishers.ofString(order("")))),
        415,
        "unsupported_media_type",
        null);
  }

  @Test
  void anOriginCanBeAllowed() {
    HttpResponse<String> asked =
        guarded.send(
            guarded
                .request("/v1/images/generations")
                .header("Origin", "https://example.org")
                .header("Access-Control-Request-Method", "POST")
                .method("OPTIONS", HttpRequest.BodyPublishers.noBody()));
    assertThat(asked.statusCode()).isEqualTo(204);
    assertThat(asked.headers().firstValue("Access-Control-Allow-Origin"))
        .hasValue("https://example.org");
    assertThat(asked.headers().firstValue("Access-Control-Allow-Credentials")).isEmpty();
    assertThat(
            guarded
                .send(guarded.request("/v1/models").header("Origin", "https://example.com"))
                .statusCode())
        .isEqualTo(403);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"evil.example", "127.0.0.1.evil.example", "localhost.evil", "", "a b", "x/y"})
  void noOtherNameIsAnsweredTo(String host) throws IOException {
    try (RawConnection caller = new RawConnection(server)) {
      String answer =
          caller
              .send("GET /v1/models HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n")
              .rest();
      assertThat(answer).startsWith("HTTP/1.1 4").doesNotContain("\"data\"");
    }
  }

  @Test
  void browsersAreToldToBeCareful() {
    for (String path : List.of("/v1/models", "/nothing", "/")) {
      HttpResponse<String> response = server.get(path);
      assertThat(response.headers().firstValue("X-Content-Type-Options")).hasValue("nosniff");
      assertThat(response.headers().firstValue("X-Frame-Options")).hasValue("DENY");
      assertThat(response.headers().firstValue("Content-Security-Policy").orElseThrow())
          .contains("frame-ancestors 'none'", "script-src 'self'")
          .doesNotContain("unsafe");
      assertThat(response.headers().firstValue("Server")).isEmpty();
      assertNoPath(response.body());
    }
  }

  /** Another server: other tests' callers may be late. */
  private static RunningServer impatient() throws IOException {
    return RunningServer.start(settings -> settings.patience(Duration.ofSeconds(1)));
  }

  @Test
  void aSlowBodyIsNotWaitedFor() throws Exception {
    try (RunningServer impatient = impatient();
        RawConnection caller = new RawConnection(impatient)) {
      caller.send(
          "POST /v1/images/generations HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
              + "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n");
      long begun = System.nanoTime();
      try {
        for (int i = 0; i < 12; i++) {
          caller.send(" ");
          Thread.sleep(150);
        }
      } catch (SocketException e) {
        // It was answered and closed before all was sent.
      }
      String answer = caller.until("too_slow");
      assertThat(answer).startsWith("HTTP/1.1 408");
      assertThat(Duration.ofNanos(System.nanoTime() - begun)).isLessThan(Duration.ofMinutes(2));
    }
  }

  @Test
  void aSlowReaderIsNotWaitedFor() throws Exception {
    String path = "/openseadragon/openseadragon.min.js";
    int requests = 90;
    String all = ("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n").repeat(requests);
    try (RunningServer impatient = impatient()) {
      int size = impatient.get(path).body().length();
      int seconds = 4;
      // The server may be slower than its settings say.
      while (readAfter(seconds, all, impatient) >= requests * size) {
        assertThat(seconds).as("seconds after which all is sent").isLessThan(60);
        seconds *= 2;
      }
    }
  }

  /** Reads what lies in buffers, and then the end. */
  private static int readAfter(int seconds, String requests, RunningServer from) throws Exception {
    try (RawConnection caller = new RawConnection(from)) {
      caller.send(requests);
      TimeUnit.SECONDS.sleep(seconds);
      int read = caller.rest().length();
      assertThat(read).isPositive();
      return read;
    }
  }

  @Test
  void manyIdleCallersKeepNobodyWaiting() throws IOException {
    RawConnection[] idle = new RawConnection[300];
    try {
      for (int i = 0; i < idle.length; i++) {
        idle[i] = new RawConnection(server).send("POST /v1/images/generations HTTP/1.1\r\nHo");
      }
      assertThat(server.get("/health").statusCode()).isEqualTo(200);
    } finally {
      for (RawConnection connection : idle) {
        if (connection != null) {
          connection.close();
        }
      }
    }
  }

  @Test
  void aPromptOfTenMegabytesIsRefused() {
    String json = "{\"prompt\":\"" + "a".repeat(10 << 20) + "\"}";
    assertRefused(server.post("/v1/images/generations", json), 413, "body_too_large", null);
    String long33 = "{\"prompt\":\"" + "a".repeat(33_000) + "\"}";
    assertRefused(server.post("/v1/images/generations", long33), 400, "invalid_value", "prompt");
    assertRefused(
        server.post(
            "/v1/images/generations", order(",\"negative_prompt\":\"" + "a".repeat(33_000) + "\"")),
        400,
        "invalid_value",
        "negative_prompt");
  }

  @Test
  void headersCannotBeAdded() throws IOException {
    String text = URLEncoder.encode("a\r\nSet-Cookie: x=y", StandardCharsets.UTF_8);
    for (String path :
        List.of("/v1/jobs?limit=" + text, "/v1/models/" + text, "/" + text, "/v1/jobs/" + text)) {
      HttpResponse<String> response = server.get(path);
      assertThat(response.headers().firstValue("Set-Cookie")).isEmpty();
      assertThat(response.headers().firstValue("x")).isEmpty();
    }
    try (RawConnection caller = new RawConnection(server)) {
      String answer =
          caller
              .send(
                  "GET /v1/models HTTP/1.1\r\nHost: localhost\r\n X-Folded: a\r\n"
                      + "Connection: close\r\n\r\n")
              .rest();
      assertThat(answer).startsWith("HTTP/1.1 400");
    }
    HttpResponse<String> drawn =
        server.post(
            "/v1/images/generations",
            order(",\"response_format\":\"url\",\"model\":\"a\\r\\nX-Added: 1\""));
    assertThat(drawn.headers().firstValue("X-Added")).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "[]",
        "null",
        "{",
        "{\"prompt\":\"a\",\"prompt\":\"b\"}",
        "{\"prompt\":\"a\"} x",
        "\u0000",
        "NaN"
      })
  void whatIsNoJsonIsRefused(String body) {
    assertRefused(server.post("/v1/images/generations", body), 400, "invalid_json", null);
  }

  @Test
  void nestedJsonIsRefused() {
    String deep = "{\"prompt\":" + "[".repeat(100_000) + "]".repeat(100_000) + "}";
    assertRefused(server.post("/v1/images/generations", deep), 400, "invalid_json", null);
  }

  @Test
  void errorsBeforeControllersHaveOpenAisForm() {
    assertRefused(server.get("/v1/images/generations"), 405, "method_not_allowed", null);
    assertRefused(server.get("/v1/nothing"), 404, "not_found", null);
    assertRefused(server.get("/v1/jobs?limit=a"), 400, "invalid_value", "limit");
    assertRefused(server.get("/v1/jobs?limit=0"), 400, "invalid_value", "limit");
  }
}
