package io.github.urae.training.internal.data;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import io.github.urae.FileFormatException;
import io.github.urae.UraeException;
import io.github.urae.internal.BoundedJson;
import io.github.urae.internal.InputFile;
import io.github.urae.internal.JsonTrees;
import java.io.IOException;
import java.nio.file.FileVisitOption;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * The pictures of a folder and its subfolders, in the order of their names. Hidden files and
 * folders are left out.
 */
final class PictureFolder {

  private static final Set<String> ENDINGS =
      Set.of("jpg", "jpeg", "png", "webp", "tif", "tiff", "bmp", "gif");

  private static final int MOST_CAPTION_BYTES = 1 << 20;

  private static final int MOST_LEVELS = 32;

  private static final JsonTrees JSON = new JsonTrees(BoundedJson.trees());

  private final Path root;

  /** By name. */
  private final Map<String, Path> pictures = new TreeMap<>();

  private final List<Path> tables = new ArrayList<>();
  private final List<Skipped> skipped = new ArrayList<>();

  private PictureFolder(Path root) {
    this.root = root;
  }

  /**
   * Looks for pictures; opens none.
   *
   * @param root a folder
   * @throws IOException if it is missing, no folder, or cannot be read
   */
  static PictureFolder scan(Path root) throws IOException {
    if (!Files.exists(root)) {
      throw new NoSuchFileException(
          root.toString(), null, "expected a folder of pictures, found nothing");
    }
    if (!Files.isDirectory(root)) {
      throw new NotDirectoryException(root + ": expected a folder of pictures, found a file");
    }
    PictureFolder folder = new PictureFolder(root.normalize());
    List<Path> found = new ArrayList<>();
    Files.walkFileTree(
        folder.root, EnumSet.of(FileVisitOption.FOLLOW_LINKS), MOST_LEVELS, folder.visitor(found));
    Collections.sort(found);
    for (Path picture : found) {
      Path same = folder.pictures.putIfAbsent(folder.name(picture), picture);
      if (same != null) {
        folder.skipped.add(
            new Skipped(
                picture,
                "has the same name as "
                    + same.getFileName()
                    + " but for its ending, and would have the same caches; rename one"));
      }
    }
    Collections.sort(folder.tables);
    return folder;
  }

  private SimpleFileVisitor<Path> visitor(List<Path> found) {
    return new SimpleFileVisitor<>() {
      @Override
      public FileVisitResult preVisitDirectory(Path folder, BasicFileAttributes attributes) {
        return isHidden(folder) && !folder.equals(root)
            ? FileVisitResult.SKIP_SUBTREE
            : FileVisitResult.CONTINUE;
      }

      @Override
      public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
        if (!isHidden(file)) {
          if (MetadataTable.NAMES.contains(file.getFileName().toString())) {
            tables.add(file);
          } else if (ENDINGS.contains(ending(file))) {
            found.add(file);
          }
        }
        return FileVisitResult.CONTINUE;
      }

      @Override
      public FileVisitResult visitFileFailed(Path file, IOException failure) throws IOException {
        if (file.equals(root)) {
          throw failure;
        }
        skipped.add(new Skipped(file, "cannot be looked at: " + failure));
        return FileVisitResult.CONTINUE;
      }
    };
  }

  private static boolean isHidden(Path path) {
    return path.getFileName() != null && path.getFileName().toString().startsWith(".");
  }

  private static String ending(Path file) {
    String name = file.getFileName().toString();
    return name.substring(name.lastIndexOf('.') + 1).toLowerCase(Locale.ROOT);
  }

  /**
   * Returns a picture's path within the folder, without its ending, with {@code /} on all systems.
   */
  private String name(Path picture) {
    List<String> parts = new ArrayList<>();
    root.relativize(picture).forEach(part -> parts.add(part.toString()));
    String path = String.join("/", parts);
    return path.substring(0, path.lastIndexOf('.'));
  }

  /** Returns the pictures by their names, in order. */
  Map<String, Path> pictures() {
    return Collections.unmodifiableMap(pictures);
  }

  /** Returns what was left out so far. */
  List<Skipped> skipped() {
    return List.copyOf(skipped);
  }

  /**
   * Reads all captions. Pictures without one are left out.
   *
   * @return by name, in order
   * @throws IOException if a table cannot be read
   */
  Map<String, Captions> captions() throws IOException {
    Map<Path, Captions> listed = new HashMap<>();
    Set<Path> refused = new HashSet<>();
    for (Path table : tables) {
      try {
        MetadataTable.read(root, table, listed, skipped, refused);
      } catch (UraeException e) {
        skipped.add(new Skipped(table, e.getMessage()));
      }
    }
    Map<String, Captions> captions = new TreeMap<>();
    pictures.forEach(
        (name, picture) -> {
          try {
            Captions own = captions(picture, listed.getOrDefault(picture, Captions.NONE));
            if (!own.isEmpty()) {
              captions.put(name, own);
            } else if (!refused.contains(picture)) {
              skipped.add(new Skipped(picture, missing(picture)));
            }
          } catch (UraeException | IOException e) {
            skipped.add(new Skipped(picture, "its caption cannot be read: " + e.getMessage()));
          }
        });
    return captions;
  }

  private static Path beside(Path picture, String ending) {
    String name = picture.getFileName().toString();
    return picture.resolveSibling(name.substring(0, name.lastIndexOf('.')) + ending);
  }

  private static String missing(Path picture) {
    return "has no caption: expected "
        + beside(picture, ".json").getFileName()
        + " with 'prompt' or 'generated_prompt', "
        + beside(picture, ".txt").getFileName()
        + ", "
        + beside(picture, ".caption").getFileName()
        + ", or an entry in metadata.jsonl, of which none is there or says anything";
  }

  /** The first source that says something holds. */
  private static Captions captions(Path picture, Captions listed) throws IOException {
    Path json = beside(picture, ".json");
    if (Files.exists(json)) {
      Captions own = ofJson(json);
      if (!own.isEmpty()) {
        return own;
      }
    }
    if (!listed.isEmpty()) {
      return listed;
    }
    for (String ending : List.of(".txt", ".caption")) {
      Path text = beside(picture, ending);
      if (Files.exists(text)) {
        Captions own = Captions.of(joined(InputFile.text(text, MOST_CAPTION_BYTES)), null);
        if (!own.isEmpty()) {
          return own;
        }
      }
    }
    return Captions.NONE;
  }

  private static Captions ofJson(Path file) throws IOException {
    JsonNode root;
    try {
      root = JSON.readWhole(InputFile.text(file, MOST_CAPTION_BYTES));
    } catch (JsonProcessingException e) {
      throw new FileFormatException(
          file.getFileName() + ": not valid JSON: " + e.getOriginalMessage(), e);
    }
    if (!root.isObject()) {
      throw new FileFormatException(file.getFileName() + ": expected an object");
    }
    return Captions.of(
        text(file, root, CaptionKind.PROMPT), text(file, root, CaptionKind.GENERATED_PROMPT));
  }

  private static String text(Path file, JsonNode root, CaptionKind kind) {
    JsonNode value = root.path(kind.column());
    if (value.isMissingNode() || value.isNull()) {
      return null;
    }
    if (!value.isTextual()) {
      throw new FileFormatException(
          file.getFileName() + ": '" + kind.column() + "': expected a text");
    }
    return value.textValue();
  }

  /** Lines of a caption are one text. */
  private static String joined(String text) {
    return text.lines()
        .map(String::strip)
        .filter(line -> !line.isEmpty())
        .collect(Collectors.joining(" "));
  }
}
