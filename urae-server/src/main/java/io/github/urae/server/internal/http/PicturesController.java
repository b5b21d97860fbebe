package io.github.urae.server.internal.http;

import io.github.urae.server.internal.job.Drawing;
import io.github.urae.server.internal.job.Job;
import io.github.urae.server.internal.job.JobStatus;
import io.github.urae.server.internal.job.JobStore;
import io.github.urae.server.internal.picture.PictureFiles;
import io.github.urae.server.internal.picture.PictureType;
import io.github.urae.server.internal.picture.TilePyramid;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.springframework.core.io.FileSystemResource;
import org.springframework.core.io.Resource;
import org.springframework.http.HttpHeaders;
import org.springframework.http.MediaType;
import org.springframework.http.ResponseEntity;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.RestController;

/**
 * Pictures of jobs: whole, small, and in tiles. Nothing of an address becomes part of a file's path
 * but numbers, and the id of a job that was found.
 */
@RestController
final class PicturesController {

  private static final String JOB = "/v1/pictures/" + JobsController.ID;
  private static final String PICTURE = JOB + "/{index:\\d{1,3}}";

  /** They never change. */
  private static final String FOR_GOOD = "private, max-age=31536000, immutable";

  private final JobStore store;
  private final PictureFiles files;

  PicturesController(JobStore store, PictureFiles files) {
    this.store = store;
    this.files = files;
  }

  @GetMapping(PICTURE + ".{suffix:png|jpg|webp}")
  ResponseEntity<Resource> whole(
      @PathVariable("id") String id,
      @PathVariable("index") int index,
      @PathVariable("suffix") String suffix) {
    Drawing drawing = completed(id, index).settings();
    Path file =
        PictureType.ofSuffix(suffix)
            .filter(type -> type == drawing.type())
            .flatMap(type -> files.find(id, index, type))
            .orElseThrow(PicturesController::missing);
    return ResponseEntity.ok()
        .header(HttpHeaders.CACHE_CONTROL, FOR_GOOD)
        .header(
            HttpHeaders.CONTENT_DISPOSITION,
            "inline; filename=\"urae-" + id.substring(0, 8) + "-" + index + "." + suffix + "\"")
        .contentType(MediaType.parseMediaType(drawing.type().mediaType()))
        .body(new FileSystemResource(file));
  }

  @GetMapping(JOB + "/start.png")
  ResponseEntity<Resource> start(@PathVariable("id") String id) {
    if (store.find(id).isEmpty()) {
      throw missing();
    }
    Path file = files.findStart(id).orElseThrow(PicturesController::missing);
    return picture(file, MediaType.IMAGE_PNG);
  }

  @GetMapping(PICTURE + "/small.jpg")
  ResponseEntity<Resource> small(@PathVariable("id") String id, @PathVariable("index") int index)
      throws IOException {
    Drawing drawing = completed(id, index).settings();
    return picture(files.thumbnail(id, index, drawing.type()), MediaType.IMAGE_JPEG);
  }

  @GetMapping(PICTURE + "/tiles.dzi")
  ResponseEntity<byte[]> tiles(@PathVariable("id") String id, @PathVariable("index") int index) {
    Drawing drawing = completed(id, index).settings();
    String text =
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            + "<Image xmlns=\"http://schemas.microsoft.com/deepzoom/2008\" Format=\"jpg\""
            + " Overlap=\"0\" TileSize=\""
            + TilePyramid.TILE
            + "\"><Size Width=\""
            + drawing.request().width().orElseThrow()
            + "\" Height=\""
            + drawing.request().height().orElseThrow()
            + "\"/></Image>\n";
    return ResponseEntity.ok()
        .contentType(MediaType.APPLICATION_XML)
        .body(text.getBytes(StandardCharsets.UTF_8));
  }

  @GetMapping(PICTURE + "/tiles_files/{level:\\d{1,2}}/{x:\\d{1,3}}_{y:\\d{1,3}}.jpg")
  ResponseEntity<Resource> tile(
      @PathVariable("id") String id,
      @PathVariable("index") int index,
      @PathVariable("level") int level,
      @PathVariable("x") int x,
      @PathVariable("y") int y)
      throws IOException {
    Drawing drawing = completed(id, index).settings();
    Path folder = files.tiles(id, index, drawing.type());
    Path file = folder.resolve(Integer.toString(level)).resolve(x + "_" + y + ".jpg");
    if (!Files.isRegularFile(file)) {
      throw missing();
    }
    return picture(file, MediaType.IMAGE_JPEG);
  }

  private static ResponseEntity<Resource> picture(Path file, MediaType type) {
    return ResponseEntity.ok()
        .header(HttpHeaders.CACHE_CONTROL, FOR_GOOD)
        .contentType(type)
        .body(new FileSystemResource(file));
  }

  private Job completed(String id, int index) {
    Optional<Job> job = store.find(id);
    return job.filter(found -> found.status() == JobStatus.COMPLETED)
        .filter(found -> index < found.pictures())
        .orElseThrow(PicturesController::missing);
  }

  private static ApiException missing() {
    return ApiException.of(404, "picture_not_found", "there is no such picture");
  }
}
