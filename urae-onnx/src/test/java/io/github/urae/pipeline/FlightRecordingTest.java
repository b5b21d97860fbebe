package io.github.urae.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.urae.InvalidRequestException;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.testkit.TestData;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FlightRecordingTest {

  @TempDir Path folder;

  @Test
  void workIsRecorded() throws Exception {
    Path file = folder.resolve("recording.jfr");
    try (Recording recording = new Recording()) {
      recording.start();
      Program.main(folder.resolve("cache").toString());
      recording.stop();
      recording.dump(file);
    }
    List<RecordedEvent> events =
        RecordingFile.readAllEvents(file).stream()
            .filter(event -> event.getEventType().getName().startsWith("io.github.urae."))
            .toList();
    assertThat(events).allMatch(event -> event.getStackTrace() == null);
    List<RecordedEvent> generations = named(events, "Generation");
    assertThat(generations).hasSize(2);
    RecordedEvent drawn = generations.get(0);
    assertThat(drawn.getString("outcome")).isEqualTo("drawn");
    assertThat(drawn.getInt("width")).isEqualTo(64);
    assertThat(drawn.getInt("height")).isEqualTo(48);
    assertThat(drawn.getInt("images")).isEqualTo(1);
    assertThat(generations.get(1).getString("outcome"))
        .isEqualTo(InvalidRequestException.class.getSimpleName());
    List<RecordedEvent> stages = named(events, "Stage");
    assertThat(stages)
        .extracting(stage -> stage.getString("stage"))
        .contains("encoding_text", "denoising", "decoding");
    RecordedEvent denoising =
        stages.stream().filter(s -> s.getString("stage").equals("denoising")).findFirst().get();
    assertThat(denoising.getLong("total")).isEqualTo(2);
    assertThat(denoising.getDuration()).isLessThan(drawn.getDuration()).isPositive();
    assertThat(named(events, "Merge"))
        .extracting(merge -> merge.getString("component"))
        .contains("transformer");
    assertThat(named(events, "Conversion")).isNotEmpty();
  }

  private static List<RecordedEvent> named(List<RecordedEvent> events, String name) {
    return events.stream()
        .filter(event -> event.getEventType().getName().endsWith("." + name))
        .toList();
  }

  @Test
  void withoutARecordingItsClassesStayUnloaded() throws Exception {
    Path loaded = folder.resolve("loaded");
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-Xlog:class+load:file=" + loaded,
                "-cp",
                System.getProperty("java.class.path"),
                Program.class.getName(),
                TestData.CACHE.toString())
            .redirectErrorStream(true)
            .start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(said).isZero();
    assertThat(Files.readAllLines(loaded).stream())
        .filteredOn(line -> line.contains("jdk.jfr.") || line.contains(".recording."))
        .allMatch(
            line ->
                line.contains("jdk.jfr.FlightRecorder ")
                    || line.contains(".recording.FlightRecording"))
        .noneMatch(line -> line.contains("Recorded "));
  }

  /** Converts, merges, draws, and asks for what cannot be drawn. */
  static final class Program {

    public static void main(String... arguments) throws Exception {
      GenerationRequest request =
          GenerationRequest.builder("a").size(64, 48).steps(2).seed(1).build();
      try (FluxPipeline pipeline =
          FluxPipeline.builder()
              .model(TestData.checkpoint())
              .adapter(TestData.adapter2k())
              .cacheFolder(Path.of(arguments[0]))
              .build()) {
        pipeline.generate(request);
        assertThatThrownBy(() -> pipeline.generate(request.toBuilder().width(65).build()))
            .isInstanceOf(InvalidRequestException.class);
      }
    }
  }
}
