package io.github.urae.server.internal.http;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.databind.JsonNode;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;

/** Server-sent events, each of them on its way when its call returns. */
final class EventStream {

  private final OutputStream out;

  EventStream(HttpServletResponse response) throws IOException {
    response.setContentType("text/event-stream");
    response.setCharacterEncoding("UTF-8");
    // For proxies: events are not to be gathered.
    response.setHeader("X-Accel-Buffering", "no");
    out = response.getOutputStream();
  }

  /** Writes the fields of an event's object. */
  @FunctionalInterface
  interface Content {
    void writeTo(JsonGenerator json) throws IOException;
  }

  /** Says something that clients leave aside, to find out whether there is one. */
  void comment(String text) throws IOException {
    out.write((": " + text + "\n\n").getBytes(StandardCharsets.UTF_8));
    out.flush();
  }

  void event(String name, Content content) throws IOException {
    out.write(("event: " + name + "\ndata: ").getBytes(StandardCharsets.UTF_8));
    try (JsonGenerator json = Json.MAPPER.createGenerator(out)) {
      json.disable(JsonGenerator.Feature.AUTO_CLOSE_TARGET);
      json.writeStartObject();
      content.writeTo(json);
      json.writeEndObject();
    }
    out.write("\n\n".getBytes(StandardCharsets.UTF_8));
    out.flush();
  }

  void event(String name, JsonNode content) throws IOException {
    out.write(("event: " + name + "\ndata: ").getBytes(StandardCharsets.UTF_8));
    out.write(Json.bytes(content));
    out.write("\n\n".getBytes(StandardCharsets.UTF_8));
    out.flush();
  }
}
