package io.github.urae.training.internal.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PictureFolderTest {

  @TempDir Path folder;

  private Path put(String name, String content) throws IOException {
    Path file = folder.resolve(name);
    Files.createDirectories(file.getParent());
    return Files.writeString(file, content);
  }

  private static Captions prompt(String text) {
    return Captions.of(text, null);
  }

  /** Reasons by file, within the folder. */
  private Map<String, String> skipped(PictureFolder scanned) {
    return scanned.skipped().stream()
        .collect(
            Collectors.toMap(
                one -> folder.relativize(one.file()).toString().replace('\\', '/'),
                Skipped::reason,
                (one, other) -> one + " | " + other));
  }

  @Test
  void readsCaptionsOfAllKinds() throws IOException {
    put("a.jpg", "");
    put("a.json", "{\"prompt\": \"one\", \"generated_prompt\": \"two\", \"score\": 3}");
    put("b.PNG", "");
    put("b.txt", "\uFEFF first line \n\n second\r\n");
    put("deep/er/c.d.webp", "");
    put("deep/er/c.d.caption", "of kohya");
    put("deep/e.tiff", "");
    put("deep/metadata.jsonl", "{\"file_name\": \"e.tiff\", \"text\": \"listed\"}\n");
    put("f.jpeg", "");
    put(
        "metadata.csv",
        "file_name,caption,generated_prompt\nf.jpeg,\"says \"\"so\"\", twice\",\"a\nb\"\n");
    put("notes.txt", "no picture");
    put(".hidden.jpg", "");
    put(".thumbnails/g.jpg", "");
    PictureFolder scanned = PictureFolder.scan(folder);
    assertThat(scanned.captions())
        .containsExactly(
            Map.entry("a", Captions.of("one", "two")),
            Map.entry("b", prompt("first line second")),
            Map.entry("deep/e", prompt("listed")),
            Map.entry("deep/er/c.d", prompt("of kohya")),
            Map.entry("f", Captions.of("says \"so\", twice", "a\nb")));
    assertThat(scanned.skipped()).isEmpty();
  }

  @Test
  void theFirstSourceThatSaysAnythingHolds() throws IOException {
    put("a.jpg", "");
    put("a.json", "{\"prompt\": \" \", \"other\": 1}");
    put("a.txt", "text");
    put("b.jpg", "");
    put("b.txt", "text");
    put("metadata.jsonl", "{\"file_name\": \"b.jpg\", \"prompt\": \"listed\"}");
    put("c.jpg", "");
    put("c.json", "{\"generated_prompt\": \"written\"}");
    put("c.txt", "text");
    put("d.jpg", "");
    put("d.txt", " \n");
    put("d.caption", "says");
    assertThat(PictureFolder.scan(folder).captions())
        .containsExactly(
            Map.entry("a", prompt("text")),
            Map.entry("b", prompt("listed")),
            Map.entry("c", Captions.of(null, "written")),
            Map.entry("d", prompt("says")));
  }

  @Test
  void saysWhatIsSkippedAndWhy() throws IOException {
    put("bare.jpg", "");
    put("broken.jpg", "");
    put("broken.json", "{\"prompt\": ");
    put("list.jpg", "");
    put("list.json", "[1]");
    put("number.jpg", "");
    put("number.json", "{\"prompt\": 3}");
    put("latin.jpg", "");
    Files.write(folder.resolve("latin.txt"), "Bäume".getBytes(StandardCharsets.ISO_8859_1));
    put("same.jpg", "");
    put("same.png", "");
    put("same.txt", "one of them");
    put("mute.jpg", "");
    put(
        "metadata.jsonl",
        """
        {"file_name": "gone.jpg", "text": "x"}
        {"file_name": "../../etc/passwd", "text": "x"}
        {"text": "of what?"}
        {"file_name": "mute.jpg", "text": 7}
        not JSON
        """);
    PictureFolder scanned = PictureFolder.scan(folder);
    assertThat(scanned.captions()).containsOnlyKeys("same");
    Map<String, String> reasons = skipped(scanned);
    assertThat(reasons)
        .containsOnlyKeys(
            "bare.jpg",
            "broken.jpg",
            "list.jpg",
            "number.jpg",
            "latin.jpg",
            "same.png",
            "gone.jpg",
            "mute.jpg",
            "metadata.jsonl");
    assertThat(reasons.get("bare.jpg"))
        .contains("has no caption", "bare.json", "bare.txt", "bare.caption", "metadata.jsonl");
    assertThat(reasons.get("broken.jpg")).contains("broken.json: not valid JSON");
    assertThat(reasons.get("list.jpg")).contains("list.json: expected an object");
    assertThat(reasons.get("number.jpg")).contains("number.json: 'prompt': expected a text");
    assertThat(reasons.get("latin.jpg")).contains("latin.txt: not UTF-8");
    assertThat(reasons.get("same.png")).contains("has the same name as same.jpg");
    assertThat(reasons.get("gone.jpg")).contains("metadata.jsonl, but there is no such file");
    assertThat(reasons.get("mute.jpg")).contains("has no caption");
    assertThat(reasons.get("metadata.jsonl"))
        .contains("line 2: '../../etc/passwd' lies outside of the folder")
        .contains("line 3: expected a text 'file_name'")
        .contains("line 5: not valid JSON");
  }

  @Test
  void aTableWithoutColumnsIsSkipped() throws IOException {
    put("a.jpg", "");
    put("a.txt", "text");
    put("metadata.csv", "one,two\na.jpg,x\n");
    PictureFolder scanned = PictureFolder.scan(folder);
    assertThat(scanned.captions()).containsOnlyKeys("a");
    assertThat(skipped(scanned).get("metadata.csv")).contains("'file_name' among them");
  }

  @Test
  void refusesWhatIsNoFolder() throws IOException {
    assertThatThrownBy(() -> PictureFolder.scan(folder.resolve("none")))
        .isInstanceOf(NoSuchFileException.class)
        .hasMessageContaining("expected a folder of pictures, found nothing");
    Path file = put("a.jpg", "");
    assertThatThrownBy(() -> PictureFolder.scan(file)).isInstanceOf(NotDirectoryException.class);
  }

  @Test
  void readsTablesOfAnyForm() {
    assertThat(CsvRows.of("a,b\r\n\r\n\"x,\ny\",\"\"\"\"\n,\nlast"))
        .containsExactly(
            List.of("a", "b"), List.of("x,\ny", "\""), List.of("", ""), List.of("last"));
    assertThat(CsvRows.of("")).isEmpty();
    assertThat(CsvRows.of("a,")).containsExactly(List.of("a", ""));
    assertThat(CsvRows.of("\"never ends")).containsExactly(List.of("never ends"));
  }
}
