package io.github.urae.adapter;

import io.github.urae.AdapterException;
import io.github.urae.InvalidRequestException;
import io.github.urae.ModelException;
import io.github.urae.Stage;
import io.github.urae.adapter.internal.algebra.DenseAlgebra;
import io.github.urae.adapter.internal.algebra.MinorFactors;
import io.github.urae.adapter.internal.format.AdapterModule;
import io.github.urae.adapter.internal.format.ParsedAdapter;
import io.github.urae.adapter.internal.match.AdapterChain;
import io.github.urae.adapter.internal.match.AdapterOptions;
import io.github.urae.adapter.internal.match.BaseFingerprint;
import io.github.urae.adapter.internal.match.WeightUpdate;
import io.github.urae.adapter.internal.merge.CheckpointWeights;
import io.github.urae.adapter.internal.merge.LowRankForm;
import io.github.urae.adapter.internal.merge.LowRankSum;
import io.github.urae.adapter.internal.merge.WeightMerger;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.ModelFamily;
import io.github.urae.flux.model.internal.ModelLocation;
import io.github.urae.internal.NativeLibraries;
import io.github.urae.internal.OwnedResources;
import io.github.urae.internal.PrintableText;
import io.github.urae.internal.TaskReporter;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.internal.Elements;
import io.github.urae.weights.SafetensorsWriter;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeSet;

/**
 * Converts adapters for one checkpoint into forms that other tools read.
 *
 * <p>Results are written in float32 to a temporary sibling, which is then renamed. Their metadata
 * records the checkpoint and the adapters; a result is refused later on another checkpoint, or
 * beside an adapter that it contains.
 *
 * @see <a href="https://arxiv.org/abs/2503.16322">URAE: ultra-resolution adaptation with ease</a>
 */
public final class AdapterConversion {

  private AdapterConversion() {}

  /**
   * How good the minor components are that a conversion computed.
   *
   * @param weights number of weights
   * @param largestResidual largest norm of {@code W v - s u} or {@code W' u - s v}, relative to the
   *     largest minor singular value of its weight
   */
  public record Report(int weights, double largestResidual) {}

  /**
   * Starts a conversion.
   *
   * @return a builder with nothing but defaults
   */
  public static Builder builder() {
    return new Builder();
  }

  /** Collects the settings of a conversion. Not thread-safe. */
  public static final class Builder extends ModelBuilder<Builder> {

    private Path output;

    private Builder() {}

    /**
     * Sets the file to write. Required.
     *
     * @param file a {@code .safetensors} file; replaced if it exists, whole or not at all
     * @return this
     */
    public Builder output(Path file) {
      output = Objects.requireNonNull(file, "output");
      return this;
    }

    /**
     * Converts a chain that ends in minor components into one LoRA on the checkpoint's own weights:
     * URAE's 2K and 4K adapters, of rank 16 each, into one of rank 48. {@code A = [-Am; A4; A2]}
     * and {@code B = [Bm, B4, B2]}, without alpha, under PEFT's names.
     *
     * <p>LoHa's and LoKr's products count as low-rank adapters where their rank is smaller than the
     * weight; DoRA, differences and whole weights do not.
     *
     * @return how good the computed components are
     * @throws IOException if reading or writing fails
     * @throws AdapterException if the adapters are not low-rank ones and then one of minor
     *     components, do not fit, or dense algebra is missing
     * @throws io.github.urae.UraeException if a file is damaged, or the model is no checkpoint
     * @throws io.github.urae.GenerationCancelledException if it was cancelled
     * @throws IllegalStateException if model or output is not set
     */
    public Report writeLowRank() throws IOException {
      try (Chain chain = new Chain(this)) {
        return chain.writeLowRank();
      }
    }

    /**
     * Computes the minor components of the checkpoint's attention weights, after the adapters, as a
     * starting point for training: A = Am and B = Bm under the names of URAE's 4K adapter; the
     * frozen weight is {@code W - Bm Am}.
     *
     * @param rank number of components of each weight; URAE: 16
     * @return how good the computed components are
     * @throws IOException if reading or writing fails
     * @throws AdapterException if the adapters do not fit, or dense algebra is missing
     * @throws InvalidRequestException if the rank exceeds a side of a weight
     * @throws io.github.urae.UraeException if a file is damaged, or the model is no checkpoint
     * @throws io.github.urae.GenerationCancelledException if it was cancelled
     * @throws IllegalStateException if model or output is not set
     */
    public Report writeMinorComponents(int rank) throws IOException {
      try (Chain chain = new Chain(this)) {
        return chain.writeMinorComponents(rank);
      }
    }
  }

