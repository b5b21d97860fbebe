package io.github.urae.internal;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FileReplacementTest {

  @TempDir Path folder;

  @Test
  void aFileIsOnTheDiskBeforeItGetsItsName() throws IOException {
    Path target = folder.resolve("a");
    Path events = folder.resolve("events.jfr");
    try (Recording recording = new Recording()) {
      recording.enable("jdk.FileForce").withoutThreshold();
      recording.start();
      FileReplacement.replace(target, file -> Files.writeString(file, "content"));
      recording.stop();
      recording.dump(events);
    }
    List<String> forced =
        RecordingFile.readAllEvents(events).stream()
            .map((RecordedEvent event) -> event.getString("path"))
            .filter(path -> path.startsWith(target.toString()))
            .toList();
    assertThat(forced).singleElement().asString().endsWith(FileReplacement.PARTIAL_SUFFIX);
    assertThat(target).hasContent("content");
  }
}
