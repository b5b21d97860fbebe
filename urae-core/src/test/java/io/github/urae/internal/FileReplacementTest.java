package io.github.urae.internal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.urae.weights.SafetensorsWriter;
import java.io.File;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.stream.Stream;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
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
      FileReplacement.replace(
          target, OptionalLong::empty, file -> Files.writeString(file, "content"));
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

  /** A folder that cannot be deleted as a file can, in the way of cleaning up. */
  @Test
  void theOriginalFailureIsThrownThoughCleaningUpFails() {
    Path target = folder.resolve("a");
    for (boolean asFolder : new boolean[] {false, true}) {
      FileReplacement.Content content =
          file -> {
            Files.createDirectories(file.resolve("kept"));
            Files.createFile(file.resolve("kept/file"));
            assertThat(file.resolve("kept").toFile().setWritable(false)).isTrue();
            throw new IOException("the disk is full");
          };
      assertThatThrownBy(
              () -> {
                if (asFolder) {
                  FileReplacement.createFolder(target, content);
                } else {
                  FileReplacement.replace(target, OptionalLong::empty, content);
                }
              })
          .isInstanceOf(IOException.class)
          .hasMessageContainingAll(target.toString(), "the disk is full");
    }
    for (File partial : folder.toFile().listFiles()) {
      new File(partial, "kept").setWritable(true);
    }
  }

  @Test
  void nothingIsLeftOfWhatFails() {
    assertThatThrownBy(
            () ->
                FileReplacement.createFolder(
                    folder.resolve("a"),
                    file -> {
                      Files.createFile(file.resolve("part"));
                      throw new IOException("no");
                    }))
        .hasMessageContainingAll(folder.resolve("a").toString(), ": no; ")
        .hasNoSuppressedExceptions();
    assertThat(folder).isEmptyDirectory();
  }

  @Test
  void aFolderIsMadeWhole() throws IOException {
    Path target = folder.resolve("a");
    FileReplacement.createFolder(target, file -> Files.writeString(file.resolve("b"), "content"));
    assertThat(target.toFile().list()).containsExactly("b");
    assertThat(folder.toFile().list()).containsExactly("a");
  }

  /** What a process was writing when it was killed goes when the same is written again. */
  @Test
  void whatKilledProcessesLeftIsDeleted() throws Exception {
    Path target = folder.resolve("a");
    Path mine = Files.createDirectory(folder.resolve("a.partial"));
    Path other =
        Files.createDirectory(folder.resolve("b.00000000-0000-4000-8000-000000000000.partial"));
    Path old = Files.createFile(folder.resolve("a.00000000-0000-4000-8000-000000000000.partial"));
    Process writer =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                Writer.class.getName(),
                target.toString())
            .start();
    assertThat(writer.inputReader().readLine()).isEqualTo("writing");
    assertThat(partials(target)).hasSize(2);
    FileReplacement.deleteStalePartials(target);
    assertThat(partials(target)).as("somebody writes it, and the other is new").hasSize(2);
    writer.destroyForcibly().waitFor();
    Files.setLastModifiedTime(old, FileTime.from(Instant.now().minusSeconds(7200)));
    FileReplacement.createFolder(
        target,
        file -> {
          assertThat(partials(target)).containsExactly(file);
          // Not one's own, either.
          FileReplacement.deleteStalePartials(target);
          Files.createFile(file.resolve("whole"));
        });
    assertThat(mine).exists();
    assertThat(other).exists();
    assertThat(target.toFile().list()).containsExactly("whole");
  }

  /** Between making a folder and locking it, too. */
  @Test
  void noOtherProcessTakesWhatIsJustBegunForLeft() throws Exception {
    Path target = folder.resolve("a");
    Process cleaner =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                Cleaner.class.getName(),
                target.toString())
            .start();
    try {
      assertThat(cleaner.inputReader().readLine()).isEqualTo("cleaning");
      for (int i = 0; i < 500; i++) {
        FileReplacement.createFolder(target, file -> Files.createFile(file.resolve("whole")));
        Files.delete(target.resolve("whole"));
        Files.delete(target);
      }
    } finally {
      cleaner.destroyForcibly().waitFor();
    }
  }

  /** Deletes what is left of a target until it is killed. */
  static final class Cleaner {

    private Cleaner() {}

    public static void main(String[] arguments) {
      System.out.println("cleaning");
      while (true) {
        FileReplacement.deleteStalePartials(Path.of(arguments[0]));
      }
    }
  }

  private List<Path> partials(Path target) throws IOException {
    try (Stream<Path> entries = Files.list(folder)) {
      return entries
          .filter(
              path ->
                  path.getFileName()
                      .toString()
                      .matches(target.getFileName() + "\\..{36}\\.partial"))
          .toList();
    }
  }

  /** Writes a folder until it is killed. */
  static final class Writer {

    private Writer() {}

    public static void main(String[] arguments) throws IOException {
      FileReplacement.createFolder(
          Path.of(arguments[0]),
          file -> {
            Files.createFile(file.resolve("part"));
            System.out.println("writing");
            try {
              Thread.sleep(600_000);
            } catch (InterruptedException e) {
              throw new IllegalStateException(e);
            }
          });
    }
  }

  private static void replace(Path target, String content) throws IOException {
    FileReplacement.replace(target, OptionalLong::empty, file -> Files.writeString(file, content));
  }

  /** As when a program writes to it: the link is the user's, and stays. */
  @Test
  @EnabledOnOs({OS.LINUX, OS.MAC})
  void aLinkStaysAndWhatItLeadsToIsReplaced() throws IOException {
    Path other = Files.createDirectory(folder.resolve("other"));
    Path file = Files.writeString(other.resolve("file"), "before");
    Path link = Files.createSymbolicLink(folder.resolve("link"), Path.of("other", "file"));
    Path second = Files.createSymbolicLink(folder.resolve("second"), link);
    replace(second, "after");
    assertThat(Files.isSymbolicLink(second)).isTrue();
    assertThat(Files.isSymbolicLink(link)).isTrue();
    assertThat(file).hasContent("after");
    assertThat(other.toFile().list()).containsExactly("file");
    Path dangling = Files.createSymbolicLink(folder.resolve("dangling"), Path.of("new"));
    replace(dangling, "made");
    assertThat(folder.resolve("new")).hasContent("made");
    Path circle = Files.createSymbolicLink(folder.resolve("circle"), Path.of("circle"));
    assertThatThrownBy(() -> replace(circle, "x"))
        .isInstanceOf(IOException.class)
        .hasMessageContainingAll(circle.toString(), "circles");
    assertThatThrownBy(() -> FileReplacement.createFolder(dangling, made -> {}))
        .isInstanceOf(IOException.class);
  }

  @Test
  @EnabledOnOs({OS.LINUX, OS.MAC})
  void devicesPipesAndFoldersAreNotReplaced() throws Exception {
    Path pipe = folder.resolve("pipe");
    assertThat(new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor()).isZero();
    Path toNull = Files.createSymbolicLink(folder.resolve("null"), Path.of("/dev/null"));
    for (Path special : List.of(pipe, toNull, Path.of("/dev/null"), Path.of("/dev/stdout"))) {
      assertThatThrownBy(() -> replace(special, "x"))
          .isInstanceOf(IOException.class)
          .hasMessageContainingAll(special.toString(), "device, pipe or socket");
      assertThatThrownBy(() -> SafetensorsWriter.write(special, Map.of(), Map.of()))
          .isInstanceOf(IOException.class)
          .hasMessageContaining(special.toString());
    }
    assertThatThrownBy(() -> replace(folder, "x"))
        .isInstanceOf(IOException.class)
        .hasMessageContainingAll(folder.toString(), "is a folder");
    assertThat(folder.toFile().list()).containsExactlyInAnyOrder("pipe", "null");
  }

  /** Of any name: whoever saves under new names all the time leaves nothing behind either. */
  @Test
  void oldPartialFilesAreSweptUpUnlessSomebodyHoldsThem() throws Exception {
    String id = ".00000000-0000-4000-8000-000000000000.partial";
    Path old = Files.createFile(folder.resolve("old.png" + id));
    Path fresh = Files.createFile(folder.resolve("fresh.png" + id));
    Path users = Files.createFile(folder.resolve("film.partial"));
    Path held = Files.createFile(folder.resolve("held.safetensors" + id));
    Process holder =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                Holder.class.getName(),
                held.toString())
            .start();
    try {
      assertThat(holder.inputReader().readLine()).isEqualTo("held");
      for (Path file : List.of(old, users, held)) {
        Files.setLastModifiedTime(file, FileTime.from(Instant.now().minusSeconds(7200)));
      }
      replace(folder.resolve("new.png"), "x");
      assertThat(folder.toFile().listFiles())
          .containsExactlyInAnyOrder(
              fresh.toFile(), users.toFile(), held.toFile(), folder.resolve("new.png").toFile());
    } finally {
      holder.destroyForcibly().waitFor();
    }
    FileReplacement.deleteStalePartials(folder.resolve("new.png"));
    assertThat(held).doesNotExist();
  }

  /** Holds a file's lock until it is killed. */
  static final class Holder {

    private Holder() {}

    public static void main(String[] arguments) throws IOException {
      try (FileChannel channel =
          FileChannel.open(Path.of(arguments[0]), StandardOpenOption.WRITE)) {
        FileReplacement.lockIfPossible(channel);
        System.out.println("held");
        System.in.read();
      }
    }
  }
}
