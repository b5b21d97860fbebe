package io.github.urae.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import io.github.urae.testkit.TestData;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** Drawing in processes of their own, in surroundings that lack or refuse something. */
@EnabledOnOs(OS.LINUX)
class SurroundingsTest {

  @TempDir Path root;

  private Path work;
  private Path temporary;
  private Path cache;

  @BeforeEach
  void makeFolders() throws IOException {
    work = Files.createDirectory(root.resolve("work"));
    temporary = Files.createDirectory(root.resolve("tmp"));
    cache = root.resolve("cache");
  }

  private record Result(int status, ByteBuffer out, String err) {}

  /** Runs the command without an environment, a home, or a folder of its own to write to. */
  private Result draw(String... options) throws Exception {
    List<String> command = new ArrayList<>();
    command.addAll(
        List.of(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-XX:-UsePerfData",
            "-XX:TieredStopAtLevel=1",
            "-XX:ErrorFile=" + root.resolve("crash.log"),
            "-Duser.home=?",
            "-Djava.io.tmpdir=" + temporary,
            "-cp",
            System.getProperty("java.class.path"),
            "io.github.urae.cli.UraeCommand"));
    if (options.length == 0 || !options[0].equals("cache")) {
      command.addAll(
          List.of("generate", "a red circle", "--model", TestData.checkpoint().toString()));
      command.addAll(List.of("--width", "64", "--height", "64", "--steps", "1", "--seed", "1"));
    }
    command.addAll(Arrays.asList(options));
    ProcessBuilder builder =
        new ProcessBuilder(command)
            .directory(work.toFile())
            .redirectError(root.resolve("err").toFile());
    builder.environment().clear();
    Process process = builder.start();
    byte[] out;
    try (InputStream in = process.getInputStream()) {
      out = in.readAllBytes();
    }
    assertThat(process.waitFor(10, TimeUnit.MINUTES)).isTrue();
    return new Result(
        process.exitValue(), ByteBuffer.wrap(out), Files.readString(root.resolve("err")));
  }

  private byte[] drawn(String... options) throws Exception {
    Path picture = work.resolve("picture.png");
    String[] all = Arrays.copyOf(options, options.length + 4);
    all[options.length] = "--output";
    all[options.length + 1] = "picture.png";
    all[options.length + 2] = "--cache-dir";
    all[options.length + 3] = cache.toString();
    Result result = draw(all);
    assertThat(result.status()).as(result.err()).isZero();
    byte[] bytes = Files.readAllBytes(picture);
    Files.delete(picture);
    return bytes;
  }

  private static List<String> names(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }

  private List<Path> cacheFiles() throws IOException {
    try (Stream<Path> files = Files.walk(cache)) {
      return files.filter(Files::isRegularFile).sorted().toList();
    }
  }

  @Test
  void nothingIsWrittenBesideTheCacheAndTheOutput() throws Exception {
    assertThat(drawn()).isNotEmpty();
    assertThat(names(work)).isEmpty();
    assertThat(names(temporary)).isEmpty();
    assertThat(names(root)).containsExactly("cache", "err", "tmp", "work");
    Result homeless = draw("--output", "picture.png");
    assertThat(homeless.status()).isEqualTo(1);
    assertThat(homeless.err()).contains("no home", "--cache-dir");
    assertThat(names(work)).isEmpty();
    temporary = root.resolve("missing");
    assertThat(drawn()).isNotEmpty();
    assertThat(drawn("--adapter", TestData.adapter4k().toString(), "--allow-bare-minor-components"))
        .isNotEmpty();
    assertThat(temporary).doesNotExist();
    assertThat(names(work)).isEmpty();
  }

  /** As in a container whose image holds the cache. */
  @Test
  void aWarmCacheMayBeReadOnly() throws Exception {
    byte[] expected = drawn();
    mount("--bind", cache.toString(), cache.toString());
    try {
      mount("-o", "remount,ro,bind", cache.toString());
      assertThat(drawn()).isEqualTo(expected);
      Result cold =
          draw(
              "--adapter",
              TestData.adapter2k().toString(),
              "--output",
              "picture.png",
              "--cache-dir",
              cache.toString());
      assertThat(cold.status()).isEqualTo(1);
      assertThat(cold.err()).contains(cache.toString(), "cannot be written", "--cache-dir");
      assertThat(names(work)).isEmpty();
    } finally {
      new ProcessBuilder("umount", cache.toString()).start().waitFor();
    }
  }

  private static void mount(String... arguments) throws Exception {
    List<String> command = new ArrayList<>(List.of("mount"));
    command.addAll(Arrays.asList(arguments));
    int status;
    try {
      status = new ProcessBuilder(command).redirectErrorStream(true).start().waitFor();
    } catch (IOException e) {
      status = 127;
    }
    assumeThat(status).as("mounting takes rights that this process lacks").isZero();
  }

