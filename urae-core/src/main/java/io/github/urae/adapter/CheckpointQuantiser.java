package io.github.urae.adapter;

import io.github.urae.InvalidRequestException;
import io.github.urae.ModelException;
import io.github.urae.Stage;
import io.github.urae.adapter.internal.match.AdapterChain;
import io.github.urae.adapter.internal.match.AdapterOptions;
import io.github.urae.adapter.internal.merge.CheckpointWeights;
import io.github.urae.adapter.internal.merge.WeightMerger;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.ModelLocation;
import io.github.urae.flux.model.internal.OriginalTensor;
import io.github.urae.internal.FileFailure;
import io.github.urae.internal.NativeLibraries;
import io.github.urae.internal.OwnedResources;
import io.github.urae.internal.TaskReporter;
import io.github.urae.tensor.ElementType;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.ByteSink;
import io.github.urae.weights.internal.gguf.GgmlType;
import io.github.urae.weights.internal.gguf.GgufWriter;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;

/**
 * Writes a checkpoint's transformer, with adapters merged into it, as one quantised file. The
 * checkpoint may be quantised itself, in any form that is read.
 *
 * <p>GGUF files are in Black Forest Labs' names, for ComfyUI-GGUF and stable-diffusion.cpp as well.
 * As these programs do it, the matrices of the blocks are quantised, rounded as ggml rounds;
 * vectors and small tensors stay in float32, what is left in bfloat16, or in float16 where the
 * checkpoint has that. {@link Encoding#INT8} is in diffusers' names and bitsandbytes' form.
 */
public final class CheckpointQuantiser {

  /** Forms of the matrices of the blocks. */
  public enum Encoding {
    /** ggml's blocks of 32 values of eight bits and a scale, 8.5 bits a value, in a GGUF file. */
    Q8_0(".gguf"),
    /** ggml's blocks of 32 values of four bits and a scale, 4.5 bits a value, in a GGUF file. */
    Q4_0(".gguf"),
    /**
     * Signed bytes with a scale for each row, 8 bits a value: bitsandbytes' LLM.int8, in a
     * safetensors file. GGUF has no such type.
     */
    INT8(".safetensors");

    private final String ending;

    Encoding(String ending) {
      this.ending = ending;
    }

    /**
     * Returns what the name of a file in this form ends with.
     *
     * @return {@code .gguf} or {@code .safetensors}
     */
    public String ending() {
      return ending;
    }

    private GgmlType type() {
      return this == Q4_0 ? GgmlType.Q4_0 : GgmlType.Q8_0;
    }

    /** {@code general.file_type}: what llama.cpp calls a file of mostly this type. */
    private int fileType() {
      return this == Q4_0 ? 2 : 7;
    }
  }

  /** Beginnings of the names of what lies outside the blocks, which programs leave as it is. */
  private static final List<String> OUTSIDE =
      List.of("img_in.", "txt_in.", "time_in.", "vector_in.", "guidance_in.", "final_layer.");

  /** Tensors of as many elements or fewer stay in float32, as ComfyUI-GGUF's converter has it. */
  private static final long SMALL = 1024;

  /**
   * What the number of {@code general.quantization_version} stands for: scales in half precision.
   */
  private static final int QUANTISATION_VERSION = 2;

  private final Encoding encoding;
  private final TensorSource weights;
  private final WeightMerger merger;
  private final Map<String, OriginalTensor> tensors = new LinkedHashMap<>();

  private CheckpointQuantiser(
      Encoding encoding, CheckpointWeights base, TensorSource weights, WeightMerger merger) {
    this.encoding = encoding;
    this.weights = weights;
    this.merger = merger;
    OriginalTensor.of(weights, base.checkpoint().family())
        .forEach(tensor -> tensors.put(tensor.name(), tensor));
  }

  /**
   * Starts a conversion.
   *
   * @return a builder with nothing but defaults
   */
  public static Builder builder() {
    return new Builder();
  }

  private GgmlType typeOf(OriginalTensor tensor) {
    if (tensor.shape().rank() < 2 || tensor.shape().elementCount() <= SMALL) {
      return GgmlType.F32;
    }
    boolean whole =
        tensor.shape().rank() == 2
            && tensor.shape().dimension(-1) % encoding.type().blockElements() == 0;
    if (whole && OUTSIDE.stream().noneMatch(tensor.name()::startsWith)) {
      return encoding.type();
    }
    TensorInfo source = weights.find(tensor.parts().get(0).parameter()).orElseThrow();
    return source.isPlain(ElementType.F16) ? GgmlType.F16 : GgmlType.BF16;
  }

  private void write(Path target, Progress progress) throws IOException {
    List<GgufWriter.Declaration> declarations =
        tensors.values().stream()
            .map(
                tensor -> new GgufWriter.Declaration(tensor.name(), typeOf(tensor), tensor.shape()))
            .toList();
    Map<String, Object> metadata = new LinkedHashMap<>();
    metadata.put("general.architecture", "flux");
    metadata.put("general.quantization_version", QUANTISATION_VERSION);
    metadata.put("general.file_type", encoding.fileType());
    FileFailure.checkSpace(
        target.getParent(), "the quantised file", GgufWriter.byteSize(metadata, declarations));
    long total = 0;
    for (OriginalTensor tensor : tensors.values()) {
      total += tensor.shape().elementCount() * Float.BYTES;
    }
    TaskReporter reporter = progress.reporter(total);
    GgufWriter.write(
        target,
        metadata,
        declarations,
        (name, sink) -> {
          for (OriginalTensor.Part part : tensors.get(name).parts()) {
            writePart(part, sink, reporter);
          }
        });
    weights.checkUnchanged();
  }

