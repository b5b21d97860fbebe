package io.github.urae.server.internal.http;

import io.github.urae.server.ServerSettings;
import jakarta.servlet.http.HttpServletRequest;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.apache.tomcat.util.http.fileupload.FileItemIterator;
import org.apache.tomcat.util.http.fileupload.FileItemStream;
import org.apache.tomcat.util.http.fileupload.FileUpload;
import org.apache.tomcat.util.http.fileupload.FileUploadException;
import org.apache.tomcat.util.http.fileupload.UploadContext;
import org.apache.tomcat.util.http.fileupload.impl.FileUploadIOException;
import org.springframework.http.InvalidMediaTypeException;
import org.springframework.http.MediaType;

/**
 * Reads bodies of requests into memory, no more of them and no slower than is allowed, so that
 * neither large nor slow callers keep others waiting. Thread-safe.
 */
final class Bodies {

  /** A request in JSON: prompts of the greatest length, each character escaped. */
  private static final int MAX_JSON = 1 << 20;

  /** Clients may send them without a file's name. */
  private static final Set<String> FILES = Set.of("image", "image[]", "mask");

  private static final int MAX_PARTS = 40;
  private static final int MAX_FIELD = 1 << 20;
  private static final int PIECE = 1 << 16;

  /** Uploads in memory at a time. */
  private static final int MAX_UPLOADS = 4;

  private static final Duration UPLOAD_PATIENCE = Duration.ofSeconds(10);

  /** How long a body may take, and what it has to come by at least after that. */
  private final Duration grace;

  private static final long BYTES_PER_SECOND = 1 << 16;

  private final long maxUpload;
  private final Semaphore uploads = new Semaphore(MAX_UPLOADS, true);

  /**
   * A part of a form.
   *
   * @param name of the field
   * @param file whether it is a file
   * @param content its bytes
   */
  @SuppressWarnings("ArrayRecordComponent") // Never compared.
  record Part(String name, boolean file, byte[] content) {

    String text() {
      return new String(content, StandardCharsets.UTF_8);
    }
  }

  Bodies(ServerSettings settings) {
    this.maxUpload = settings.maxUploadBytes();
    this.grace = settings.patience();
  }

  /** Works with a body while it is in memory. */
  @FunctionalInterface
  interface Work<T, R> {
    R on(T body) throws IOException;
  }

  /** Reads a JSON object. */
  Fields json(HttpServletRequest request) throws IOException {
    checkType(request, MediaType.APPLICATION_JSON);
    return Fields.of(Json.read(read(request, MAX_JSON)));
  }

  /** Tells whether a request has a form of several parts. */
  static boolean isForm(HttpServletRequest request) {
    MediaType type = type(request);
    return type != null && type.isCompatibleWith(MediaType.MULTIPART_FORM_DATA);
  }

  /** Reads a file that is the whole body. */
  <R> R file(HttpServletRequest request, Work<byte[], R> work) throws IOException {
    return admitted(() -> work.on(read(request, maxUpload)));
  }

  /** Reads a form of several parts. */
  <R> R form(HttpServletRequest request, Work<List<Part>, R> work) throws IOException {
    checkType(request, MediaType.MULTIPART_FORM_DATA);
    return admitted(
        () -> {
          byte[] body = read(request, maxUpload);
          return work.on(parts(request.getContentType(), body));
        });
  }

  /** Reads and works, while no others have too much in memory. */
  @FunctionalInterface
  private interface Admitted<R> {
    R get() throws IOException;
  }

  private <R> R admitted(Admitted<R> work) throws IOException {
    try {
      if (!uploads.tryAcquire(UPLOAD_PATIENCE.toMillis(), TimeUnit.MILLISECONDS)) {
        throw ApiException.later(
            503, "busy", Duration.ofSeconds(5), "too many uploads at a time; try again");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw ApiException.of(503, "stopping", "the server is being stopped");
    }
    try {
      return work.get();
    } finally {
      uploads.release();
    }
  }

  private static void checkType(HttpServletRequest request, MediaType expected) {
    MediaType found = type(request);
    if (found == null || !found.isCompatibleWith(expected)) {
      throw ApiException.of(415, "unsupported_media_type", "expected a body of type " + expected);
    }
  }

  private static MediaType type(HttpServletRequest request) {
    try {
      return request.getContentType() == null
          ? null
          : MediaType.parseMediaType(request.getContentType());
    } catch (InvalidMediaTypeException e) {
      return null;
    }
  }

  private byte[] read(HttpServletRequest request, long max) throws IOException {
    if (request.getContentLengthLong() > max) {
      throw tooLarge(max);
    }
    long begun = System.nanoTime();
    ByteArrayOutputStream body = new ByteArrayOutputStream();
    byte[] piece = new byte[PIECE];
    InputStream in = request.getInputStream();
    try {
      for (int count = in.read(piece); count >= 0; count = in.read(piece)) {
        if (body.size() + count > max) {
          throw tooLarge(max);
        }
        body.write(piece, 0, count);
        checkPace(System.nanoTime() - begun, body.size());
      }
    } catch (SocketTimeoutException e) {
      throw tooSlow();
    }
    return body.toByteArray();
  }

  private void checkPace(long nanos, int bytes) {
    long allowed = grace.toNanos() + TimeUnit.SECONDS.toNanos(bytes) / BYTES_PER_SECOND;
    if (nanos > allowed) {
      throw tooSlow();
    }
  }

  private static ApiException tooSlow() {
    return ApiException.of(408, "too_slow", "the body came too slowly");
  }

  private static ApiException tooLarge(long max) {
    return ApiException.of(
        413, "body_too_large", "expected a body of at most " + max + " bytes, found more");
  }

  private static List<Part> parts(String type, byte[] body) throws IOException {
    FileUpload upload = new FileUpload();
    upload.setFileCountMax(MAX_PARTS);
    List<Part> parts = new ArrayList<>();
    try {
      FileItemIterator items = upload.getItemIterator(new Form(type, body));
      while (items.hasNext()) {
        FileItemStream item = items.next();
        if (item.getFieldName() == null) {
          throw ApiException.of(400, "invalid_form", "a part of the form has no name");
        }
        try (InputStream in = item.openStream()) {
          boolean field = item.isFormField() && !FILES.contains(item.getFieldName());
          byte[] content = field ? in.readNBytes(MAX_FIELD + 1) : in.readAllBytes();
          if (field && content.length > MAX_FIELD) {
            throw ApiException.of(
                413, "body_too_large", "a field of the form has more than " + MAX_FIELD + " bytes");
          }
          parts.add(new Part(item.getFieldName(), !field, content));
        }
        if (parts.size() > MAX_PARTS) {
          throw ApiException.of(
              400, "invalid_form", "expected at most " + MAX_PARTS + " parts, found more");
        }
      }
      return parts;
    } catch (FileUploadException | FileUploadIOException e) {
      throw ApiException.of(400, "invalid_form", "the body is no form of several parts");
    } catch (IOException e) {
      throw ApiException.of(400, "invalid_form", "the form is cut short or damaged");
    }
  }

  /** A form in memory. */
  @SuppressWarnings("ArrayRecordComponent") // Never compared.
  private record Form(String type, byte[] body) implements UploadContext {
    @Override
    public String getCharacterEncoding() {
      return StandardCharsets.UTF_8.name();
    }

    @Override
    public String getContentType() {
      return type;
    }

    @Override
    public long contentLength() {
      return body.length;
    }

    @Override
    public InputStream getInputStream() {
      return new ByteArrayInputStream(body);
    }
  }
}