  private static void checkRank(int rank, String weight, Shape shape) {
    long most = Math.min(shape.dimension(0), shape.dimension(1));
    if (rank < 1 || rank > most) {
      throw InvalidRequestException.of(
          "rank",
          "rank: expected 1 to " + most + " for " + weight + " " + shape + ", found " + rank);
    }
  }

  /** One module of the result: the keys and shapes of its matrices, and how they come about. */
  private record Module(
      Component network,
      String weight,
      SafetensorsWriter.Declaration down,
      SafetensorsWriter.Declaration up,
      Matrices matrices) {}

  /** A [rank, inputs] and B [outputs, rank], row-major. */
  private static final class Factors {

    private final float[] down;
    private final float[] up;

    private Factors(float[] down, float[] up) {
      this.down = down;
      this.up = up;
    }
  }

  @FunctionalInterface
  private interface Matrices {
    Factors compute() throws IOException;
  }

  /** The open checkpoint and adapters of one conversion. */
  private static final class Chain implements AutoCloseable {

    private final Builder settings;
    private final OwnedResources opened = new OwnedResources();
    private final ModelFamily family;
    private final String model;
    private final Map<Component, TensorSource> weights;
    private final AdapterChain chain;
    private int computed;
    private double largestResidual;

    Chain(Builder settings) throws IOException {
      this.settings = settings;
      if (settings.output == null) {
        throw new IllegalStateException("expected an output; call output(Path)");
      }
      NativeLibraries.unpackInto(settings.cacheFolder());
      try {
        CheckpointWeights base =
            CheckpointWeights.open(new ModelLocation(settings.model(), settings.parts()), opened);
        family = base.checkpoint().family();
        model = base.checkpoint().name();
        weights = base.byNetwork();
        AdapterOptions options =
            new AdapterOptions(settings.ignoresUnmatched(), settings.allowsBareMinorComponents());
        chain = opened.add(AdapterChain.open(settings.adapters(), family, weights, options));
      } catch (Throwable e) {
        opened.closeAfter(e);
        throw e;
      }
    }

    Report writeLowRank() throws IOException {
      List<ParsedAdapter> adapters = chain.adapters();
      boolean fits = !adapters.isEmpty();
      for (int i = 0; i < adapters.size(); i++) {
        boolean minor = adapters.get(i).format() == AdapterFormat.MINOR_COMPONENTS;
        fits &= minor == (i == adapters.size() - 1);
      }
      if (!fits) {
        throw new AdapterException(
            "conversion: expected low-rank adapters, then one of minor components, found "
                + adapters.stream()
                    .map(a -> a.path() + " (" + a.format().description() + ")")
                    .toList());
      }
      refuseOtherKinds(adapters);
      List<Module> modules = new ArrayList<>();
      for (Component network : chain.changedNetworks()) {
        for (String weight : new TreeSet<>(chain.changedWeights(network))) {
          modules.add(combined(network, weight));
        }
      }
      return write(modules);
    }

    /** A pair of matrices says nothing of lengths, biases or whole weights. */
    private static void refuseOtherKinds(List<ParsedAdapter> adapters) {
      for (ParsedAdapter adapter : adapters) {
        for (AdapterModule module : adapter.modules()) {
          if (LowRankForm.rank(module).isEmpty()) {
            throw new AdapterException(
                adapter.path()
                    + ": "
                    + PrintableText.quoted(module.keys().get(0))
                    + ": its change is none of low rank, which is what a LoRA can hold; merge it"
                    + " into a checkpoint instead (CheckpointMerger, 'urae merge')");
          }
        }
      }
    }

    Report writeMinorComponents(int rank) throws IOException {
      TensorSource transformer = weights.get(Component.TRANSFORMER);
      List<Module> modules = new ArrayList<>();
      for (String name : new TreeSet<>(transformer.tensors().keySet())) {
        if (family.adapters().minorComponents().matcher(name).matches()) {
          checkRank(rank, name, transformer.tensors().get(name).shape());
          modules.add(minorOnly(name, rank));
        }
      }
      if (modules.isEmpty()) {
        throw new ModelException(
            model + ": the transformer has no attention weights under diffusers' names");
      }
      return write(modules);
    }

    private Shape shape(Component network, String weight) {
      return weights.get(network).tensors().get(weight).shape();
    }

