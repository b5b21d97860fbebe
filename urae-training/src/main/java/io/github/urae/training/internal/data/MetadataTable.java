package io.github.urae.training.internal.data;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import io.github.urae.FileFormatException;
import io.github.urae.internal.BoundedJson;
import io.github.urae.internal.InputFile;
import io.github.urae.internal.JsonTrees;
import io.github.urae.internal.PrintableText;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Captions of many pictures in one file, as Hugging Face's image folders have them: {@code
 * metadata.jsonl}, an object a line, or {@code metadata.csv}. {@code file_name} is relative to the
 * file's folder; the caption is in {@code prompt}, {@code text} or {@code caption}, one that a
 * model has written in {@code generated_prompt}.
 *
 * @see <a href="https://huggingface.co/docs/datasets/image_dataset">Hugging Face: image folders</a>
 */
final class MetadataTable {

  static final List<String> NAMES = List.of("metadata.jsonl", "metadata.csv");

  private static final List<String> FILE_COLUMNS = List.of("file_name", "image");
  private static final List<String> PROMPT_COLUMNS = List.of("prompt", "text", "caption");
  private static final int MOST_BYTES = 1 << 28;

  private static final JsonTrees JSON = new JsonTrees(BoundedJson.trees());

  private final Path root;
  private final Path file;
  private final Map<Path, Captions> entries;
  private final List<Skipped> skipped;

  /** Pictures whose entry could not be read: they are listed already. */
  private final Set<Path> refused;

  private MetadataTable(
      Path root, Path file, Map<Path, Captions> entries, List<Skipped> skipped, Set<Path> refused) {
    this.root = root;
    this.file = file;
    this.entries = entries;
    this.skipped = skipped;
    this.refused = refused;
  }

  /**
   * Reads a table into others.
   *
   * @param root pictures lie in it
   * @param entries gets captions by picture; what is there already stays
   * @param skipped gets what cannot be read
   * @param refused gets pictures whose entries cannot be read
   * @throws IOException if the file cannot be read
   * @throws FileFormatException if it is no text, or no table
   */
  static void read(
      Path root, Path file, Map<Path, Captions> entries, List<Skipped> skipped, Set<Path> refused)
      throws IOException {
    MetadataTable table = new MetadataTable(root, file, new HashMap<>(), skipped, refused);
    String text = InputFile.text(file, MOST_BYTES);
    if (file.getFileName().toString().endsWith(".csv")) {
      table.readCsv(text);
    } else {
      table.readLines(text);
    }
    table.entries.forEach(entries::putIfAbsent);
  }

  private void readLines(String text) {
    int number = 0;
    for (String line : (Iterable<String>) text.lines()::iterator) {
      number++;
      if (line.isBlank()) {
        continue;
      }
      try {
        readObject(JSON.readWhole(line), number);
      } catch (JsonProcessingException e) {
        skip(number, "not valid JSON: " + e.getOriginalMessage());
      }
    }
  }

  private void readObject(JsonNode object, int number) {
    Map<String, String> fields = new HashMap<>();
    for (Map.Entry<String, JsonNode> field : object.properties()) {
      if (field.getValue().isTextual()) {
        fields.put(field.getKey(), field.getValue().textValue());
      }
    }
    add(fields, number);
  }

  private void readCsv(String text) {
    List<List<String>> rows = CsvRows.of(text);
    if (rows.isEmpty() || rows.get(0).stream().noneMatch(FILE_COLUMNS::contains)) {
      throw new FileFormatException(
          file + ": expected a first line of column names, 'file_name' among them");
    }
    List<String> columns = rows.get(0);
    for (int row = 1; row < rows.size(); row++) {
      Map<String, String> fields = new HashMap<>();
      for (int i = 0; i < Math.min(columns.size(), rows.get(row).size()); i++) {
        fields.put(columns.get(i).strip(), rows.get(row).get(i));
      }
      add(fields, row + 1);
    }
  }

  private void add(Map<String, String> fields, int number) {
    String name = first(fields, FILE_COLUMNS);
    if (name == null) {
      skip(number, "expected a text 'file_name', found none");
      return;
    }
    Path picture;
    try {
      picture = file.resolveSibling(name.replace('\\', '/')).normalize();
    } catch (InvalidPathException e) {
      skip(number, PrintableText.quoted(name) + " is no file's name");
      return;
    }
    if (!isInside(picture)) {
      skip(number, PrintableText.quoted(name) + " lies outside of the folder");
    } else if (!Files.exists(picture)) {
      skipped.add(new Skipped(picture, "is named in " + file + ", but there is no such file"));
    } else {
      Captions captions =
          Captions.of(
              first(fields, PROMPT_COLUMNS), fields.get(CaptionKind.GENERATED_PROMPT.column()));
      if (captions.isEmpty()) {
        refused.add(picture);
        skipped.add(
            new Skipped(
                picture,
                "its entry in "
                    + file
                    + " has no caption: expected a text 'prompt', 'text' or 'caption'"));
      } else {
        entries.putIfAbsent(picture, captions);
      }
    }
  }

  /** Absolute, since no path starts with the empty one, which stands for the working folder. */
  private boolean isInside(Path picture) {
    Path outer = root.toAbsolutePath().normalize();
    return picture.toAbsolutePath().normalize().startsWith(outer);
  }

  private static String first(Map<String, String> fields, List<String> names) {
    for (String name : names) {
      if (fields.containsKey(name)) {
        return fields.get(name);
      }
    }
    return null;
  }

  private void skip(int line, String reason) {
    skipped.add(new Skipped(file, "line " + line + ": " + reason));
  }
}
