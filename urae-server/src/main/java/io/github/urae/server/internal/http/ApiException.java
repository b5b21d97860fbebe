package io.github.urae.server.internal.http;

import io.github.urae.server.internal.job.JobFailure;
import java.time.Duration;
import java.util.Optional;

/** An answer that tells of an error, in OpenAI's form. */
final class ApiException extends RuntimeException {

  private static final long serialVersionUID = 1L;

  private final int status;
  private final String code;
  private final String parameter;
  private final transient Duration retryAfter;

  private ApiException(
      int status, String code, String parameter, Duration retryAfter, String message) {
    super(message);
    this.status = status;
    this.code = code;
    this.parameter = parameter;
    this.retryAfter = retryAfter;
  }

  static ApiException of(int status, String code, String message) {
    return new ApiException(status, code, null, null, message);
  }

  /** A field of the request has a value that cannot be taken. */
  static ApiException invalid(String parameter, String message) {
    return new ApiException(400, "invalid_value", parameter, null, message);
  }

  static ApiException of(int status, String code, String parameter, String message) {
    return new ApiException(status, code, parameter, null, message);
  }

  static ApiException later(int status, String code, Duration retryAfter, String message) {
    return new ApiException(status, code, null, retryAfter, message);
  }

  static ApiException of(JobFailure failure) {
    return new ApiException(
        failure.status(),
        failure.code(),
        RequestNames.of(failure.parameter()),
        failure.status() == 503 ? Duration.ofSeconds(5) : null,
        failure.message());
  }

  int status() {
    return status;
  }

  String code() {
    return code;
  }

  /** Returns the field of the request; null for none. */
  String parameter() {
    return parameter;
  }

  Optional<Duration> retryAfter() {
    return Optional.ofNullable(retryAfter);
  }

  /** Returns OpenAI's word for the kind of error. */
  String type() {
    if (status == 429) {
      return "rate_limit_error";
    }
    if (status == 401) {
      return "authentication_error";
    }
    return status < 500 ? "invalid_request_error" : "server_error";
  }
}
