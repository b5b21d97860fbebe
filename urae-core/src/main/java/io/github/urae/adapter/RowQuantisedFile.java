package io.github.urae.adapter;

import io.github.urae.adapter.internal.merge.WeightMerger;
import io.github.urae.internal.FileFailure;
import io.github.urae.internal.TaskReporter;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.weights.SafetensorsWriter;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.ByteSink;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * A transformer in the form of bitsandbytes' LLM.int8, by diffusers' names: matrices of the blocks
 * as signed bytes, {@code SCB} with the largest magnitude of each row, which 127 stands for.
 *
 * @see <a href="https://github.com/bitsandbytes-foundation/bitsandbytes">bitsandbytes: {@code
 *     Linear8bitLt}</a>
 */
final class RowQuantisedFile {

  private static final Pattern BLOCK_MATRIX =
      Pattern.compile("(single_)?transformer_blocks\\..*\\.weight");

  private static final int LEVELS = 127;

  /** The layout of the bytes: row after row. */
  private static final byte ROW_MAJOR = 0;

  private final TensorSource weights;
  private final WeightMerger merger;

  RowQuantisedFile(TensorSource weights, WeightMerger merger) {
    this.weights = weights;
    this.merger = merger;
  }

  /** Writes the file, whole or not at all. */
  void write(Path target, CheckpointQuantiser.Progress progress) throws IOException {
    List<SafetensorsWriter.Declaration> declarations = new ArrayList<>();
    long elements = 0;
    for (TensorInfo tensor : weights.tensors().values()) {
      elements += tensor.shape().elementCount();
      if (isQuantised(tensor)) {
        declarations.addAll(
            List.of(
                new SafetensorsWriter.Declaration(tensor.name(), ElementType.I8, tensor.shape()),
                new SafetensorsWriter.Declaration(
                    maxima(tensor), ElementType.F32, Shape.of(tensor.shape().dimension(0))),
                new SafetensorsWriter.Declaration(format(tensor), ElementType.U8, Shape.of())));
      } else {
        declarations.add(
            new SafetensorsWriter.Declaration(tensor.name(), typeOf(tensor), tensor.shape()));
      }
    }
    FileFailure.checkSpace(
        target.getParent(),
        "the quantised file",
        declarations.stream().mapToLong(SafetensorsWriter.Declaration::byteSize).sum());
    TaskReporter reporter = progress.reporter(ElementType.F32.byteSize(elements));
    try (SafetensorsWriter writer =
        SafetensorsWriter.create(target, Map.of("format", "pt"), declarations)) {
      for (TensorInfo tensor : weights.tensors().values()) {
        if (isQuantised(tensor)) {
          write(tensor, writer, reporter);
        } else {
          merger.merge(
              tensor.name(), typeOf(tensor), piece -> writer.write(tensor.name(), piece), reporter);
        }
      }
      writer.finish();
    }
    weights.checkUnchanged();
  }

  private static boolean isQuantised(TensorInfo tensor) {
    return tensor.shape().rank() == 2 && BLOCK_MATRIX.matcher(tensor.name()).matches();
  }

  /** What is not quantised keeps its type, where that is one that others read. */
  private static ElementType typeOf(TensorInfo tensor) {
    boolean kept =
        tensor.isPlain(ElementType.F32)
            || tensor.isPlain(ElementType.F16)
            || tensor.isPlain(ElementType.BF16);
    if (kept) {
      return tensor.type();
    }
    return tensor.shape().rank() < 2 ? ElementType.F32 : ElementType.BF16;
  }

  private static String maxima(TensorInfo tensor) {
    return layer(tensor) + "SCB";
  }

  private static String format(TensorInfo tensor) {
    return layer(tensor) + "weight_format";
  }

  private static String layer(TensorInfo tensor) {
    return tensor.name().substring(0, tensor.name().length() - "weight".length());
  }

  private void write(TensorInfo tensor, SafetensorsWriter writer, TaskReporter reporter)
      throws IOException {
    Rows rows = new Rows(tensor, piece -> writer.write(tensor.name(), piece));
    merger.merge(tensor.name(), ElementType.F32, rows, reporter);
    writer.write(maxima(tensor), rows.maxima.flip());
    writer.write(format(tensor), ByteBuffer.wrap(new byte[] {ROW_MAJOR}));
  }

  /** Collects whole rows of float32 and hands them on as bytes. */
  private static final class Rows implements ByteSink {

    private final ByteSink target;
    private final ByteBuffer row;
    private final byte[] codes;
    private final ByteBuffer maxima;

    Rows(TensorInfo tensor, ByteSink target) {
      this.target = target;
      int columns = Math.toIntExact(tensor.columns());
      row = littleEndian(Math.multiplyExact(columns, Float.BYTES));
      codes = new byte[columns];
      maxima = littleEndian(Math.toIntExact(ElementType.F32.byteSize(tensor.shape().dimension(0))));
    }

    private static ByteBuffer littleEndian(int bytes) {
      return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    @Override
    public void accept(ByteBuffer piece) throws IOException {
      while (piece.hasRemaining()) {
        int count = Math.min(row.remaining(), piece.remaining());
        row.put(piece.slice(piece.position(), count));
        piece.position(piece.position() + count);
        if (!row.hasRemaining()) {
          quantise();
          row.clear();
        }
      }
    }

    private void quantise() throws IOException {
      float most = 0;
      for (int i = 0; i < codes.length; i++) {
        most = Math.max(most, Math.abs(row.getFloat(i * Float.BYTES)));
      }
      maxima.putFloat(most);
      // Of next to nothing, the inverse would be infinite.
      float factor = most < Float.MIN_NORMAL * LEVELS ? 0 : 1 / most * LEVELS;
      for (int i = 0; i < codes.length; i++) {
        codes[i] = (byte) Math.rint(row.getFloat(i * Float.BYTES) * factor);
      }
      target.accept(ByteBuffer.wrap(codes));
    }
  }
}
