package io.github.urae.internal;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.urae.InferenceException;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.jar.JarOutputStream;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NativeLibrariesTest {

  @TempDir Path cache;
  @TempDir Path jars;

  private final List<URLClassLoader> loaders = new ArrayList<>();

  /** What a jar's own class is in a real one. */
  static final class Neighbour {}

  @BeforeEach
  void useTheCache() {
    NativeLibraries.unpackInto(cache);
  }

  @AfterEach
  void close() throws IOException {
    NativeLibraries.unpackInto(CacheFolder.byDefault());
    for (URLClassLoader loader : loaders) {
      loader.close();
    }
  }

  /** The libraries a.so and b.so in a jar, whose contents are given. */
  private NativeLibraries jar(String name, String a, String b) throws Exception {
    Path jar = jars.resolve(name);
    String classFile = Neighbour.class.getName().replace('.', '/') + ".class";
    try (JarOutputStream out = new JarOutputStream(Files.newOutputStream(jar));
        InputStream in = Neighbour.class.getClassLoader().getResourceAsStream(classFile)) {
      out.putNextEntry(new ZipEntry(classFile));
      in.transferTo(out);
      out.putNextEntry(new ZipEntry("libs/a.so"));
      out.write(a.getBytes(UTF_8));
      out.putNextEntry(new ZipEntry("libs/b.so"));
      out.write(b.getBytes(UTF_8));
    }
    URLClassLoader loader = new URLClassLoader(new URL[] {jar.toUri().toURL()}, null);
    loaders.add(loader);
    return new NativeLibraries(
        "some", loader.loadClass(Neighbour.class.getName()), "/libs/", List.of("a.so", "b.so"));
  }

  @Test
  void filesAreNamedByTheirContent() throws Exception {
    Path first = jar("1.jar", "one", "two").unpack();
    assertThat(first.getParent()).isEqualTo(cache.resolve("native"));
    assertThat(first.resolve("a.so")).hasContent("one");
    assertThat(first.resolve("b.so")).hasContent("two");
    assertThat(jar("2.jar", "one", "two").unpack()).isEqualTo(first);
    Path other = jar("3.jar", "one", "two!").unpack();
    assertThat(other).isNotEqualTo(first);
    assertThat(first.resolve("b.so")).hasContent("two");
  }

  @Test
  void aCutFileIsUnpackedAnewAndAWholeOneIsLeft() throws Exception {
    NativeLibraries libraries = jar("1.jar", "one", "two");
    Path folder = libraries.unpack();
    Files.writeString(folder.resolve("a.so"), "o");
    Object whole = Files.getAttribute(folder.resolve("b.so"), "unix:ino");
    libraries.unpack();
    assertThat(folder.resolve("a.so")).hasContent("one");
    assertThat(Files.getAttribute(folder.resolve("b.so"), "unix:ino")).isEqualTo(whole);
  }

  /** What was found right once is read again as soon as something has touched it. */
  @Test
  void aCheckedFileThatIsTouchedIsReadAgain() throws Exception {
    NativeLibraries libraries = jar("1.jar", "one", "two");
    long before = System.currentTimeMillis();
    Path library = libraries.unpack().resolve("a.so");
    Path note = library.resolveSibling("a.so.checked");
    if (Files.exists(note)) {
      assertThat(System.currentTimeMillis() - before)
          .as("how old a file is at most that was noted")
          .isGreaterThanOrEqualTo(2000);
    }
    Thread.sleep(2100);
    libraries.unpack();
    assertThat(note).exists();
    FileTime time = Files.getLastModifiedTime(library);
    Files.writeString(library, "oNe", StandardOpenOption.WRITE);
    Files.setLastModifiedTime(library, time);
    libraries.unpack();
    assertThat(library).as("its time of modification being set back").hasContent("one");
    Path other = Files.writeString(cache.resolve("other"), "kept");
    Files.delete(note);
    Files.createSymbolicLink(note, other);
    Thread.sleep(2100);
    libraries.unpack();
    assertThat(other).as("what a link in its place leads to").hasContent("kept");
  }

  /** What is loaded runs: it must be the jar's, whoever has been at the folder. */
  @Test
  void aFlippedByteOrALinkIsUnpackedAnew() throws Exception {
    NativeLibraries libraries = jar("1.jar", "one", "two");
    Path folder = libraries.unpack();
    Files.writeString(folder.resolve("a.so"), "oNe");
    Path other = Files.writeString(cache.resolve("other"), "two");
    Files.delete(folder.resolve("b.so"));
    Files.createSymbolicLink(folder.resolve("b.so"), other);
    libraries.load(
        loaded -> {
          assertThat(loaded.resolve("a.so")).hasContent("one");
          assertThat(Files.isSymbolicLink(loaded.resolve("b.so"))).isFalse();
          assertThat(loaded.resolve("b.so")).hasContent("two");
        });
    assertThat(other).as("the link's target").hasContent("two");
  }

  @Test
  void otherVersionsGoWhenTheyWereNotUsedForAMonth() throws Exception {
    Path old = jar("1.jar", "one", "two").unpack();
    Path recent = jar("2.jar", "three", "four").unpack();
    Files.createDirectory(old.resolveSibling("something else"));
    FileTime longAgo = FileTime.from(Instant.now().minus(Duration.ofDays(40)));
    for (Path folder : List.of(old, old.resolveSibling("something else"))) {
      Files.setLastModifiedTime(folder, longAgo);
    }
    Path used = jar("3.jar", "five", "six").unpack();
    Files.setLastModifiedTime(used, longAgo);
    jar("3.jar", "five", "six").load(folder -> assertThat(folder).isEqualTo(used));
    assertThat(list(used.getParent()))
        .containsExactlyInAnyOrder(
            used.getFileName().toString(), recent.getFileName().toString(), "something else");
  }

  @Test
  void aMissingLibraryIsNamed() throws Exception {
    jar("1.jar", "one", "two");
    NativeLibraries missing =
        new NativeLibraries("some", Neighbour.class, "/libs/", List.of("c.so"));
    assertThat(missing.exist()).isFalse();
    assertThatThrownBy(missing::unpack)
        .isInstanceOf(FileNotFoundException.class)
        .hasMessageContaining("/libs/c.so");
  }

  @Test
  void aCopyIsLoadedWhereAnotherClassLoaderHasTheFileAndThenDeleted() throws Exception {
    NativeLibraries libraries = jar("1.jar", "one", "two");
    List<Path> tried = new ArrayList<>();
    libraries.load(
        folder -> {
          tried.add(folder);
          assertThat(folder.resolve("a.so")).hasContent("one");
          assertThat(folder.resolve("b.so")).hasContent("two");
          if (tried.size() == 1) {
            throw new UnsatisfiedLinkError("x already loaded in another classloader");
          }
        });
    assertThat(tried).hasSize(2);
    assertThat(tried.get(1)).isNotEqualTo(tried.get(0)).doesNotExist();
    assertThat(list(tried.get(0))).containsExactly("a.so", "b.so");
  }

  @Test
  void whatKilledProcessesLeftIsDeletedAndWhatIsBeingMadeIsNot() throws Exception {
    NativeLibraries libraries = jar("1.jar", "one", "two");
    Path folder = libraries.unpack();
    Path oldCopy = Files.createDirectory(folder.resolve("copy-1"));
    Files.writeString(oldCopy.resolve("a.so"), "one");
    Path oldPart = Files.writeString(folder.resolve("a.so.2.partial"), "o");
    for (Path old : List.of(oldCopy, oldPart)) {
      Files.setLastModifiedTime(old, FileTime.from(Instant.now().minus(Duration.ofHours(2))));
    }
    Files.createDirectory(folder.resolve("copy-3"));
    Files.writeString(folder.resolve("a.so.4.partial"), "o");
    libraries.load(loaded -> {});
    assertThat(list(folder)).containsExactly("a.so", "a.so.4.partial", "b.so", "copy-3");
  }

  @Test
  void refusalsSayWhatToDo() throws Exception {
    NativeLibraries libraries = jar("1.jar", "one", "two");
    assertThatThrownBy(
            () ->
                libraries.load(
                    folder -> {
                      throw new IllegalCallerException("illegal native access");
                    }))
        .isInstanceOf(InferenceException.class)
        .hasMessageContaining("--enable-native-access=ALL-UNNAMED");
    assertThatThrownBy(() -> libraries.load(folder -> System.load(folder + "/a.so")))
        .isInstanceOf(InferenceException.class)
        .hasMessageContaining("some")
        .hasMessageContaining("a.so");
  }

  private static List<String> list(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }
}
