package io.github.urae.weights.internal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.urae.CancellationToken;
import io.github.urae.FileFormatException;
import io.github.urae.GenerationCancelledException;
import io.github.urae.ProgressListener;
import io.github.urae.Stage;
import io.github.urae.StageProgress;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import io.github.urae.tensor.internal.Elements;
import io.github.urae.weights.SafetensorsFile;
import io.github.urae.weights.SafetensorsWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class WeightCacheTest {

  @TempDir Path folder;

  private final AtomicInteger made = new AtomicInteger();

  private WeightCache cache(long maxBytes) {
    return new WeightCache(folder.resolve("cache"), maxBytes);
  }

  /** Writes a file whose only tensor takes a number of bytes. */
  private WeightCache.Producer producer(int bytes) {
    return target -> {
      made.incrementAndGet();
      Tensor tensor =
          Tensor.view(ElementType.U8, Shape.of(bytes), ByteBuffer.allocate(bytes), "bytes");
      SafetensorsWriter.write(target, Map.of(), Map.of("a", tensor));
    };
  }

  private Path obtain(WeightCache cache, String key, int bytes) throws IOException {
    try (WeightCache.Lease lease = lease(cache, key, bytes, producer(bytes))) {
      assertThat(lease.file()).exists();
      return lease.file();
    }
  }

  private static WeightCache.Lease lease(
      WeightCache cache, String key, long bytes, WeightCache.Producer producer) throws IOException {
    return cache.obtain(
        new CacheKey(key), bytes, producer, ProgressListener.NONE, new CancellationToken());
  }

  private List<Path> locks() throws IOException {
    try (Stream<Path> files = Files.list(folder.resolve("cache"))) {
      return files.filter(file -> file.toString().endsWith(".lock")).toList();
    }
  }

  @Test
  void aFileIsMadeOnce() throws IOException {
    Path first = obtain(cache(1000), "a", 10);
    assertThat(obtain(cache(1000), "a", 10)).isEqualTo(first);
    assertThat(made).hasValue(1);
    assertThat(obtain(cache(1000), "b", 10)).isNotEqualTo(first);
    assertThat(made).hasValue(2);
  }

  @Test
  void damagedFilesAreMadeAgain() throws IOException {
    Path file = obtain(cache(1000), "a", 100);
    byte[] whole = Files.readAllBytes(file);
    for (int length : new int[] {0, 7, 50, whole.length - 1}) {
      Files.write(file, Arrays.copyOf(whole, length));
      assertThat(obtain(cache(1000), "a", 100)).hasBinaryContent(whole);
    }
    assertThat(made).hasValue(5);
  }

  @Test
  void whatAKilledProcessLeftIsDeleted() throws IOException {
    Path file = obtain(cache(1000), "a", 10);
    Path left = file.resolveSibling(file.getFileName() + ".1234.partial");
    Files.move(file, left);
    obtain(cache(1000), "a", 10);
    assertThat(left).doesNotExist();
  }

  @Test
  void aFailedProducerLeavesNothingAndReleasesTheKey() throws IOException {
    assertThatThrownBy(
            () ->
                lease(
                    cache(1000),
                    "a",
                    1,
                    target -> {
                      throw new IOException("no");
                    }))
        .hasMessage("no");
    assertThat(locks()).isEmpty();
    obtain(cache(1000), "a", 10);
  }

  @Test
  void interruptingWhoeverMakesAFileCancels() throws IOException {
    assertThatThrownBy(
            () ->
                lease(
                    cache(1000),
                    "a",
                    10,
                    target -> {
                      Thread.currentThread().interrupt();
                      producer(10).write(target);
                    }))
        .isInstanceOf(GenerationCancelledException.class)
        .hasNoSuppressedExceptions();
    assertThat(Thread.interrupted()).isTrue();
    assertThat(folder.resolve("cache")).isEmptyDirectory();
    obtain(cache(1000), "a", 10);
  }

  /** As on a full disk, where a file can still be made but nothing be written into it. */
  @Test
  @EnabledOnOs(OS.LINUX)
  @Timeout(30)
  void aLockFileThatCannotBeWrittenKeepsNobodyWaiting() throws IOException {
    Path file = obtain(cache(1000), "a", 10);
    Path lockFile = file.resolveSibling(file.getFileName() + ".lock");
    Files.delete(lockFile);
    Files.createSymbolicLink(lockFile, Path.of("/dev/full"));
    for (int i = 0; i < 2; i++) {
      assertThatThrownBy(() -> obtain(cache(1000), "a", 10)).isInstanceOf(IOException.class);
    }
    Files.delete(lockFile);
    assertThat(obtain(cache(1000), "a", 10)).isEqualTo(file);
  }

  @Test
  void theLeastRecentlyUsedGoFirst() throws IOException {
    WeightCache cache = cache(2500);
    Path a = obtain(cache, "a", 1000);
    Path b = obtain(cache, "b", 1000);
    age(a, 50);
    age(b, 100);
    Path c = obtain(cache, "c", 1000);
    assertThat(b).doesNotExist();
    assertThat(a).exists();
    assertThat(c).exists();
    // Use renews.
    age(a, 100);
    age(c, 50);
    obtain(cache, "a", 1000);
    obtain(cache, "d", 1000);
    assertThat(c).doesNotExist();
    assertThat(a).exists();
  }

  private static void age(Path file, int seconds) throws IOException {
    Files.setLastModifiedTime(
        file.resolveSibling(file.getFileName() + ".lock"),
        FileTime.fromMillis(System.currentTimeMillis() - seconds * 1000L));
  }

  @Test
  void aLeasedFileIsNotDeleted() throws IOException {
    WeightCache cache = cache(1500);
    try (WeightCache.Lease lease = lease(cache, "a", 1000, producer(1000))) {
      age(lease.file(), 100);
      obtain(cache, "b", 1000);
      assertThat(lease.file()).exists();
    }
  }

  @Test
  void whatDoesNotFitIsRefusedBeforeItIsMade() {
    assertThatThrownBy(() -> obtain(cache(1000), "a", 1001))
        .isInstanceOf(IOException.class)
        .hasMessageContainingAll("1001", "1000", "raise the bound");
    assertThatThrownBy(() -> lease(cache(Long.MAX_VALUE), "a", 1L << 60, producer(1)))
        .isInstanceOf(IOException.class)
        .hasMessageContainingAll("free", "another disk");
    assertThat(made).hasValue(0);
    assertThatThrownBy(() -> cache(0)).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void manyThreadsMakeAFileOnce() throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(8);
    try {
      List<Future<Path>> files = new ArrayList<>();
      for (int i = 0; i < 32; i++) {
        String key = "key" + i % 4;
        files.add(threads.submit(() -> obtain(cache(1 << 20), key, 1000)));
      }
      for (Future<Path> file : files) {
        assertThat(file.get()).exists();
      }
      assertThat(made).hasValue(4);
    } finally {
      threads.shutdownNow();
    }
  }

  @Test
  void severalProcessesMakeAFileOnce() throws Exception {
    List<Process> children = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      children.add(
          new ProcessBuilder(
                  Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                  "-cp",
                  System.getProperty("java.class.path"),
                  Child.class.getName(),
                  folder.toString())
              .inheritIO()
              .start());
    }
    for (Process child : children) {
      assertThat(child.waitFor()).isZero();
    }
    try (Stream<Path> marks = Files.list(folder)) {
      assertThat(marks.filter(p -> p.getFileName().toString().startsWith("made"))).hasSize(1);
    }
  }

  /** Leaves a mark where it has to make the file, slowly. */
  static final class Child {

    public static void main(String[] arguments) throws IOException {
      Path folder = Path.of(arguments[0]);
      WeightCache cache = new WeightCache(folder.resolve("cache"), 1 << 20);
      lease(
              cache,
              "shared",
              1000,
              target -> {
                Files.createFile(folder.resolve("made" + ProcessHandle.current().pid()));
                for (int i = 0; i < 200; i++) {
                  SafetensorsWriter.write(
                      target, Map.of(), Map.of("a", Tensor.ofFloats(new float[100_000], 100_000)));
                }
              })
          .close();
    }
  }

  private Process child(Class<?> main) throws IOException {
    return new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-XX:TieredStopAtLevel=1",
            "-cp",
            System.getProperty("java.class.path"),
            main.getName(),
            folder.toString())
        .redirectError(ProcessBuilder.Redirect.INHERIT)
        .start();
  }

  /** Holds a file until it is killed. */
  static final class Holder {

    private Holder() {}

    public static void main(String[] arguments) throws IOException {
      WeightCache cache = new WeightCache(Path.of(arguments[0]).resolve("cache"), 1 << 20);
      WeightCache.Lease lease =
          lease(
              cache,
              "shared",
              1000,
              target ->
                  SafetensorsWriter.write(
                      target, Map.of(), Map.of("a", Tensor.ofFloats(new float[10], 10))));
      System.out.println("holds " + lease.file());
      System.in.read();
      lease.close();
    }
  }

  /** Minutes may pass while another process converts 24 GB. */
  @Test
  @Timeout(60)
  void waitingForAnotherProcessIsToldAndCanBeCancelled() throws Exception {
    Process holder = child(Holder.class);
    assertThat(holder.inputReader().readLine()).startsWith("holds");
    CancellationToken cancellation = new CancellationToken();
    List<StageProgress> told = new ArrayList<>();
    ProgressListener listener =
        new ProgressListener() {
          @Override
          public void onProgress(StageProgress progress) {
            told.add(progress);
            if (told.size() == 3) {
              cancellation.cancel();
            }
          }
        };
    CacheKey key = new CacheKey("shared");
    assertThatThrownBy(() -> cache(1 << 20).obtain(key, 1000, producer(10), listener, cancellation))
        .isInstanceOf(GenerationCancelledException.class);
    assertThat(told).hasSize(3).allMatch(p -> p.stage() == Stage.WAITING && !p.isComplete());
    // Another who waits goes on as soon as the process lets go.
    told.clear();
    ProgressListener patient =
        new ProgressListener() {
          @Override
          public void onProgress(StageProgress progress) {
            told.add(progress);
            if (told.size() == 2) {
              holder.destroyForcibly();
            }
          }
        };
    cache(1 << 20).obtain(key, 1000, producer(10), patient, new CancellationToken()).close();
    assertThat(told.get(told.size() - 1).isComplete()).isTrue();
    assertThat(made).as("the other made it").hasValue(0);
    holder.waitFor();
  }

  @Test
  void aThreadOfTheSameProcessCanBeCancelledToo() throws Exception {
    CancellationToken cancellation = new CancellationToken();
    ProgressListener listener =
        new ProgressListener() {
          @Override
          public void onProgress(StageProgress progress) {
            cancellation.cancel();
          }
        };
    try (WeightCache.Lease lease = lease(cache(1000), "a", 10, producer(10))) {
      CacheKey key = new CacheKey("a");
      assertThatThrownBy(() -> cache(1000).obtain(key, 10, producer(10), listener, cancellation))
          .isInstanceOf(GenerationCancelledException.class);
      assertThat(lease.file()).exists();
    }
  }

  @Test
  void lockFilesGoWithTheirFiles() throws IOException {
    WeightCache cache = cache(1500);
    Path a = obtain(cache, "a", 1000);
    age(a, 100);
    Path stray = a.resolveSibling("0123.safetensors.lock");
    Files.createFile(stray);
    Path b = obtain(cache, "b", 1000);
    assertThat(a).doesNotExist();
    assertThat(locks()).containsExactly(b.resolveSibling(b.getFileName() + ".lock"));
  }

  /** Obtains files that push each other out, so that lock files come and go all the time. */
  static final class Rival {

    private Rival() {}

    public static void main(String[] arguments) throws IOException {
      Path folder = Path.of(arguments[0]);
      WeightCache cache = new WeightCache(folder.resolve("cache"), 100);
      for (int i = 0; i < 300; i++) {
        String key = "key" + i % 2;
        lease(
                cache,
                key,
                80,
                target -> {
                  Path busy = Files.createFile(folder.resolve("busy-" + key));
                  SafetensorsWriter.write(
                      target, Map.of(), Map.of("a", Tensor.ofFloats(new float[2], 2)));
                  Files.delete(busy);
                })
            .close();
      }
    }
  }

  @Test
  @Timeout(120)
  void noTwoProcessesHoldALockWhoseFileIsDeletedMeanwhile() throws Exception {
    List<Process> rivals = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      rivals.add(child(Rival.class));
    }
    for (Process rival : rivals) {
      assertThat(rival.waitFor()).isZero();
    }
  }

  @Test
  void keysDependOnEverything() throws IOException {
    Path file = folder.resolve("a.safetensors");
    List<String> keys = new ArrayList<>();
    keys.add(key(file, 1, "x"));
    assertThat(key(file, 1, "x")).isEqualTo(keys.get(0));
    keys.add(key(file, 1, "y"));
    keys.add(key(file, 2, "x"));
    Files.setLastModifiedTime(file, FileTime.fromMillis(1000));
    keys.add(keyOf(file, "x"));
    keys.add(new CacheKey("k").add("ab").add("c").name());
    keys.add(new CacheKey("k").add("a").add("bc").name());
    assertThat(keys).doesNotHaveDuplicates().allMatch(name -> name.matches("[0-9a-f]{40}"));
  }

  private static String key(Path file, int elements, String value) throws IOException {
    SafetensorsWriter.write(
        file, Map.of(), Map.of("a", Tensor.ofFloats(new float[elements], elements)));
    Files.setLastModifiedTime(file, FileTime.fromMillis(0));
    return keyOf(file, value);
  }

  private static String keyOf(Path file, String value) throws IOException {
    try (SafetensorsFile open = SafetensorsFile.open(file)) {
      return new CacheKey("k").addCheckpoint(open).add(value).name();
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = ElementType.class,
      names = {"F32", "BF16", "F16", "F64"})
  void conversionRoundsEveryElementOnce(ElementType to) throws IOException {
    long seed = 11;
    Random random = new Random(seed);
    Path source = folder.resolve("source.safetensors");
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    tensors.put("bf16", random(random, ElementType.BF16, 1_500_001));
    tensors.put("f16", random(random, ElementType.F16, 77));
    tensors.put("f32", random(random, ElementType.F32, 300_000));
    tensors.put("empty", random(random, ElementType.F32, 0));
    tensors.put("not wanted", random(random, ElementType.F32, 5));
    SafetensorsWriter.write(source, Map.of(), tensors);
    List<StageProgress> reports = new ArrayList<>();
    Path target = folder.resolve("target.safetensors");
    List<String> names = List.of("f32", "bf16", "empty", "f16");
    try (SafetensorsFile open = SafetensorsFile.open(source)) {
      WeightConversion.write(
          open,
          names.stream()
              .map(n -> new SafetensorsWriter.Declaration(n, to, tensors.get(n).shape()))
              .toList(),
          (name, sink) -> WeightConversion.values(open, name, to, sink),
          target,
          Map.of("m", "1"),
          "transformer",
          listening(reports),
          new CancellationToken());
    }
    try (SafetensorsFile converted = SafetensorsFile.open(target)) {
      assertThat(converted.tensors().keySet()).containsExactlyInAnyOrderElementsOf(names);
      assertThat(converted.metadata()).containsExactly(Map.entry("m", "1"));
      for (String name : names) {
        Tensor expected = rounded(tensors.get(name), to);
        assertThat(converted.tensor(name).type()).isEqualTo(to);
        assertThat(converted.tensor(name).data())
            .as("%s, seed %d", name, seed)
            .isEqualTo(expected.data());
      }
    }
    assertThat(reports.get(0).done()).isZero();
    assertThat(reports.get(reports.size() - 1).isComplete()).isTrue();
  }

  private static ProgressListener listening(List<StageProgress> reports) {
    return progress -> {
      reports.add(progress);
    };
  }

  private static Tensor random(Random random, ElementType type, int count) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return rounded(Tensor.ofFloats(values, count), type);
  }

  private static Tensor rounded(Tensor tensor, ElementType type) {
    float[] values = tensor.toFloats();
    ByteBuffer bytes = ByteBuffer.allocate((int) type.byteSize(values.length));
    Elements.fromFloats(type, values, 0, values.length, bytes);
    return Tensor.view(type, tensor.shape(), bytes.flip(), "rounded");
  }

  @Test
  void conversionCanBeCancelledAndRefusesIntegers() throws IOException {
    Path source = folder.resolve("source.safetensors");
    SafetensorsWriter.write(
        source,
        Map.of(),
        Map.of("a", Tensor.view(ElementType.I32, Shape.of(1), ByteBuffer.allocate(4), "a")));
    try (SafetensorsFile open = SafetensorsFile.open(source)) {
      assertThatThrownBy(() -> convert(open, new CancellationToken()))
          .isInstanceOf(FileFormatException.class)
          .hasMessageContainingAll("'a'", "I32");
    }
    SafetensorsWriter.write(source, Map.of(), Map.of("a", Tensor.ofFloats(new float[9], 9)));
    CancellationToken cancelled = new CancellationToken();
    cancelled.cancel();
    try (SafetensorsFile open = SafetensorsFile.open(source)) {
      assertThatThrownBy(() -> convert(open, cancelled))
          .isInstanceOf(GenerationCancelledException.class);
    }
    try (Stream<Path> files = Files.list(folder)) {
      assertThat(files).containsExactly(source);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void convert(SafetensorsFile source, CancellationToken cancellation) throws IOException {
    WeightConversion.write(
        source,
        List.of(new SafetensorsWriter.Declaration("a", ElementType.BF16, Shape.of(9))),
        (name, sink) -> WeightConversion.values(source, name, ElementType.BF16, sink),
        folder.resolve("target.safetensors"),
        Map.of(),
        "transformer",
        ProgressListener.NONE,
        cancellation);
  }
}
