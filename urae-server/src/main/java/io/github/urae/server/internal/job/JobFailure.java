package io.github.urae.server.internal.job;

/**
 * Why a job failed, in words that callers may see.
 *
 * @param message what happened, without a path of this machine
 * @param code for programs
 * @param parameter name of the request's field that it is about; null for none
 * @param status of HTTP, for whoever waits for the job
 */
public record JobFailure(String message, String code, String parameter, int status) {

  /** The server ended, or was ended, while the job ran and its caller waited. */
  public static final JobFailure INTERRUPTED =
      new JobFailure(
          "the server was stopped before the picture was drawn", "interrupted", null, 503);
}