  /** Each write of a drawing meets the end of the disk once; nothing half-written stays. */
  @Test
  void aFullDiskIsNamedWithWhatWasToBeWritten() throws Exception {
    drawn();
    Path disk = Files.createDirectory(root.resolve("disk"));
    for (int size : new int[] {20, 40, 50}) {
      mount("-t", "tmpfs", "-o", "size=" + size + "m", "tmpfs", disk.toString());
      try {
        Path onDisk = disk.resolve("cache");
        Result result = draw("--output", "picture.png", "--cache-dir", onDisk.toString());
        assertThat(result.status()).isEqualTo(1);
        assertThat(result.err()).contains(onDisk.toString()).containsPattern("\\d{6,} bytes");
        try (Stream<Path> files = Files.walk(disk)) {
          assertThat(files.map(Path::toString)).noneMatch(name -> name.contains(".partial"));
        }
      } finally {
        new ProcessBuilder("umount", disk.toString()).start().waitFor();
      }
    }
    mount("-t", "tmpfs", "-o", "size=16k", "tmpfs", disk.toString());
    try {
      Files.write(disk.resolve("filling"), new byte[12_000]);
      Path picture = disk.resolve("picture.png");
      Result result = draw("--output", picture.toString(), "--cache-dir", cache.toString());
      assertThat(result.status()).isEqualTo(1);
      assertThat(result.err())
          .contains(picture.toString(), "No space left")
          .containsPattern("\\(\\d{4,} bytes\\)");
      assertThat(names(disk)).containsExactly("filling");
    } finally {
      new ProcessBuilder("umount", disk.toString()).start().waitFor();
    }
  }

  @Test
  void devicesPipesAndLinksAreWrittenToAndStay() throws Exception {
    byte[] expected = drawn();
    String folder = cache.toString();
    Result streamed = draw("--output", "/dev/stdout", "--cache-dir", folder);
    assertThat(streamed.out()).isEqualTo(ByteBuffer.wrap(expected));
    Result discarded = draw("--output", "/dev/null", "--images", "2", "--cache-dir", folder);
    assertThat(discarded.status()).as(discarded.err()).isZero();
    assertThat(Files.isRegularFile(Path.of("/dev/null"))).isFalse();
    Result full = draw("--output", "/dev/full", "--cache-dir", folder);
    assertThat(full.status()).isEqualTo(1);
    assertThat(full.err()).contains("/dev/full", expected.length + " bytes", "No space left");
    Result latents =
        draw("--output", "/dev/null", "--latents-out", "/dev/null", "--cache-dir", folder);
    assertThat(latents.status()).isEqualTo(1);
    assertThat(latents.err()).contains("/dev/null", "device");
    assertThat(Files.isRegularFile(Path.of("/dev/null"))).isFalse();
    Path target = root.resolve("target.png");
    Path link = Files.createSymbolicLink(work.resolve("link.png"), target);
    draw("--output", "link.png", "--cache-dir", folder);
    assertThat(Files.isSymbolicLink(link)).isTrue();
    assertThat(target).hasBinaryContent(expected);
  }

  @Test
  void theCacheCanBeVerified() throws Exception {
    byte[] expected = drawn();
    String folder = cache.toString();
    Result whole = draw("cache", "verify", "--cache-dir", folder);
    assertThat(whole.status()).as(whole.err()).isZero();
    assertThat(StandardCharsets.UTF_8.decode(whole.out()).toString()).contains("none damaged");
    Path damaged =
        cacheFiles().stream()
            .filter(file -> file.toString().endsWith(".safetensors"))
            .filter(file -> file.getParent().equals(cache))
            .findFirst()
            .orElseThrow();
    damage(damaged, 2, new Random(1));
    Result found = draw("cache", "verify", "--cache-dir", folder);
    assertThat(found.status()).isEqualTo(1);
    assertThat(found.err()).contains(damaged.getFileName().toString(), "deleted");
    assertThat(damaged).doesNotExist();
    assertThat(drawn()).isEqualTo(expected);
  }

  /** Whatever happens to files of the cache: the same picture, and never a crash. */
  @Test
  void randomDamageToTheCacheIsMended() throws Exception {
    long seed = System.nanoTime();
    Random random = new Random(seed);
    byte[] expected = drawn();
    for (int round = 0; round < 4; round++) {
      List<Path> files = cacheFiles();
      StringBuilder done = new StringBuilder("seed " + seed + ":");
      for (Path file : files) {
        if (random.nextInt(3) == 0) {
          int kind = random.nextInt(4);
          damage(file, kind, random);
          done.append(' ').append(kind).append(' ').append(cache.relativize(file));
        }
      }
      assertThat(drawn()).as(done.toString()).isEqualTo(expected);
    }
    assertThat(root.resolve("crash.log")).doesNotExist();
  }

  private static void damage(Path file, int kind, Random random) throws IOException {
    long size = Files.size(file);
    if (kind == 0) {
      Files.delete(file);
      return;
    }
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      if (kind == 1) {
        channel.truncate(random.nextLong(size + 1));
      } else {
        ByteBuffer piece = ByteBuffer.allocate(kind == 2 ? 1 : 4096);
        long at = random.nextLong(Math.max(1, size - piece.capacity() + 1));
        channel.read(piece, at);
        piece.flip();
        byte[] bytes = piece.array();
        for (int i = 0; i < piece.limit(); i++) {
          bytes[i] = (byte) (bytes[i] ^ 1 << random.nextInt(8));
        }
        channel.write(piece, at);
      }
    }
  }
}
