package io.github.urae.training.internal.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import io.github.urae.FileFormatException;
import io.github.urae.tensor.Tensor;
import io.github.urae.testkit.TestData;
import io.github.urae.weights.SafetensorsWriter;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ExampleLoaderTest {

  private static final Path FOLDER = TestData.path("training/data");

  private static List<String> take(DataSet data, long seed, DataPosition start, int count)
      throws IOException, InterruptedException {
    List<String> taken = new ArrayList<>();
    try (ExampleLoader loader = new ExampleLoader(data, seed, 0.5, start, 2)) {
      for (int i = 0; i < count; i++) {
        LoadedExample one = loader.next();
        taken.add(one.example().name() + one.caption());
      }
    }
    return taken;
  }

  @Test
  void everyEpochSeesEveryPictureInAnOrderOfItsOwn() {
    DataOrder order = new DataOrder(3, 50);
    List<String> orders = new ArrayList<>();
    for (int epoch = 0; epoch < 20; epoch++) {
      int[] permutation = order.permutation(epoch);
      assertThat(permutation.clone()).satisfies(Arrays::sort);
      int[] sorted = permutation.clone();
      Arrays.sort(sorted);
      assertThat(sorted).isEqualTo(IntStream.range(0, 50).toArray());
      orders.add(Arrays.toString(permutation));
    }
    assertThat(new HashSet<>(orders)).hasSize(20);
    assertThat(new DataOrder(4, 50).permutation(0)).isNotEqualTo(order.permutation(0));
  }

  /** These numbers are part of what a saved position means: they may never change. */
  @Test
  void theOrderOfASeedStaysTheSame() {
    assertThat(new DataOrder(0, 8).permutation(0)).containsExactly(ORDER_0);
    assertThat(new DataOrder(42, 8).permutation(1000)).containsExactly(ORDER_42);
    assertThat(new DataOrder(42, 8).captionChoice(new DataPosition(7, 3))).isEqualTo(CHOICE);
  }

  private static final int[] ORDER_0 = {4, 6, 1, 0, 3, 2, 5, 7};
  private static final int[] ORDER_42 = {7, 0, 4, 6, 1, 2, 3, 5};
  private static final double CHOICE = 0.0662088261855438;

  @Test
  void captionsAreChosenAtTheRatio() {
    DataOrder order = new DataOrder(1, 1000);
    int original = 0;
    for (int i = 0; i < 1000; i++) {
      original += order.captionChoice(new DataPosition(i, i)) < 0.2 ? 1 : 0;
    }
    assertThat(original).isBetween(160, 240);
  }

  @Test
  void continuesFromAnyPosition() throws IOException, InterruptedException {
    DataSet data = DataSet.open(FOLDER, FOLDER);
    List<String> whole = take(data, 9, DataPosition.START, 10);
    DataPosition position = DataPosition.START;
    for (int i = 0; i < 10; i++) {
      assertThat(take(data, 9, position, 10 - i)).isEqualTo(whole.subList(i, 10));
      position = position.next(3);
    }
    assertThat(position).isEqualTo(new DataPosition(3, 1));
    assertThat(take(data, 10, DataPosition.START, 10)).isNotEqualTo(whole);
  }

  @Test
  void drawsLatentsLikeTheReference() throws IOException, InterruptedException {
    DataSet data = DataSet.open(FOLDER, FOLDER);
    try (ExampleLoader loader = new ExampleLoader(data, 0, 0.2, DataPosition.START, 1)) {
      LoadedExample example = loader.next();
      float[] mean = example.mean().toFloats();
      float[] noise = new float[mean.length];
      Arrays.fill(noise, -1.5f);
      float[] drawn = example.sample(noise, 0.1159, 0.3611);
      float[] deviation = example.deviation().toFloats();
      for (int i = 0; i < drawn.length; i++) {
        assertThat(drawn[i]).isEqualTo((mean[i] + deviation[i] * -1.5f - 0.1159f) * 0.3611f);
      }
    }
  }

  @Test
  void aBadPictureEndsTheReadingWhereItsTurnIs(@TempDir Path folder)
      throws IOException, InterruptedException {
    try (Stream<Path> files = Files.list(FOLDER)) {
      for (Path file : files.toList()) {
        Files.copy(file, folder.resolve(file.getFileName()));
      }
    }
    DataSet data = DataSet.open(folder, folder);
    float[] values = new float[16 * 24 * 12];
    values[3] = Float.NaN;
    Tensor bad = Tensor.ofFloats(values, 16, 24, 12);
    SafetensorsWriter.write(
        folder.resolve("image_2_latent_code.safetensors"),
        Map.of(),
        Map.of("mean", bad, "std", bad));
    try (ExampleLoader loader = new ExampleLoader(data, 0, 0.2, DataPosition.START, 1)) {
      int place = 0;
      while (new DataOrder(0, 3).permutation(0)[place] != 2) {
        loader.next();
        place++;
      }
      for (int again = 0; again < 2; again++) {
        assertThatThrownBy(loader::next)
            .isInstanceOf(FileFormatException.class)
            .hasMessageContaining("image_2_latent_code.safetensors")
            .hasMessageContaining("NaN at 3");
      }
    }
  }

  /** Whoever waits for a picture hears of an error, too, and does not wait for ever. */
  @Test
  void anErrorEndsTheReading(@TempDir Path folder) throws IOException {
    long count = (1L << 29) - 64;
    assumeThat(Runtime.getRuntime().maxMemory()).isLessThan(4 * count);
    for (String name : List.of("image_0_prompt_embed", "image_0_generated_prompt_embed")) {
      Path text = FOLDER.resolve(name + ".safetensors");
      if (Files.exists(text)) {
        Files.copy(text, folder.resolve(text.getFileName()));
      }
    }
    // More than the heap holds; on the disk a hole.
    String header =
        String.format(
            Locale.ROOT,
            "{'mean':{'dtype':'F32','shape':[16,2,%d],'data_offsets':[0,%d]},"
                + "'std':{'dtype':'F32','shape':[16,2,%d],'data_offsets':[%d,%d]}}",
            count / 32,
            4 * count,
            count / 32,
            4 * count,
            8 * count);
    byte[] text = header.replace('\'', '"').getBytes(StandardCharsets.UTF_8);
    Path latents = folder.resolve("image_0_latent_code.safetensors");
    try (FileChannel file =
        FileChannel.open(
            latents,
            StandardOpenOption.CREATE_NEW,
            StandardOpenOption.SPARSE,
            StandardOpenOption.WRITE)) {
      ByteBuffer length = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
      file.write(length.putLong(0, text.length));
      file.write(ByteBuffer.wrap(text));
      file.write(ByteBuffer.allocate(1), 8 + text.length + 8 * count - 1);
    }
    DataSet data = DataSet.open(folder, folder);
    try (ExampleLoader loader = new ExampleLoader(data, 0, 0.2, DataPosition.START, 1)) {
      for (int again = 0; again < 2; again++) {
        assertThatThrownBy(loader::next).isInstanceOf(OutOfMemoryError.class);
      }
    }
  }

  @Test
  void endsItsThread() throws IOException {
    DataSet data = DataSet.open(FOLDER, FOLDER);
    ExampleLoader loader = new ExampleLoader(data, 0, 0.2, DataPosition.START, 1);
    loader.close();
    loader.close();
    assertThat(Thread.getAllStackTraces().keySet())
        .noneMatch(thread -> thread.getName().equals("urae-training-data"));
  }

  @Test
  void refusesWhatIsNoPosition() throws IOException {
    DataSet data = DataSet.open(FOLDER, FOLDER);
    assertThatThrownBy(() -> new ExampleLoader(data, 0, 0.2, new DataPosition(0, 3), 1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("position 3 of 3 pictures");
    assertThatThrownBy(() -> new ExampleLoader(data, 0, 1.2, DataPosition.START, 1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("real prompt ratio");
    assertThatThrownBy(() -> new DataPosition(-1, 0)).isInstanceOf(IllegalArgumentException.class);
  }
}
