package io.github.urae.onnx.internal.session;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.urae.internal.NativeLibraries;
import io.github.urae.onnx.internal.tokenizer.ClipTokenizer;
import io.github.urae.testkit.TestData;
import java.io.File;
import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledForJreRange;
import org.junit.jupiter.api.condition.JRE;
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
  void noTemporaryFolderIsNeeded() throws Exception {
    Path missing = temporary.resolve("missing");
    assertThat(runChild(List.of("-Djava.io.tmpdir=" + missing)))
        // Java 20 and later warn of it.
        .endsWith("property null, temporary files 0");
    assertThat(missing).doesNotExist();
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

  @Test
  @EnabledForJreRange(min = JRE.JAVA_24)
  void refusedNativeAccessIsExplained() throws Exception {
    Process process =
        process(List.of("--illegal-native-access=deny"), Child.class)
            .redirectErrorStream(true)
            .start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).isNotZero();
    assertThat(output)
        .contains("InferenceException")
        .contains("--enable-native-access=ALL-UNNAMED");
  }

  /** As in a container into which an application is deployed again and again. */
  @Test
  void everyClassLoaderHasItsOwnAndLeavesNothing() throws Exception {
    ProcessBuilder child = child(List.of(), Redeployed.class);
    child.command().add(TestData.checkpoint().resolve("tokenizer").toString());
    child.environment().remove("ORT_DISABLE_TELEMETRY");
    String[] ids = run(child).split("\\R");
    assertThat(ids).hasSize(Redeployed.TIMES).containsOnly(ids[0]);
    assertThat(ids[0]).startsWith("[");
    assertThat(files(cache))
        // What was found whole is noted, once a file.
        .filteredOn(name -> !name.endsWith(".checked"))
        .containsExactlyInAnyOrder(
            System.mapLibraryName("onnxruntime"),
            System.mapLibraryName("onnxruntime4j_jni"),
            System.mapLibraryName("tokenizers"),
            System.mapLibraryName("jnidispatch"));
    assertThat(files(temporary)).isEmpty();
  }

  /** A failure, for want of space for instance, is not taken for success the next time. */
  @Test
  void isUnpackedByTheNextCallWhereTheFirstFailed() throws Exception {
    Path notAFolder = Files.createFile(cache.resolve("file"));
    ProcessBuilder child = child(List.of(), Failing.class);
    child.command().add(notAFolder.toString());
    assertThat(run(child)).isEqualTo("IOException");
    assertThat(files(cache)).contains(System.mapLibraryName("onnxruntime"));
    assertThat(files(temporary)).isEmpty();
  }

  private static List<String> files(Path folder) throws IOException {
    if (!Files.exists(folder)) {
      return List.of();
    }
    try (Stream<Path> files = Files.walk(folder)) {
      return files.filter(Files::isRegularFile).map(file -> file.getFileName().toString()).toList();
    }
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
    return child(options, Child.class);
  }

  private ProcessBuilder child(List<String> options, Class<?> program) {
    List<String> allowed = new ArrayList<>(options);
    allowed.add("--enable-native-access=ALL-UNNAMED");
    return process(allowed, program);
  }

  private ProcessBuilder process(List<String> options, Class<?> program) {
    Stream<String> command =
        Stream.of(
                Stream.of(Path.of(System.getProperty("java.home"), "bin", "java").toString()),
                Stream.of("-Djava.io.tmpdir=" + temporary),
                options.stream(),
                Stream.of("-cp", System.getProperty("java.class.path"), program.getName()),
                Stream.of(cache.toString()))
            .flatMap(s -> s);
    return new ProcessBuilder(new ArrayList<>(command.toList())).redirectErrorStream(true);
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
      System.out.printf(
          Locale.ROOT,
          "property %s, temporary files %d%n",
          System.getProperty("onnxruntime.native.path"),
          files(Path.of(System.getProperty("java.io.tmpdir"))).size());
    }
  }

  /** Loads everything anew in one class loader after the other. */
  static final class Redeployed {

    static final int TIMES = 10;

    public static void main(String[] arguments) throws Exception {
      List<URL> jars = new ArrayList<>();
      for (String entry : System.getProperty("java.class.path").split(File.pathSeparator, -1)) {
        jars.add(Path.of(entry).toUri().toURL());
      }
      List<ClassLoader> kept = new ArrayList<>();
      for (int i = 0; i < TIMES; i++) {
        ClassLoader loader =
            new URLClassLoader(jars.toArray(new URL[0]), ClassLoader.getPlatformClassLoader());
        kept.add(loader);
        loader
            .loadClass(Application.class.getName())
            .getMethod("main", String[].class)
            .invoke(null, (Object) arguments);
      }
      if (kept.size() != TIMES) { // Held until here.
        throw new AssertionError(kept);
      }
    }
  }

  /** What is deployed. */
  public static final class Application {

    private Application() {}

    public static void main(String[] arguments) throws Exception {
      NativeLibraries.unpackInto(Path.of(arguments[0]));
      OnnxLibrary.load();
      if (OnnxEngine.environment() == null) {
        throw new AssertionError("no environment");
      }
      try (ClipTokenizer tokenizer = ClipTokenizer.open(Path.of(arguments[1]))) {
        System.out.println(Arrays.toString(tokenizer.encode("a red circle", 8)));
      }
    }
  }

  /** Tries to unpack where there is a file, then where there is room. */
  static final class Failing {

    public static void main(String[] arguments) throws Exception {
      NativeLibraries.unpackInto(Path.of(arguments[1]));
      try {
        OnnxLibrary.load();
      } catch (IOException e) {
        System.out.println("IOException");
      }
      NativeLibraries.unpackInto(Path.of(arguments[0]));
      OnnxLibrary.load();
    }
  }
}
