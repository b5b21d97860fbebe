package io.github.urae.openblas;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.urae.AdapterException;
import io.github.urae.adapter.internal.algebra.DenseAlgebra;
import io.github.urae.internal.NativeLibraries;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledForJreRange;
import org.junit.jupiter.api.condition.JRE;
import org.junit.jupiter.api.io.TempDir;

/** What is said where OpenBLAS does not load, in processes of their own. */
class MissingNativesTest {

  @TempDir Path folder;

  /** Prints what loading comes to; the argument is the folder for native code. */
  public static void main(String[] arguments) {
    try {
      NativeLibraries.unpackInto(Path.of(arguments[0]));
      DenseAlgebra algebra = DenseAlgebra.load();
      System.out.println(algebra.minorFactors(new float[] {1, 0, 0, 2}, 2, 2, 1).singularValues[0]);
    } catch (AdapterException e) {
      System.out.println(e.getMessage());
    }
  }

  private static String run(Predicate<String> classPathEntry, Path cacheFolder, String... options)
      throws IOException, InterruptedException {
    String classPath =
        Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator, -1))
            .filter(classPathEntry)
            .collect(Collectors.joining(File.pathSeparator));
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("-XX:TieredStopAtLevel=1");
    command.addAll(List.of(options));
    command.addAll(
        List.of("-cp", classPath, MissingNativesTest.class.getName(), cacheFolder.toString()));
    Process process =
        new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD).start();
    try (BufferedReader reader = process.inputReader(StandardCharsets.UTF_8)) {
      List<String> lines = reader.lines().toList();
      assertThat(process.waitFor()).isZero();
      assertThat(lines).hasSize(1);
      return lines.get(0);
    }
  }

  private static boolean isNative(String entry) {
    return entry.matches(".*-(linux|macosx|windows)-\\w+\\.jar");
  }

  @Test
  void aPlatformWithoutNativeCode() throws Exception {
    assertThat(run(entry -> !isNative(entry), folder))
        .contains("could not be loaded", "org.bytedeco:openblas", "org.bytedeco:javacpp");
    assertThat(run(entry -> !entry.contains("bytedeco"), folder))
        .contains("could not be loaded", "org.bytedeco:openblas", "org.bytedeco:javacpp");
  }

  /** JavaCPP would choose a folder of its own, under the user's home. */
  @Test
  void aCacheFolderThatIsNone() throws Exception {
    Path file = Files.writeString(folder.resolve("file"), "");
    assertThat(run(entry -> true, file)).contains("could not be loaded", file.toString());
  }

  @Test
  @EnabledForJreRange(min = JRE.JAVA_24)
  void refusedNativeAccessIsExplained() throws Exception {
    assertThat(run(entry -> true, folder, "--illegal-native-access=deny"))
        .contains("--enable-native-access=ALL-UNNAMED");
  }

  @Test
  void unpacksIntoTheCacheFolder() throws Exception {
    assertThat(run(entry -> true, folder.resolve("new"))).isEqualTo("1.0");
    assertThat(folder.resolve("new")).isNotEmptyDirectory();
  }

  /** JavaCPP looks at sizes and times; a library that is loaded though it is damaged crashes. */
  @Test
  void whatIsNotTheJarsIsUnpackedAnew() throws Exception {
    Path cache = folder.resolve("cache");
    assertThat(run(entry -> true, cache)).isEqualTo("1.0");
    List<Path> libraries;
    try (Stream<Path> files = Files.walk(cache)) {
      libraries =
          files
              .filter(file -> Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS))
              .filter(file -> Files.exists(file) && file.toFile().length() > 10_000)
              .toList();
    }
    assertThat(libraries).hasSizeGreaterThan(1);
    Map<Path, byte[]> whole = new HashMap<>();
    for (Path library : libraries) {
      byte[] bytes = Files.readAllBytes(library);
      whole.put(library, bytes);
      FileTime time = Files.getLastModifiedTime(library);
      byte[] zeros = bytes.clone();
      Arrays.fill(zeros, 100, bytes.length / 2, (byte) 0);
      Files.write(library, zeros);
      Files.setLastModifiedTime(library, time);
    }
    assertThat(run(entry -> true, cache)).endsWith("1.0");
    for (Path library : libraries) {
      assertThat(library).hasBinaryContent(whole.get(library));
    }
  }
}
