package io.github.urae.server.internal.http;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.urae.FileFormatException;
import io.github.urae.InvalidRequestException;
import io.github.urae.server.internal.job.PublicText;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.Locale;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpStatus;
import org.springframework.http.HttpStatusCode;
import org.springframework.http.ResponseEntity;
import org.springframework.web.ErrorResponse;
import org.springframework.web.bind.annotation.ExceptionHandler;
import org.springframework.web.bind.annotation.RestControllerAdvice;
import org.springframework.web.method.annotation.MethodArgumentTypeMismatchException;

/** Turns everything that goes wrong into OpenAI's form of an error. */
@RestControllerAdvice
final class ErrorAnswers {

  private static final Logger LOG = LoggerFactory.getLogger(ErrorAnswers.class);

  /** Returns the body of an answer. */
  static ObjectNode body(ApiException failure) {
    ObjectNode body = Json.object();
    body.putObject("error")
        .put("message", failure.getMessage())
        .put("type", failure.type())
        .put("param", failure.parameter())
        .put("code", failure.code());
    return body;
  }

  /** Answers outside of controllers. */
  static void write(ApiException failure, HttpServletResponse response) throws IOException {
    byte[] body = Json.bytes(body(failure));
    response.setStatus(failure.status());
    response.setContentType("application/json");
    failure
        .retryAfter()
        .ifPresent(t -> response.setHeader(HttpHeaders.RETRY_AFTER, Long.toString(t.toSeconds())));
    response.setContentLength(body.length);
    response.getOutputStream().write(body);
  }

  @ExceptionHandler
  ResponseEntity<byte[]> answer(Exception failure, HttpServletResponse response) {
    if (response.isCommitted()) {
      return null;
    }
    ApiException told = told(failure);
    ResponseEntity<byte[]> answer = Json.answer(told.status(), body(told));
    if (told.retryAfter().isEmpty()) {
      return answer;
    }
    return ResponseEntity.status(answer.getStatusCode())
        .headers(answer.getHeaders())
        .header(HttpHeaders.RETRY_AFTER, Long.toString(told.retryAfter().get().toSeconds()))
        .body(answer.getBody());
  }

  /** Returns what callers are told of an exception. */
  static ApiException told(Exception failure) {
    if (failure instanceof ApiException api) {
      return api;
    }
    if (failure instanceof InvalidRequestException e) {
      return ApiException.invalid(
          RequestNames.of(e.parameter().orElse(null)),
          PublicText.of(e.getMessage(), Map.of(), "this cannot be drawn"));
    }
    if (failure instanceof FileFormatException e) {
      return ApiException.invalid(
          "image", PublicText.of(e.getMessage(), Map.of(), "the picture cannot be read"));
    }
    if (failure instanceof MethodArgumentTypeMismatchException e) {
      return ApiException.invalid(e.getName(), e.getName() + ": expected another kind of value");
    }
    if (failure instanceof ErrorResponse e) {
      return ofStatus(e.getStatusCode());
    }
    LOG.error("a request failed", failure);
    return ApiException.of(500, "internal_error", "the server failed; its log tells why");
  }

  /** Returns an error of which nothing but the status is known. */
  static ApiException ofStatus(HttpStatusCode status) {
    HttpStatus known = HttpStatus.resolve(status.value());
    String name = known == null ? "error " + status.value() : known.getReasonPhrase();
    return switch (status.value()) {
      case 404 -> ApiException.of(404, "not_found", "there is nothing at this address");
      case 405 ->
          ApiException.of(405, "method_not_allowed", "this address does not know the method");
      case 415 ->
          ApiException.of(
              415, "unsupported_media_type", "the body's type is not one that this address reads");
      default ->
          ApiException.of(status.value(), name.toLowerCase(Locale.ROOT).replace(' ', '_'), name);
    };
  }
}
