package io.github.urae.weights.internal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

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
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
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

  /** Writes the only tensor of a file. */
  private WeightCache.Content content(int bytes) {
    return sink -> {
      made.incrementAndGet();
      sink.write("a", ByteBuffer.allocate(bytes));
    };
  }

  private Path obtain(WeightCache cache, String key, int bytes) throws IOException {
    return obtain(cache, key, bytes, content(bytes));
  }

  private static Path obtain(WeightCache cache, String key, long bytes, WeightCache.Content content)
      throws IOException {
    return obtain(cache, key, bytes, content, ProgressListener.NONE, new CancellationToken());
  }

  private static Path obtain(
      WeightCache cache,
      String key,
      long bytes,
      WeightCache.Content content,
      ProgressListener listener,
      CancellationToken cancellation)
      throws IOException {
    List<SafetensorsWriter.Declaration> tensors =
        List.of(new SafetensorsWriter.Declaration("a", ElementType.U8, Shape.of(bytes)));
    try (TensorSource source =
        cache.open(new CacheKey(key), tensors, Map.of(), content, listener, cancellation)) {
      assertThat(source.tensors()).containsOnlyKeys("a");
      return source.files().get(0);
    }
  }

  /** Keeps a file as somebody does who opens it. */
  private static KeyLock hold(Path folder, String key) throws IOException {
    Path cache = folder.resolve("cache");
    Files.createDirectories(cache);
    return KeyLock.acquire(
        cache.toRealPath().resolve(new CacheKey(key).name() + ".safetensors"), () -> {});
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

  /** Small files are read whole: every byte that changes what is read counts. */
  @Test
  void everyFlippedByteOfASmallFileIsFound() throws IOException {
    Path file = obtain(cache(1000), "a", 100);
    byte[] whole = Files.readAllBytes(file);
    int expected = 1;
    for (int at = 0; at < whole.length; at++) {
      byte[] damaged = whole.clone();
      damaged[at] ^= 1;
      Files.write(file, damaged);
      obtain(cache(1000), "a", 100);
      boolean replaced = Arrays.equals(Files.readAllBytes(file), whole);
      assertThat(replaced || isBlank(whole[at])).as("byte %d of %d", at, whole.length).isTrue();
      expected += replaced ? 1 : 0;
      Files.write(file, whole);
    }
    assertThat(made).hasValue(expected);
  }

  /** Spaces fill the header up; a tab or a zero there is refused or changes nothing. */
  private static boolean isBlank(byte value) {
    return value == ' ';
  }

  private static final int LARGE = 100 * ContentChecksums.BLOCK_BYTES + 17;

  /** One block of a hundred: 64 looks find it with a probability of 1 - 0.99^64, 47 %. */
  @Test
  void damageToALargeFileIsFoundSoonerOrLaterAndAtOnceWhereAllIsRead() throws IOException {
    Path file = obtain(cache(1L << 30), "a", LARGE);
    byte[] whole = Files.readAllBytes(file);
    byte[] damaged = whole.clone();
    damaged[whole.length / 2] ^= 64;
    Files.write(file, damaged);
    int opened = 0;
    while (made.get() == 1) {
      obtain(cache(1L << 30), "a", LARGE);
      assertThat(++opened).as("opened without notice").isLessThan(200);
    }
    assertThat(file).hasBinaryContent(whole);
    Files.write(file, damaged);
    obtain(new WeightCache(folder.resolve("cache"), 1L << 30, true), "a", LARGE);
    assertThat(made).hasValue(3);
    assertThat(file).hasBinaryContent(whole);
    for (int length : new int[] {whole.length - 1, whole.length / 2, 100}) {
      Files.write(file, Arrays.copyOf(whole, length));
      obtain(cache(1L << 30), "a", LARGE);
      assertThat(file).hasBinaryContent(whole);
    }
  }

  @Test
  void verifyingReadsAllAndDeletesWhatIsDamaged() throws IOException {
    WeightCache cache = cache(1L << 30);
    assertThat(cache.verify(ProgressListener.NONE, new CancellationToken())).isEmpty();
    Path good = obtain(cache, "a", 1000);
    Path damaged = obtain(cache, "b", LARGE);
    try (RandomAccessFile bytes = new RandomAccessFile(damaged.toFile(), "rw")) {
      bytes.seek(LARGE / 2);
      bytes.write(1);
    }
    List<WeightCache.Finding> findings =
        cache.verify(ProgressListener.NONE, new CancellationToken());
    assertThat(findings)
        .extracting(WeightCache.Finding::file, f -> f.damage().isPresent())
        .containsExactlyInAnyOrder(tuple(good, false), tuple(damaged, true));
    assertThat(damaged).doesNotExist();
    assertThat(good).exists();
    assertThat(locks()).containsExactly(good.resolveSibling(good.getFileName() + ".lock"));
  }

  /** Whoever deletes the folder while a file is being made does not keep it from being made. */
  @Test
  void theFolderMayBeDeletedWhileAFileIsBeingMade() throws IOException {
    WeightCache.Content deleting =
        sink -> {
          sink.write("a", ByteBuffer.allocate(500));
          if (made.incrementAndGet() == 1) {
            try (Stream<Path> files = Files.list(folder.resolve("cache"))) {
              for (Path file : files.toList()) {
                Files.delete(file);
              }
            }
            Files.delete(folder.resolve("cache"));
          }
          sink.write("a", ByteBuffer.allocate(500));
        };
    assertThat(obtain(cache(1 << 20), "a", 1000, deleting)).exists();
    assertThat(made).hasValue(2);
    assertThat(locks()).hasSize(1);
  }

  @Test
  void anOpenFileOutlivesItsDeletion() throws IOException {
    List<SafetensorsWriter.Declaration> tensors =
        List.of(new SafetensorsWriter.Declaration("a", ElementType.U8, Shape.of(5)));
    try (TensorSource source =
        cache(1000)
            .open(
                new CacheKey("a"),
                tensors,
                Map.of(),
                sink -> sink.write("a", ByteBuffer.wrap(new byte[] {1, 2, 3, 4, 5})),
                ProgressListener.NONE,
                new CancellationToken())) {
      Files.delete(source.files().get(0));
      assertThat(source.tensor("a").data().get(4)).isEqualTo((byte) 5);
    }
  }

  @Test
  @EnabledOnOs({OS.LINUX, OS.MAC})
  void theFolderIsForItsUserAlone() throws IOException {
    obtain(cache(1000), "a", 10);
    assertThat(
            PosixFilePermissions.toString(Files.getPosixFilePermissions(folder.resolve("cache"))))
        .isEqualTo("rwx------");
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
                obtain(
                    cache(1000),
                    "a",
                    1,
                    sink -> {
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
                obtain(
                    cache(1000),
                    "a",
                    10,
                    sink -> {
                      Thread.currentThread().interrupt();
                      content(10).writeTo(sink);
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
  @Timeout(300)
  void withoutALockWhatIsThereIsUsedAndNothingMade() throws IOException {
    Path file = obtain(cache(1000), "a", 10);
    Path lockFile = file.resolveSibling(file.getFileName() + ".lock");
    Files.delete(lockFile);
    Files.createSymbolicLink(lockFile, Path.of("/dev/full"));
    for (int i = 0; i < 2; i++) {
      assertThat(obtain(cache(1000), "a", 10)).isEqualTo(file);
    }
    assertThat(made).hasValue(1);
    byte[] whole = Files.readAllBytes(file);
    for (boolean missing : new boolean[] {false, true}) {
      if (missing) {
        Files.delete(file);
      } else {
        Files.write(file, Arrays.copyOf(whole, whole.length - 1));
      }
      assertThatThrownBy(() -> obtain(cache(1000), "a", 10))
          .isInstanceOf(IOException.class)
          .hasMessageContainingAll(
              file.toString(), missing ? "not there" : "damaged", "--cache-dir");
    }
    assertThat(made).hasValue(1);
    Files.delete(lockFile);
    assertThat(obtain(cache(1000), "a", 10)).hasBinaryContent(whole);
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
  void aFileThatIsBeingOpenedIsNotDeleted() throws IOException {
    WeightCache cache = cache(1500);
    Path a = obtain(cache, "a", 1000);
    try (KeyLock held = hold(folder, "a")) {
      assertThat(held).isNotNull();
      age(a, 100);
      obtain(cache, "b", 1000);
      assertThat(a).exists();
    }
  }

  @Test
  void whatDoesNotFitIsRefusedBeforeItIsMade() {
    assertThatThrownBy(() -> obtain(cache(1000), "a", 1001))
        .isInstanceOf(IOException.class)
        .hasMessageContainingAll("1001", "1000", "raise the bound");
    assertThatThrownBy(() -> obtain(cache(Long.MAX_VALUE), "a", 1L << 55, content(1)))
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
      obtain(
          cache,
          "shared",
          10_000,
          sink -> {
            Files.createFile(folder.resolve("made" + ProcessHandle.current().pid()));
            for (int i = 0; i < 100; i++) {
              sink.write("a", ByteBuffer.allocate(100));
              pause();
            }
          });
    }
  }

  private static void pause() {
    try {
      Thread.sleep(2);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
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
      Path folder = Path.of(arguments[0]);
      WeightCache cache = new WeightCache(folder.resolve("cache"), 1 << 20);
      Path file = obtain(cache, "shared", 1000, sink -> sink.write("a", ByteBuffer.allocate(1000)));
      KeyLock lock = hold(folder, "shared");
      System.out.println("holds " + file);
      System.in.read();
      lock.close();
    }
  }

  /** Minutes may pass while another process converts 24 GB. */
  @Test
  @Timeout(300)
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
    assertThatThrownBy(
            () -> obtain(cache(1 << 20), "shared", 1000, content(1000), listener, cancellation))
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
    obtain(cache(1 << 20), "shared", 1000, content(1000), patient, new CancellationToken());
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
    try (KeyLock held = hold(folder, "a")) {
      assertThat(held).isNotNull();
      assertThatThrownBy(() -> obtain(cache(1000), "a", 10, content(10), listener, cancellation))
          .isInstanceOf(GenerationCancelledException.class);
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
        obtain(
            cache,
            key,
            80,
            sink -> {
              Path busy = Files.createFile(folder.resolve("busy-" + key));
              sink.write("a", ByteBuffer.allocate(80));
              Files.delete(busy);
            });
      }
    }
  }

  @Test
  @Timeout(600)
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
      List<SafetensorsWriter.Declaration> declarations =
          names.stream()
              .map(n -> new SafetensorsWriter.Declaration(n, to, tensors.get(n).shape()))
              .toList();
      try (SafetensorsWriter writer =
          SafetensorsWriter.create(target, Map.of("m", "1"), declarations)) {
        WeightConversion.write(
            open,
            declarations,
            (name, sink) -> WeightConversion.values(open, name, to, sink),
            writer::write,
            "transformer",
            listening(reports),
            new CancellationToken());
        writer.finish();
      }
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
  }

  private void convert(SafetensorsFile source, CancellationToken cancellation) throws IOException {
    WeightConversion.write(
        source,
        List.of(new SafetensorsWriter.Declaration("a", ElementType.BF16, Shape.of(9))),
        (name, sink) -> WeightConversion.values(source, name, ElementType.BF16, sink),
        (name, bytes) -> bytes.position(bytes.limit()),
        "transformer",
        ProgressListener.NONE,
        cancellation);
  }
}