    /** All updates of a weight as one pair of matrices. */
    private Module combined(Component network, String weight) {
      List<WeightUpdate> updates = chain.updatesOf(network, weight);
      Shape shape = shape(network, weight);
      String module = network.folder() + "." + weight.replaceFirst("\\.weight$", "");
      return module(
          network,
          weight,
          LowRankSum.rank(updates).orElseThrow(),
          module + ".lora_A.weight",
          module + ".lora_B.weight",
          () -> {
            LowRankSum sum =
                LowRankSum.of(
                    updates,
                    Math.toIntExact(shape.dimension(0)),
                    Math.toIntExact(shape.dimension(1)),
                    (before, rank) -> minor(network, weight, before, rank));
            return new Factors(sum.down(), sum.up());
          });
    }

    /** The minor components of a weight, under URAE's names: to_out.0 is to_out there. */
    private Module minorOnly(String weight, int rank) {
      Component network = Component.TRANSFORMER;
      String module =
          weight.replace(".attn.", ".attn.processor.").replaceFirst("(\\.0)?\\.weight$", "");
      return module(
          network,
          weight,
          rank,
          module + "_a.weight",
          module + "_b.weight",
          () -> {
            MinorFactors minor = minor(network, weight, chain.updatesOf(network, weight), rank);
            return new Factors(minor.a, minor.b);
          });
    }

    private Module module(
        Component network,
        String weight,
        int rank,
        String downKey,
        String upKey,
        Matrices matrices) {
      Shape shape = shape(network, weight);
      return new Module(
          network,
          weight,
          new SafetensorsWriter.Declaration(
              downKey, ElementType.F32, Shape.of(rank, shape.dimension(1))),
          new SafetensorsWriter.Declaration(
              upKey, ElementType.F32, Shape.of(shape.dimension(0), rank)),
          matrices);
    }

    private MinorFactors minor(
        Component network, String weight, List<WeightUpdate> before, int rank) throws IOException {
      WeightMerger merger = new WeightMerger(chain, network, weights.get(network));
      Shape shape = shape(network, weight);
      MinorFactors minor =
          DenseAlgebra.load()
              .minorFactors(
                  merger.mergeToFloats(weight, before),
                  Math.toIntExact(shape.dimension(0)),
                  Math.toIntExact(shape.dimension(1)),
                  rank);
      computed++;
      double largest = minor.singularValues[0];
      if (largest > 0) {
        largestResidual = Math.max(largestResidual, minor.residual / largest);
      }
      return minor;
    }

    private Report write(List<Module> modules) throws IOException {
      List<SafetensorsWriter.Declaration> declarations = new ArrayList<>();
      modules.forEach(module -> declarations.addAll(List.of(module.down(), module.up())));
      long bytes = declarations.stream().mapToLong(SafetensorsWriter.Declaration::byteSize).sum();
      TaskReporter reporter =
          new TaskReporter(settings.listener(), settings.cancellation(), Stage.DECOMPOSING, bytes);
      try (SafetensorsWriter writer =
          SafetensorsWriter.create(settings.output, metadata(modules), declarations)) {
        for (Module module : modules) {
          Factors factors = module.matrices().compute();
          write(writer, module.down().name(), factors.down, reporter);
          write(writer, module.up().name(), factors.up, reporter);
        }
        writer.finish();
      }
      return new Report(computed, largestResidual);
    }

    private static void write(
        SafetensorsWriter writer, String name, float[] values, TaskReporter reporter)
        throws IOException {
      ByteBuffer bytes = ByteBuffer.allocate(Math.multiplyExact(values.length, Float.BYTES));
      Elements.fromFloats(ElementType.F32, values, 0, values.length, bytes);
      writer.write(name, bytes.flip());
      reporter.advance(bytes.capacity());
    }

    private Map<String, String> metadata(List<Module> modules) throws IOException {
      List<String> names =
          modules.stream()
              .filter(module -> module.network() == Component.TRANSFORMER)
              .map(Module::weight)
              .toList();
      List<String> digests = new ArrayList<>();
      for (ParsedAdapter adapter : chain.adapters()) {
        digests.add(adapter.digest());
      }
      Map<String, String> metadata = new LinkedHashMap<>();
      metadata.put("format", "pt");
      metadata.put(
          BaseFingerprint.BASE_KEY, BaseFingerprint.of(weights.get(Component.TRANSFORMER), names));
      metadata.put(BaseFingerprint.CHAIN_KEY, String.join(",", digests));
      return metadata;
    }

    @Override
    public void close() throws IOException {
      opened.close();
    }
  }
}
