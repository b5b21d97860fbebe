package io.github.urae.server;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.sql.Connection;
import java.util.Properties;
import javax.sql.DataSource;
import org.junit.jupiter.api.Test;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.logging.LogLevel;
import org.springframework.boot.logging.LoggingSystem;
import org.springframework.boot.web.server.context.WebServerApplicationContext;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Configuration;

/**
 * The server inside another application of Spring Boot. The class path of these tests has that
 * one's auto-configuration, listener, settings and page.
 */
class EmbeddedServerTest {

  @Configuration(proxyBeanMethods = false)
  @EnableAutoConfiguration
  static class Host {}

  @Test
  void neitherApplicationTouchesTheOther() throws Exception {
    LoggingSystem logging = LoggingSystem.get(EmbeddedServerTest.class.getClassLoader());
    LogLevel before = level(logging);
    try (ConfigurableApplicationContext host =
        SpringApplication.run(Host.class, "--server.port=0")) {
      int port = ((WebServerApplicationContext) host).getWebServer().getPort();
      try (RunningServer server = RunningServer.start()) {
        assertThat(HostAutoConfiguration.TAKEN_BY).containsExactly(host);
        assertThat(HostAutoConfiguration.HEARD_OF).containsExactly(host);
        assertThat(level(logging)).as("as the host's settings say").isEqualTo(LogLevel.ERROR);

        assertThat(status(port, "/host/host.html")).isEqualTo(200);
        assertThat(server.get("/host.html").statusCode()).isEqualTo(404);
        assertThat(server.get("/host/host.html").statusCode()).isEqualTo(404);

        assertThat(server.get("/").body()).contains("<html");
        assertThat(server.get("/v1/models").statusCode()).isEqualTo(200);
        assertThat(status(port, "/host/")).isEqualTo(404);
        assertThat(status(port, "/host/openapi.json")).isEqualTo(404);
        assertThat(status(port, "/host/v1/models")).isEqualTo(404);

        try (Connection jobs = host.getBean(DataSource.class).getConnection()) {
          assertThat(jobs.getMetaData().getURL()).isEqualTo("jdbc:h2:mem:host");
        }
      }
      assertThat(status(port, "/host/host.html")).isEqualTo(200);
    } finally {
      logging.setLogLevel(LoggingSystem.ROOT_LOGGER_NAME, before);
    }
  }

  /** As they are set for an application of Spring Boot, by a flag or a container. */
  @Test
  void settingsOfTheProcessAreNotTheServers() throws Exception {
    Properties properties = System.getProperties();
    Properties changed = new Properties(properties);
    changed.putAll(properties);
    changed.setProperty("server.servlet.context-path", "/elsewhere");
    changed.setProperty("server.port", "1");
    changed.setProperty("spring.mvc.servlet.path", "/elsewhere");
    changed.setProperty("spring.profiles.active", "elsewhere");
    System.setProperties(changed);
    try (RunningServer server = RunningServer.start()) {
      assertThat(server.get("/v1/models").statusCode()).isEqualTo(200);
    } finally {
      System.setProperties(properties);
    }
  }

  private static LogLevel level(LoggingSystem logging) {
    return logging
        .getLoggerConfiguration(LoggingSystem.ROOT_LOGGER_NAME)
        .getLevelConfiguration()
        .getLevel();
  }

  private static int status(int port, String path) throws IOException, InterruptedException {
    return HttpClient.newHttpClient()
        .send(
            HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path)).build(),
            HttpResponse.BodyHandlers.discarding())
        .statusCode();
  }
}
