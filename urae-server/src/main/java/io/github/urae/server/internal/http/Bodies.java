package io.github.urae.server.internal.http;

import io.github.urae.server.ServerSettings;
import io.github.urae.server.internal.picture.DecodingTurn;
import jakarta.servlet.http.HttpServletRequest;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
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
 * Reads bodies of requests, no more of them and no slower than is allowed, so that neither large
 * nor slow callers keep others waiting. Files go to the disk as they come; one upload at a time is
 * taken into memory from there. Thread-safe.
 */
final class Bodies {

  /** Uploads that are received or wait to be worked with. */
  static final int MAX_UPLOADS = 16;

  /** A request in JSON: prompts of the greatest length, each character escaped. */
  private static final int MAX_JSON = 1 << 20;

  /** Clients may send them without a file's name. */
  private static final Set<String> FILES = Set.of("image", "image[]", "mask");

  private static final int MAX_PARTS = 40;
  private static final int MAX_FIELD = 1 << 20;

  /** Whoever comes while all are busy waits so long, for a place and then for his turn. */
  private static final Duration PLACE_PATIENCE = Duration.ofSeconds(10);

  private static final Duration TURN_PATIENCE = Duration.ofMinutes(1);

  private final long maxUpload;

  /** How long a body may take, and what it has to come by at least after that. */
  private final Duration grace;

  private final UploadFolder folder;
  private final Semaphore places = new Semaphore(MAX_UPLOADS, true);
  private final DecodingTurn turn;

  /**
   * A part of a form: a text or a file.
   *
   * @param name of the field
   * @param text what it says; empty for a file
   * @param file where its content is, until the work is done; empty for a text
   */
  record Part(String name, Optional<String> text, Optional<Path> file) {}

  Bodies(ServerSettings settings, DecodingTurn turn) throws IOException {
    this.turn = turn;
    this.maxUpload = settings.maxUploadBytes();
    this.grace = settings.patience();
    this.folder = new UploadFolder(settings.dataFolder());
  }

  /** Works with a body, one at a time. */
  @FunctionalInterface
  interface Work<T, R> {
    R on(T body) throws IOException;
  }

  /** Reads a JSON object. */
  Fields json(HttpServletRequest request) throws IOException {
    checkType(request, MediaType.APPLICATION_JSON);
    return Fields.of(Json.read(body(request, MAX_JSON).readAllBytes()));
  }

  /** Tells whether a request has a form of several parts. */
  static boolean isForm(HttpServletRequest request) {
    MediaType type = type(request);
    return type != null && type.isCompatibleWith(MediaType.MULTIPART_FORM_DATA);
  }

  /** Reads a file that is the whole body. */
  <R> R file(HttpServletRequest request, Work<Path, R> work) throws IOException {
    InputStream body = body(request, maxUpload);
    return admitted(
        files -> {
          Path file = folder.file();
          files.add(file);
          UploadFolder.copy(body, file);
          return inTurn(work, file);
        });
  }

  /** Reads a form of several parts. */
  <R> R form(HttpServletRequest request, Work<List<Part>, R> work) throws IOException {
    checkType(request, MediaType.MULTIPART_FORM_DATA);
    InputStream body = body(request, maxUpload);
    return admitted(
        files -> {
          List<Part> parts = parts(new Form(request.getContentType(), body), files);
          return inTurn(work, parts);
        });
  }

  /** Receives and works, and notes the files that are to be removed. */
  @FunctionalInterface
  private interface Admitted<R> {
    R get(List<Path> files) throws IOException;
  }

  private <R> R admitted(Admitted<R> work) throws IOException {
    enter();
    List<Path> files = new ArrayList<>();
    try {
      return work.get(files);
    } finally {
      UploadFolder.remove(files);
      places.release();
    }
  }

  private <T, R> R inTurn(Work<T, R> work, T body) throws IOException {
    try {
      return turn.tryFor(TURN_PATIENCE, () -> work.on(body)).orElseThrow(Bodies::busy);
    } catch (InterruptedException e) {
      throw stopping();
    }
  }

  private void enter() {
    try {
      if (!places.tryAcquire(PLACE_PATIENCE.toMillis(), TimeUnit.MILLISECONDS)) {
        throw busy();
      }
    } catch (InterruptedException e) {
      throw stopping();
    }
  }

  private static ApiException busy() {
    return ApiException.later(
        503, "busy", Duration.ofSeconds(5), "too many uploads at a time; try again");
  }

  private static ApiException stopping() {
    Thread.currentThread().interrupt();
    return ApiException.of(503, "stopping", "the server is being stopped");
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

  private InputStream body(HttpServletRequest request, long max) throws IOException {
    if (request.getContentLengthLong() > max) {
      throw LimitedBody.tooLarge(max);
    }
    return new LimitedBody(request.getInputStream(), max, grace);
  }

  private List<Part> parts(Form form, List<Path> files) throws IOException {
    FileUpload upload = new FileUpload();
    upload.setFileCountMax(MAX_PARTS);
    List<Part> parts = new ArrayList<>();
    try {
      FileItemIterator items = upload.getItemIterator(form);
      while (items.hasNext()) {
        FileItemStream item = items.next();
        if (item.getFieldName() == null) {
          throw ApiException.of(400, "invalid_form", "a part of the form has no name");
        }
        parts.add(part(item, files));
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

  private Part part(FileItemStream item, List<Path> files) throws IOException {
    String name = item.getFieldName();
    try (InputStream in = item.openStream()) {
      if (!item.isFormField() || FILES.contains(name)) {
        Path file = folder.file();
        files.add(file);
        UploadFolder.copy(in, file);
        return new Part(name, Optional.empty(), Optional.of(file));
      }
      byte[] content = in.readNBytes(MAX_FIELD + 1);
      if (content.length > MAX_FIELD) {
        throw ApiException.of(
            413, "body_too_large", "a field of the form has more than " + MAX_FIELD + " bytes");
      }
      return new Part(
          name, Optional.of(new String(content, StandardCharsets.UTF_8)), Optional.empty());
    }
  }

  /** A form that is being received. */
  private record Form(String type, InputStream body) implements UploadContext {
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
      return -1; // It is counted as it comes.
    }

    @Override
    public InputStream getInputStream() {
      return body;
    }
  }
}
