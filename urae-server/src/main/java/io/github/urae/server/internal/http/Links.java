package io.github.urae.server.internal.http;

import io.github.urae.server.ServerSettings;
import io.github.urae.server.internal.picture.PictureType;
import jakarta.servlet.http.HttpServletRequest;
import java.time.Instant;

/** Addresses of pictures. */
final class Links {

  private final ServerSettings settings;
  private final Access access;

  Links(ServerSettings settings, Access access) {
    this.settings = settings;
    this.access = access;
  }

  /** Returns the path of a picture. */
  static String path(String job, int index, PictureType type) {
    return "/v1/pictures/" + job + "/" + index + "." + type.suffix();
  }

  /** Returns an address that whoever has it may read, for a while where there is a key. */
  String absolute(HttpServletRequest request, String job, int index, PictureType type) {
    String path = path(job, index, type);
    String query = access.isGuarded() ? "?" + access.signature(path, Instant.now()) : "";
    return base(request) + path + query;
  }

  private String base(HttpServletRequest request) {
    if (settings.publicUrl().isPresent()) {
      return settings.publicUrl().get().toString().replaceFirst("/$", "");
    }
    // The host was checked before a controller was called.
    return request.getScheme() + "://" + request.getHeader("Host");
  }
}
