package io.github.urae.server.internal.http;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.urae.FileFormatException;
import io.github.urae.InvalidRequestException;
import io.github.urae.flux.GenerationRecord;
import io.github.urae.flux.model.ModelInfo;
import io.github.urae.pipeline.FluxPipeline;
import io.github.urae.server.ServerSettings;
import io.github.urae.server.internal.job.AdapterCatalogue;
import io.github.urae.server.internal.job.AdapterChoice;
import io.github.urae.server.internal.job.Drawing;
import io.github.urae.server.internal.job.PublicText;
import io.github.urae.server.internal.picture.PictureType;
import jakarta.servlet.http.HttpServletRequest;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.springframework.http.HttpHeaders;
import org.springframework.http.ResponseCookie;
import org.springframework.http.ResponseEntity;
import org.springframework.web.bind.annotation.DeleteMapping;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RestController;

/** What the page needs besides jobs and pictures. */
@RestController
final class PageController {

  /** Which a file only names. */
  private static final GenerationRecord.Inputs INPUTS =
      GenerationRecord.Inputs.of(Drawing.NO_PICTURE);

  private final FluxPipeline pipeline;
  private final ServerSettings settings;
  private final AdapterCatalogue catalogue;
  private final Bodies bodies;
  private final Access access;

  PageController(
      FluxPipeline pipeline,
      ServerSettings settings,
      AdapterCatalogue catalogue,
      Bodies bodies,
      Access access) {
    this.pipeline = pipeline;
    this.settings = settings;
    this.catalogue = catalogue;
    this.bodies = bodies;
    this.access = access;
  }

  /** Tells those who watch over the server that it is there, and nothing else. */
  @GetMapping("/health")
  ResponseEntity<byte[]> health() {
    return Json.answer(Json.object().put("status", "ok"));
  }

  /** Tells what can be asked for. */
  @GetMapping("/v1/server")
  ResponseEntity<byte[]> server() {
    ModelInfo model = pipeline.model();
    ObjectNode json =
        Json.object()
            .put("model", model.name())
            .put("native_size", model.nativeSize())
            .put("size_multiple", model.latents().pixelsPerToken())
            .put("max_side", settings.maxSide())
            .put("max_steps", settings.maxSteps())
            .put("default_steps", model.defaultSteps())
            .put("guidance", model.guidance())
            .put("max_prompt_length", settings.maxPromptLength())
            .put("max_upload_bytes", settings.maxUploadBytes());
    ArrayNode formats = json.putArray("formats");
    Arrays.stream(PictureType.values()).forEach(type -> formats.add(type.id()));
    ArrayNode adapters = json.putArray("adapters");
    catalogue.files().keySet().forEach(adapters::add);
    return Json.answer(json);
  }

  /** Gives a browser that shows the key a cookie in its place, for pictures on a page. */
  @PostMapping("/v1/session")
  ResponseEntity<byte[]> open(HttpServletRequest request) {
    return session(access.session(), isSecure(request));
  }

  @DeleteMapping("/v1/session")
  ResponseEntity<byte[]> close(HttpServletRequest request) {
    return session("", isSecure(request));
  }

  /** Behind a proxy, the page's origin tells of TLS. */
  private static boolean isSecure(HttpServletRequest request) {
    String origin = request.getHeader(HttpHeaders.ORIGIN);
    return request.isSecure() || (origin != null && origin.startsWith("https://"));
  }

  private static ResponseEntity<byte[]> session(String value, boolean secure) {
    ResponseCookie.ResponseCookieBuilder cookie =
        ResponseCookie.from(GuardFilter.COOKIE, value)
            .httpOnly(true)
            .secure(secure)
            .sameSite("Strict")
            .path("/");
    if (value.isEmpty()) {
      cookie.maxAge(0);
    }
    ResponseEntity<byte[]> answer = Json.answer(Json.object().put("open", !value.isEmpty()));
    return ResponseEntity.ok()
        .headers(answer.getHeaders())
        .header(HttpHeaders.SET_COOKIE, cookie.build().toString())
        .body(answer.getBody());
  }

  /** Tells what a picture was made with, from its file. */
  @PostMapping("/v1/settings")
  ResponseEntity<byte[]> settings(HttpServletRequest request) throws IOException {
    return bodies.file(
        request,
        file -> {
          try {
            return Json.answer(describe(GenerationRecord.read(file, INPUTS)));
          } catch (FileFormatException | InvalidRequestException e) {
            throw ApiException.invalid(
                "image",
                PublicText.of(
                    e.getMessage(),
                    Map.of("image", file),
                    "the picture does not tell what it was made with"));
          }
        });
  }

  private ObjectNode describe(GenerationRecord record) {
    List<AdapterChoice> adapters =
        record.adapters().stream().map(a -> new AdapterChoice(known(a.name()), a.scale())).toList();
    ObjectNode json = SettingsJson.of(record.request(), adapters);
    ArrayNode missing = json.putArray("missing_adapters");
    Map<String, Path> files = catalogue.files();
    adapters.stream()
        .map(AdapterChoice::name)
        .filter(n -> !files.containsKey(n))
        .forEach(missing::add);
    return json.put("model", record.model())
        .put("start_picture_needed", !record.changedInputs().isEmpty());
  }

  /** Pictures tell files' names; the catalogue may know them by others. */
  private String known(String file) {
    return catalogue.files().entrySet().stream()
        .filter(entry -> entry.getValue().getFileName().toString().equals(file))
        .map(Map.Entry::getKey)
        .findFirst()
        .orElse(file);
  }
}
