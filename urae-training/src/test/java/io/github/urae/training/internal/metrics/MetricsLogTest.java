package io.github.urae.training.internal.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.google.protobuf.CodedInputStream;
import com.google.protobuf.WireFormat;
import io.github.urae.TrainingException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.Random;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MetricsLogTest {

  @TempDir Path folder;

  private static MetricsRow row(long step, double heldOut) {
    return new MetricsRow(
        step,
        1_700_000_000 + step,
        step == 0 ? Double.NaN : 0.5 + 1.0 / step,
        step == 0 ? Double.NaN : 0.5 + 0.9 / step,
        List.of(0.1, 0.2, Double.NaN, 0.4, 0.5),
        0.25,
        1,
        OptionalDouble.of(1e-6 * step),
        Double.isNaN(heldOut) ? OptionalDouble.empty() : OptionalDouble.of(heldOut),
        1.25,
        1L << 30);
  }

  private void write(int rows) throws IOException {
    try (MetricsLog log = MetricsLog.open(folder, 0)) {
      for (int i = 0; i <= rows; i++) {
        log.add(row(i, i % 10 == 0 ? 0.6 : Double.NaN));
      }
      log.drawCurve();
    }
  }

  private Path events() throws IOException {
    try (Stream<Path> files = Files.list(folder.resolve(MetricsLog.EVENTS))) {
      List<Path> all = files.toList();
      assertThat(all).hasSize(1);
      return all.get(0);
    }
  }

  @Test
  void theTableHoldsWhatWasMeasured() throws IOException {
    write(3);
    List<String> lines = Files.readAllLines(folder.resolve(MetricsLog.TABLE));
    assertThat(lines.get(0))
        .startsWith("step,unix_time,loss,smoothed_loss,smoothed_loss_sigma_0.0");
    assertThat(lines.get(1))
        .startsWith("0,1700000000.000,,,0.1,0.2,,0.4,0.5,0.25,1.0,0.0,0.6,1.25");
    assertThat(lines.get(3)).isEqualTo(row(2, Double.NaN).line());
    assertThat(MetricsRow.parse(lines.get(3))).isEqualTo(row(2, Double.NaN));
    assertThat(lines).hasSize(5);
  }

  @Test
  void aResumedTrainingCutsBackToItsStep() throws IOException {
    write(20);
    Path table = folder.resolve(MetricsLog.TABLE);
    List<String> whole = Files.readAllLines(table);
    byte[] wholeEvents = Files.readAllBytes(events());
    Files.writeString(table, Files.readString(table) + "21,17000");
    try (MetricsLog log = MetricsLog.open(folder, 12)) {
      assertThat(log.rows()).hasSize(13);
      assertThat(Files.readAllLines(table)).isEqualTo(whole.subList(0, 14));
      for (int i = 13; i <= 20; i++) {
        log.add(row(i, i % 10 == 0 ? 0.6 : Double.NaN));
      }
    }
    assertThat(Files.readAllLines(table)).isEqualTo(whole);
    // All but the first event, which tells when the file was begun.
    byte[] resumed = Files.readAllBytes(events());
    assertThat(Arrays.equals(resumed, 40, resumed.length, wholeEvents, 40, wholeEvents.length))
        .isTrue();
  }

  @Test
  void anotherTableIsLeftAlone() throws IOException {
    Path table = folder.resolve(MetricsLog.TABLE);
    Files.writeString(table, "epoch,accuracy\n1,0.5\n");
    assertThatThrownBy(() -> MetricsLog.open(folder, 5))
        .isInstanceOf(TrainingException.class)
        .hasMessageContaining(table.toString())
        .hasMessageContaining("unix_time");
    assertThat(table).hasContent("epoch,accuracy\n1,0.5\n");
    assertThatThrownBy(() -> MetricsLog.open(folder, 0)).isInstanceOf(TrainingException.class);
    assertThat(table).hasContent("epoch,accuracy\n1,0.5\n");
    Files.delete(table);
    write(3);
    List<String> lines = new ArrayList<>(Files.readAllLines(table));
    lines.set(2, "1,x");
    Files.write(table, lines);
    assertThatThrownBy(() -> MetricsLog.open(folder, 3))
        .isInstanceOf(TrainingException.class)
        .hasMessageContaining("line 3");
  }

  /** As TensorBoard reads it; its own reader has accepted such a file. */
  @Test
  void eventsAreProtobufInFramesWithChecksums() throws IOException {
    write(2);
    ByteBuffer file = ByteBuffer.wrap(Files.readAllBytes(events())).order(ByteOrder.LITTLE_ENDIAN);
    List<Map<String, Float>> scalars = new ArrayList<>();
    List<Long> steps = new ArrayList<>();
    while (file.hasRemaining()) {
      int length = (int) file.getLong();
      assertThat(file.getInt()).isEqualTo(maskedChecksum(file.array(), file.position() - 12, 8));
      CodedInputStream event = CodedInputStream.newInstance(file.slice(file.position(), length));
      file.position(file.position() + length);
      assertThat(file.getInt())
          .isEqualTo(maskedChecksum(file.array(), file.position() - 4 - length, length));
      Map<String, Float> values = new LinkedHashMap<>();
      for (int tag; (tag = event.readTag()) != 0; ) {
        switch (WireFormat.getTagFieldNumber(tag)) {
          case 1 -> assertThat(event.readDouble()).isGreaterThanOrEqualTo(1.7e9);
          case 2 -> steps.add(event.readInt64());
          case 3 -> assertThat(event.readString()).isEqualTo("brain.Event:2");
          case 5 -> readSummary(CodedInputStream.newInstance(event.readByteArray()), values);
          default -> throw new AssertionError(tag);
        }
      }
      scalars.add(values);
    }
    assertThat(steps).containsExactly(0L, 1L, 2L);
    assertThat(scalars).hasSize(4);
    assertThat(scalars.get(3)).containsEntry("loss/step", 1f);
    assertThat(scalars.get(3)).containsEntry("optimizer/prodigy_d", 2e-6f);
    assertThat(scalars.get(3)).containsEntry("loss_by_sigma/0.0-0.2", 0.1f);
    assertThat(scalars.get(3)).doesNotContainKeys("loss/held_out", "loss_by_sigma/0.4-0.6");
    assertThat(scalars.get(1)).containsEntry("loss/held_out", 0.6f);
  }

  private static void readSummary(CodedInputStream summary, Map<String, Float> values)
      throws IOException {
    while (summary.readTag() != 0) {
      CodedInputStream value = CodedInputStream.newInstance(summary.readByteArray());
      value.readTag();
      String name = value.readString();
      value.readTag();
      values.put(name, value.readFloat());
    }
  }

  /** The rule of TFRecord, with a checksum computed bit by bit. */
  private static int maskedChecksum(byte[] bytes, int offset, int length) {
    int crc = -1;
    for (int i = offset; i < offset + length; i++) {
      crc ^= bytes[i] & 0xFF;
      for (int bit = 0; bit < 8; bit++) {
        crc = crc >>> 1 ^ (crc & 1) * 0x82F63B78;
      }
    }
    crc = ~crc;
    return (crc >>> 15 | crc << 17) + 0xa282ead8;
  }

  @Test
  void theCurveIsDrawnWithoutFonts() throws IOException {
    write(50);
    var image = ImageIO.read(folder.resolve(MetricsLog.CURVE).toFile());
    assertThat(image.getWidth()).isEqualTo(960);
    boolean smoothed = false;
    boolean heldOut = false;
    for (int y = 40; y < 440; y++) {
      for (int x = 70; x < 940; x++) {
        smoothed |= (image.getRGB(x, y) & 0xFFFFFF) == 0x1F5FA8;
        heldOut |= (image.getRGB(x, y) & 0xFFFFFF) == 0xC2571A;
      }
    }
    assertThat(smoothed && heldOut).isTrue();
    try (MetricsLog log = MetricsLog.open(folder.resolve("."), 0)) {
      log.drawCurve();
      log.add(row(0, Double.NaN));
      log.drawCurve();
      log.add(row(1, 1e-7));
      log.drawCurve();
    }
  }

  @Test
  void meansAreCorrectedForTheirBeginningAndCanBeContinued() {
    SigmaBuckets buckets = new SigmaBuckets();
    buckets.add(0.5, 2);
    assertThat(buckets.all()).isCloseTo(2, within(1e-12));
    assertThat(buckets.of(2)).isCloseTo(2, within(1e-12));
    assertThat(buckets.of(4)).isNaN();
    Random random = new Random(1);
    for (int i = 0; i < 1000; i++) {
      buckets.add(random.nextDouble(), 1 + random.nextDouble());
    }
    buckets.add(1, 1.5);
    assertThat(buckets.all()).isBetween(1.3, 1.7);
    SigmaBuckets copy = new SigmaBuckets(buckets.sums(), buckets.weights());
    buckets.add(0.1, 3);
    copy.add(0.1, 3);
    assertThat(copy.all()).isEqualTo(buckets.all());
    assertThat(copy.of(0)).isEqualTo(buckets.of(0));
  }
}
