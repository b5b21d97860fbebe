package io.github.urae.training.internal.metrics;

import com.google.protobuf.CodedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.zip.CRC32C;

/**
 * A file of scalars that TensorBoard reads: protobuf messages {@code Event} in TFRecord's frames.
 * Not thread-safe; the creator closes it.
 *
 * @see <a
 *     href="https://github.com/tensorflow/tensorboard/blob/master/tensorboard/compat/proto/event.proto">event.proto</a>
 * @see <a
 *     href="https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details">TFRecord</a>
 */
final class EventFile implements Closeable {

  /** TensorBoard knows its files by this part of their names. */
  static final String NAME_PART = "tfevents";

  // Fields of Event, Summary and Summary.Value.
  private static final int WALL_TIME = 1;
  private static final int STEP = 2;
  private static final int FILE_VERSION = 3;
  private static final int SUMMARY = 5;
  private static final int VALUE = 1;
  private static final int TAG = 1;
  private static final int SIMPLE_VALUE = 2;

  private static final int MASK_DELTA = 0xa282ead8;

  private final FileChannel channel;

  private EventFile(FileChannel channel) {
    this.channel = channel;
  }

  /** Starts a file, replacing what is there. */
  static EventFile create(Path file, double unixTime) throws IOException {
    FileChannel channel =
        FileChannel.open(
            file,
            StandardOpenOption.CREATE,
            StandardOpenOption.TRUNCATE_EXISTING,
            StandardOpenOption.WRITE);
    EventFile events = new EventFile(channel);
    try {
      events.write(
          message(
              out -> {
                out.writeDouble(WALL_TIME, unixTime);
                out.writeString(FILE_VERSION, "brain.Event:2");
              }));
      return events;
    } catch (Throwable e) {
      try (channel) {
        throw e;
      }
    }
  }

  /** Adds the scalars of a step, by their tags. */
  void add(double unixTime, long step, Map<String, Double> scalars) throws IOException {
    byte[] summary =
        message(
            out -> {
              for (Map.Entry<String, Double> scalar : scalars.entrySet()) {
                byte[] value =
                    message(
                        inner -> {
                          inner.writeString(TAG, scalar.getKey());
                          inner.writeFloat(SIMPLE_VALUE, scalar.getValue().floatValue());
                        });
                out.writeByteArray(VALUE, value);
              }
            });
    write(
        message(
            out -> {
              out.writeDouble(WALL_TIME, unixTime);
              out.writeInt64(STEP, step);
              out.writeByteArray(SUMMARY, summary);
            }));
  }

  private interface Fields {
    void writeTo(CodedOutputStream out) throws IOException;
  }

  private static byte[] message(Fields fields) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    CodedOutputStream out = CodedOutputStream.newInstance(bytes);
    fields.writeTo(out);
    out.flush();
    return bytes.toByteArray();
  }

  private void write(byte[] event) throws IOException {
    ByteBuffer record =
        ByteBuffer.allocate(Long.BYTES + Integer.BYTES + event.length + Integer.BYTES)
            .order(ByteOrder.LITTLE_ENDIAN);
    record.putLong(event.length);
    record.putInt(maskedChecksum(record.array(), 0, Long.BYTES));
    record.put(event);
    record.putInt(maskedChecksum(event, 0, event.length));
    record.flip();
    while (record.hasRemaining()) {
      channel.write(record);
    }
  }

  private static int maskedChecksum(byte[] bytes, int offset, int length) {
    CRC32C checksum = new CRC32C();
    checksum.update(bytes, offset, length);
    return Integer.rotateRight((int) checksum.getValue(), 15) + MASK_DELTA;
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
