package io.github.urae.server.internal.picture;

import io.github.urae.FileFormatException;
import io.github.urae.flux.GeneratedImage;
import io.github.urae.image.ImageFormat;
import io.github.urae.image.RgbImage;
import io.github.urae.internal.FileReplacement;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The files of jobs: pictures, the picture that a job starts from, thumbnails and tiles, in 256
 * folders by the beginning of the job's id. Every file is written beside its place and renamed. Ids
 * are the server's own; nothing that a caller says becomes part of a path before it was found to be
 * one of them. Thread-safe.
 */
public final class PictureFiles {

  private static final Logger LOG = LoggerFactory.getLogger(PictureFiles.class);

  private static final int THUMBNAIL_SIDE = 320;

  private static final String START = "start.png";

  private static final int ID_LENGTH = 32;

  private final Path jobs;
  private final DecodingTurn turn;

  /**
   * Makes the folder where it is missing.
   *
   * @param turn of whatever decodes a picture
   */
  public PictureFiles(Path dataFolder, DecodingTurn turn) throws IOException {
    this.turn = turn;
    jobs = Files.createDirectories(dataFolder.resolve("jobs"));
  }

  private Path folder(String id) {
    if (!id.matches("[0-9a-f]{" + ID_LENGTH + "}")) {
      throw new IllegalArgumentException("no id of a job: " + id.length() + " characters");
    }
    return jobs.resolve(id.substring(0, 2));
  }

  private Path file(String id, String name) {
    return folder(id).resolve(id + "-" + name);
  }

  /**
   * Saves a picture with its settings.
   *
   * @param quality of JPEG, 1 to 100
   */
  public void save(String id, int index, GeneratedImage picture, PictureType type, int quality)
      throws IOException {
    Files.createDirectories(folder(id));
    write(file(id, index + "." + type.suffix()), out -> type.write(picture, quality, out));
  }

  /** Saves what a job starts from. */
  public void saveStart(String id, RgbImage picture) throws IOException {
    Files.createDirectories(folder(id));
    write(file(id, START), out -> ImageFormat.PNG.write(picture, Map.of(), out));
  }

  /** Reads what a job starts from. */
  public RgbImage readStart(String id) throws IOException {
    try {
      return turn.await(() -> RgbImage.read(file(id, START)));
    } catch (FileFormatException e) {
      // It was whole when it was written: no caller is to blame.
      throw new IOException("the picture that job " + id + " starts from cannot be read", e);
    }
  }

  /** The bytes of a file. */
  @FunctionalInterface
  private interface Content {
    void writeTo(OutputStream out) throws IOException;
  }

  private static void write(Path file, Content content) throws IOException {
    FileReplacement.replace(
        file,
        OptionalLong::empty,
        temporary -> {
          try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(temporary))) {
            content.writeTo(out);
          }
        });
  }

  /** Returns the file of what a job starts from, if it is there. */
  public Optional<Path> findStart(String id) {
    return Optional.of(file(id, START)).filter(Files::isRegularFile);
  }

  /** Returns a picture's file, if it is there. */
  public Optional<Path> find(String id, int index, PictureType type) {
    return Optional.of(file(id, index + "." + type.suffix())).filter(Files::isRegularFile);
  }

  /** Returns a small picture's file, made if need be. */
  public Path thumbnail(String id, int index, PictureType type) throws IOException {
    Path file = file(id, index + "-small.jpg");
    if (!Files.exists(file)) {
      turn.await(
          () -> {
            if (!Files.exists(file)) {
              writeThumbnail(read(id, index, type), file);
            }
            return file;
          });
    }
    return file;
  }

  private static void writeThumbnail(RgbImage picture, Path file) throws IOException {
    double scale =
        Math.min(1, (double) THUMBNAIL_SIDE / Math.max(picture.width(), picture.height()));
    RgbImage small =
        picture.resized(
            (int) Math.max(1, Math.round(picture.width() * scale)),
            (int) Math.max(1, Math.round(picture.height() * scale)));
    write(file, out -> ImageFormat.JPEG.write(small, Map.of(), out));
  }

  /** Returns the folder of a picture's tiles, made if need be. */
  public Path tiles(String id, int index, PictureType type) throws IOException {
    Path tiles = file(id, index + "-tiles");
    if (!Files.isDirectory(tiles)) {
      turn.await(
          () -> {
            if (!Files.isDirectory(tiles)) {
              TilePyramid.write(read(id, index, type), tiles);
            }
            return tiles;
          });
    }
    return tiles;
  }

  private RgbImage read(String id, int index, PictureType type) throws IOException {
    Optional<Path> file = find(id, index, type);
    if (file.isEmpty()) {
      throw new NoSuchFileException("picture " + index + " of job " + id);
    }
    return RgbImage.read(file.get());
  }

  /** Removes all of a job's files. */
  public void remove(String id) throws IOException {
    for (Path file : of(id)) {
      deleteTree(file);
    }
  }

  /** Removes a job's pictures, but not what it starts from. */
  public void removePictures(String id) {
    try {
      for (Path file : of(id)) {
        if (!file.equals(file(id, START))) {
          deleteTree(file);
        }
      }
    } catch (IOException e) {
      LOG.warn("pictures of job {} could not be removed", id, e);
    }
  }

  private List<Path> of(String id) throws IOException {
    try (Stream<Path> files = Files.list(folder(id))) {
      return files.filter(file -> file.getFileName().toString().startsWith(id)).toList();
    } catch (NoSuchFileException e) {
      return List.of();
    }
  }

  /** Removes files of jobs that nobody knows, which an end at a bad moment leaves. */
  public void keepOnly(Set<String> ids) throws IOException {
    try (Stream<Path> parts = Files.list(jobs)) {
      for (Path part : parts.filter(Files::isDirectory).toList()) {
        try (Stream<Path> files = Files.list(part)) {
          for (Path file : files.toList()) {
            String name = file.getFileName().toString();
            if (name.length() < ID_LENGTH || !ids.contains(name.substring(0, ID_LENGTH))) {
              deleteTree(file);
            }
          }
        }
      }
    }
  }

  /** Removes a file or folder. Others may remove it, or parts of it, at the same time. */
  static void deleteTree(Path root) throws IOException {
    Files.walkFileTree(
        root,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
              throws IOException {
            Files.deleteIfExists(file);
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult visitFileFailed(Path file, IOException failure)
              throws IOException {
            if (failure instanceof NoSuchFileException) {
              return FileVisitResult.CONTINUE;
            }
            throw failure;
          }

          @Override
          public FileVisitResult postVisitDirectory(Path folder, IOException failure)
              throws IOException {
            if (failure != null) {
              throw failure;
            }
            Files.deleteIfExists(folder);
            return FileVisitResult.CONTINUE;
          }
        });
  }
}