  /** Makes what counts the bytes of a file's values in float32. */
  @FunctionalInterface
  interface Progress {
    TaskReporter reporter(long total);
  }

  private void writePart(OriginalTensor.Part part, ByteSink sink, TaskReporter reporter)
      throws IOException {
    TensorInfo info = weights.find(part.parameter()).orElseThrow();
    long rowBytes =
        ElementType.F32.byteSize(info.shape().elementCount() / info.shape().dimension(0));
    long from = part.firstRow() * rowBytes;
    long to = from + part.rows() * rowBytes;
    long[] position = {0};
    merger.merge(
        part.parameter(),
        ElementType.F32,
        piece -> {
          long first = Math.max(from, position[0]);
          long end = Math.min(to, position[0] + piece.remaining());
          if (first < end) {
            sink.accept(
                piece.slice(piece.position() + (int) (first - position[0]), (int) (end - first)));
          }
          position[0] += piece.remaining();
        },
        reporter);
  }

  /** Collects the settings of a conversion. Not thread-safe. */
  public static final class Builder extends ModelBuilder<Builder> {

    private Path output;
    private Encoding encoding = Encoding.Q8_0;

    private Builder() {}

    /**
     * Sets the new file. Required.
     *
     * @param file its folder must exist; written whole or not at all. What is there is replaced.
     *     Its name must not end as one of the other kind of file
     * @return this
     */
    public Builder output(Path file) {
      output = Objects.requireNonNull(file, "output");
      return this;
    }

    /**
     * Sets the form of the matrices of the blocks.
     *
     * @param value Q8_0 by default
     * @return this
     */
    public Builder encoding(Encoding value) {
      encoding = Objects.requireNonNull(value, "encoding");
      return this;
    }

    /**
     * Writes the file.
     *
     * @return the keys of adapters that change nothing, with the reason; empty unless that is let
     *     pass, but for parts that FLUX does not use and for what a file holds twice
     * @throws IOException if reading or writing fails, or there is not enough space for the result
     * @throws io.github.urae.UraeException if a file is damaged, an adapter does not fit or changes
     *     a text encoder, which the file does not hold, or the output is called what it will not
     *     be; nothing is then written
     * @throws io.github.urae.GenerationCancelledException if it was cancelled; nothing is left then
     * @throws IllegalStateException if model or output is not set
     */
    public List<UnmatchedKey> write() throws IOException {
      if (output == null) {
        throw new IllegalStateException("expected an output; call output(Path)");
      }
      checkEnding();
      NativeLibraries.unpackInto(cacheFolder());
      try (OwnedResources opened = new OwnedResources()) {
        CheckpointWeights base =
            CheckpointWeights.open(new ModelLocation(model(), parts()), opened);
        AdapterOptions options =
            new AdapterOptions(ignoresUnmatched(), allowsBareMinorComponents());
        AdapterChain chain =
            opened.add(
                AdapterChain.open(
                    adapters(), base.checkpoint().family(), base.byNetwork(), options));
        refuseTextEncoders(base, chain);
        TensorSource weights = base.byNetwork().get(Component.TRANSFORMER);
        WeightMerger merger = new WeightMerger(chain, Component.TRANSFORMER, weights);
        merger.prepare();
        Path target = output.toAbsolutePath().normalize();
        Progress progress =
            total ->
                new TaskReporter(
                    listener(),
                    cancellation(),
                    Stage.CONVERTING,
                    Component.TRANSFORMER.id(),
                    total);
        if (encoding == Encoding.INT8) {
          new RowQuantisedFile(weights, merger).write(target, progress);
        } else {
          new CheckpointQuantiser(encoding, base, weights, merger).write(target, progress);
        }
        return chain.unmatched();
      }
    }

    /** A file that is called what it is not would be taken for that by others. */
    private void checkEnding() {
      String name = output.toString().toLowerCase(Locale.ROOT);
      for (Encoding other : Encoding.values()) {
        if (!other.ending.equals(encoding.ending) && name.endsWith(other.ending)) {
          throw new InvalidRequestException(
              output
                  + ": "
                  + encoding.name().toLowerCase(Locale.ROOT)
                  + " is written into a "
                  + encoding.ending
                  + " file"
                  + (encoding == Encoding.INT8
                      ? ", since GGUF has no type of one scale for a whole row; name one so, or use"
                          + " q8_0 for GGUF"
                      : "; name one so"));
        }
      }
    }

    private static void refuseTextEncoders(CheckpointWeights base, AdapterChain chain) {
      for (Component network : base.byNetwork().keySet()) {
        if (network != Component.TRANSFORMER && !chain.changedWeights(network).isEmpty()) {
          throw new ModelException(
              "an adapter changes the "
                  + network.id()
                  + ", but the file is to hold the transformer only; merge the adapter into the"
                  + " whole checkpoint (urae merge, CheckpointMerger), or leave it to --adapter"
                  + " when pictures are drawn");
        }
      }
    }
  }
}
