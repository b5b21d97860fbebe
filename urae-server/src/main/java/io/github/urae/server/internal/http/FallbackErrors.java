package io.github.urae.server.internal.http;

import jakarta.servlet.RequestDispatcher;
import jakarta.servlet.http.HttpServletRequest;
import org.springframework.boot.webmvc.error.ErrorController;
import org.springframework.http.HttpStatusCode;
import org.springframework.http.ResponseEntity;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RestController;

/** Answers what went wrong before a request came to a controller. */
@RestController
final class FallbackErrors implements ErrorController {

  @RequestMapping("/error")
  ResponseEntity<byte[]> answer(HttpServletRequest request) {
    int status =
        request.getAttribute(RequestDispatcher.ERROR_STATUS_CODE) instanceof Integer code
            ? code
            : 404;
    ApiException told = ErrorAnswers.ofStatus(HttpStatusCode.valueOf(status));
    return Json.answer(told.status(), ErrorAnswers.body(told));
  }
}
