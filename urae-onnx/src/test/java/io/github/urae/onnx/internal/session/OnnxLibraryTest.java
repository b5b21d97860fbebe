package io.github.urae.onnx.internal.session;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.urae.internal.NativeLibraries;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** In processes of their own, since a process loads the library once. */
class OnnxLibraryTest {

  @TempDir Path cache;
  @TempDir Path temporary;

  @Test
  void isUnpackedOnceIntoTheCache() throws Exception {
    assertThat(runChild(List.of())).isEqualTo("property null, temporary files 0");
    Path library = library();
    Object key = Files.readAttributes(library, "unix:ino").get("ino");
    assertThat(runChild(List.of())).isEqualTo("property null, temporary files 0");
    assertThat(Files.readAttributes(library, "unix:ino").get("ino")).isEqualTo(key);
  }

  @Test
  void aFolderOfTheUsersComesFirst() throws Exception {
    runChild(List.of());
    Path own = library().getParent();
    Path moved = Files.move(own, cache.resolve("own"));
    assertThat(runChild(List.of("-Donnxruntime.native.path=" + moved)))
        .isEqualTo("property " + moved + ", temporary files 0");
    assertThat(own).doesNotExist();
  }

  /** Its telemetry keeps a device number and a database there, from the first moment on. */
  @Test
  void nothingIsWrittenToTheHomeAndNothingIsSent() throws Exception {
    Path home = Files.createDirectory(temporary.resolve("home"));
    ProcessBuilder child = child(List.of("-Duser.home=" + home));
    child.environment().remove("ORT_DISABLE_TELEMETRY");
    child.environment().remove("XDG_CACHE_HOME");
    child.environment().put("HOME", home.toString());
    run(child);
    assertThat(home).isEmptyDirectory();
  }

  private Path library() throws Exception {
    try (Stream<Path> files = Files.walk(cache)) {
      return files
          .filter(f -> f.getFileName().toString().equals(System.mapLibraryName("onnxruntime")))
          .findFirst()
          .orElseThrow();
    }
  }

  private String runChild(List<String> options) throws Exception {
    return run(child(options));
  }

  private ProcessBuilder child(List<String> options) {
    Stream<String> command =
        Stream.of(
                Stream.of(Path.of(System.getProperty("java.home"), "bin", "java").toString()),
                Stream.of("-Djava.io.tmpdir=" + temporary),
                options.stream(),
                Stream.of("-cp", System.getProperty("java.class.path"), Child.class.getName()),
                Stream.of(cache.toString()))
            .flatMap(s -> s);
    return new ProcessBuilder(command.toList()).redirectErrorStream(true);
  }

  private static String run(ProcessBuilder child) throws Exception {
    Process process = child.start();
    String output =
        new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
    assertThat(process.waitFor()).as(output).isZero();
    return output;
  }

  /** Loads the library, and prints what ONNX Runtime has unpacked itself. */
  static final class Child {

    public static void main(String[] arguments) throws Exception {
      NativeLibraries.unpackInto(Path.of(arguments[0]));
      OnnxLibrary.load();
      if (OnnxEngine.environment() == null) {
        throw new AssertionError("no environment");
      }
      try (Stream<Path> files = Files.walk(Path.of(System.getProperty("java.io.tmpdir")))) {
        System.out.printf(
            Locale.ROOT,
            "property %s, temporary files %d%n",
            System.getProperty("onnxruntime.native.path"),
            files.filter(f -> Files.isRegularFile(f)).count());
      }
    }
  }
}
