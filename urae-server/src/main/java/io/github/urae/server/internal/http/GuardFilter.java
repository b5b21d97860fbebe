package io.github.urae.server.internal.http;

import io.github.urae.server.ServerSettings;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.Cookie;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.time.Instant;
import java.util.HashSet;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.springframework.http.HttpHeaders;
import org.springframework.web.filter.OncePerRequestFilter;

/**
 * Lets requests pass that may: of a host that is this server's, so that a page cannot rename itself
 * to it (DNS rebinding); of no page elsewhere, unless its origin is allowed; and with the key,
 * where there is one. Tells browsers not to frame, guess types, or load from elsewhere.
 */
final class GuardFilter extends OncePerRequestFilter {

  /** Name of the cookie that stands for the key. */
  static final String COOKIE = "urae_session";

  private static final String API = "/v1/";

  private static final Pattern HOST =
      Pattern.compile("(\\[[0-9a-fA-F:.]+]|[A-Za-z0-9._-]+)(:\\d{1,5})?");
  private static final Set<String> LOOPBACK = Set.of("localhost", "127.0.0.1", "[::1]");
  private static final Set<String> READING = Set.of("GET", "HEAD");
  private static final String CONTENT_SECURITY =
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:;"
          + " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

  private final ServerSettings settings;
  private final Access access;
  private final Set<String> hosts = new HashSet<>();
  private final Set<String> origins;

  GuardFilter(ServerSettings settings, Access access) {
    this.settings = settings;
    this.access = access;
    settings.allowedHosts().forEach(host -> hosts.add(host.toLowerCase(Locale.ROOT)));
    settings.publicUrl().map(url -> url.getHost().toLowerCase(Locale.ROOT)).ifPresent(hosts::add);
    this.origins = Set.copyOf(settings.allowedOrigins());
  }

  @Override
  protected void doFilterInternal(
      HttpServletRequest request, HttpServletResponse response, FilterChain chain)
      throws ServletException, IOException {
    setHeaders(request, response);
    try {
      checkHost(request);
      checkOrigin(request);
      if (allowOrigin(request, response)) {
        return;
      }
      checkKey(request);
    } catch (ApiException refused) {
      if (refused.status() == 401) {
        response.setHeader(HttpHeaders.WWW_AUTHENTICATE, "Bearer");
      }
      ErrorAnswers.write(refused, response);
      return;
    }
    chain.doFilter(request, response);
  }

  private static void setHeaders(HttpServletRequest request, HttpServletResponse response) {
    response.setHeader("X-Content-Type-Options", "nosniff");
    response.setHeader("X-Frame-Options", "DENY");
    response.setHeader("Referrer-Policy", "no-referrer");
    response.setHeader("Content-Security-Policy", CONTENT_SECURITY);
    response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
    response.setHeader("Cross-Origin-Resource-Policy", "same-origin");
    if (isOfApi(request)) {
      response.setHeader(HttpHeaders.CACHE_CONTROL, "no-store");
    }
  }

  private void checkHost(HttpServletRequest request) {
    String host = request.getHeader(HttpHeaders.HOST);
    Matcher parts = HOST.matcher(host == null ? "" : host);
    if (!parts.matches()) {
      throw ApiException.of(400, "invalid_host", "the request's Host is no name of a host");
    }
    String name = parts.group(1).toLowerCase(Locale.ROOT);
    boolean known = LOOPBACK.contains(name) || hosts.contains(name);
    // Those who watch over a server often call it by a number, and learn nothing.
    boolean watched = request.getRequestURI().equals("/health");
    boolean anyName = watched || (!settings.isLoopback() && settings.allowedHosts().isEmpty());
    if (!known && !anyName) {
      throw ApiException.of(
          421, "unknown_host", "this server is not called by that name; see --allowed-host");
    }
  }

  /** Browsers name the page that asks, where that could do harm. */
  private void checkOrigin(HttpServletRequest request) {
    String origin = request.getHeader(HttpHeaders.ORIGIN);
    if (origin != null && !origins.contains(origin) && !isOwn(origin, request)) {
      throw ApiException.of(
          403, "foreign_origin", "pages of other servers may not call this one; see --cors");
    }
    boolean crossSite = "cross-site".equals(request.getHeader("Sec-Fetch-Site"));
    if (origin == null && crossSite && !READING.contains(request.getMethod())) {
      throw ApiException.of(
          403, "foreign_origin", "pages of other servers may not call this one; see --cors");
    }
  }

  private boolean isOwn(String origin, HttpServletRequest request) {
    boolean called =
        origin.replaceFirst("^https?://", "").equals(request.getHeader(HttpHeaders.HOST));
    boolean known =
        settings
            .publicUrl()
            .map(url -> url.toString().replaceFirst("/$", ""))
            .filter(origin::equals)
            .isPresent();
    return called || known;
  }

  /** Answers a browser that asks beforehand; returns whether that was all. */
  private boolean allowOrigin(HttpServletRequest request, HttpServletResponse response) {
    String origin = request.getHeader(HttpHeaders.ORIGIN);
    if (origin == null || !origins.contains(origin)) {
      return false;
    }
    response.setHeader(HttpHeaders.ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    response.setHeader(HttpHeaders.VARY, HttpHeaders.ORIGIN);
    response.setHeader("Cross-Origin-Resource-Policy", "cross-origin");
    if (!request.getMethod().equals("OPTIONS")
        || request.getHeader(HttpHeaders.ACCESS_CONTROL_REQUEST_METHOD) == null) {
      return false;
    }
    response.setHeader(HttpHeaders.ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, DELETE");
    response.setHeader(HttpHeaders.ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type");
    response.setHeader(HttpHeaders.ACCESS_CONTROL_MAX_AGE, "600");
    response.setStatus(HttpServletResponse.SC_NO_CONTENT);
    return true;
  }

  private void checkKey(HttpServletRequest request) {
    if (!access.isGuarded() || !isOfApi(request)) {
      return;
    }
    String header = request.getHeader(HttpHeaders.AUTHORIZATION);
    if (header != null && header.regionMatches(true, 0, "Bearer ", 0, 7)) {
      if (access.isKey(header.substring(7).strip())) {
        return;
      }
      throw ApiException.of(401, "invalid_api_key", "the API key is not this server's");
    }
    if (hasSession(request) || isLinked(request)) {
      return;
    }
    throw ApiException.of(
        401, "missing_api_key", "expected an API key: 'Authorization: Bearer KEY'");
  }

  private boolean hasSession(HttpServletRequest request) {
    Cookie[] cookies = request.getCookies();
    if (cookies != null) {
      for (Cookie cookie : cookies) {
        if (cookie.getName().equals(COOKIE) && access.isSession(cookie.getValue())) {
          return true;
        }
      }
    }
    return false;
  }

  /** By the address as the container reads it: callers can write the same one in many ways. */
  private static boolean isOfApi(HttpServletRequest request) {
    return request.getServletPath().startsWith(API);
  }

  private boolean isLinked(HttpServletRequest request) {
    String path = request.getRequestURI();
    return path.startsWith("/v1/pictures/")
        && READING.contains(request.getMethod())
        && access.isSigned(
            path,
            request.getParameter("expires"),
            request.getParameter("signature"),
            Instant.now());
  }
}
