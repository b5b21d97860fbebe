package io.github.urae.export;

import io.github.urae.ModelException;
import io.github.urae.Stage;
import io.github.urae.adapter.ModelBuilder;
import io.github.urae.adapter.UnmatchedKey;
import io.github.urae.adapter.internal.match.AdapterChain;
import io.github.urae.adapter.internal.match.AdapterOptions;
import io.github.urae.adapter.internal.merge.WeightMerger;
import io.github.urae.flux.Profile;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.ExportReport;
import io.github.urae.flux.model.internal.Checkpoint;
import io.github.urae.flux.model.internal.CheckpointFiles;
import io.github.urae.flux.model.internal.ModelFamily;
import io.github.urae.flux.model.internal.ModelLocation;
import io.github.urae.flux.model.internal.PreviewFactors;
import io.github.urae.internal.FileFailure;
import io.github.urae.internal.FileReplacement;
import io.github.urae.internal.NativeLibraries;
import io.github.urae.internal.OwnedResources;
import io.github.urae.internal.TaskReporter;
import io.github.urae.onnx.internal.graph.Arithmetic;
import io.github.urae.onnx.internal.graph.ClipTextGraph;
import io.github.urae.onnx.internal.graph.LinearArithmetic;
import io.github.urae.onnx.internal.graph.LinearLayers;
import io.github.urae.onnx.internal.graph.NetworkGraph;
import io.github.urae.onnx.internal.graph.T5EncoderGraph;
import io.github.urae.onnx.internal.graph.TransformerGraph;
import io.github.urae.onnx.internal.model.DiffusersSource;
import io.github.urae.onnx.internal.model.ExportSource;
import io.github.urae.onnx.internal.model.ModelSource;
import io.github.urae.onnx.internal.session.Weights;
import io.github.urae.onnx.internal.source.ExportWriter;
import io.github.urae.onnx.internal.tokenizer.T5Tokenizer;
import io.github.urae.tensor.ElementType;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Writes a model as ONNX in Optimum's layout and names, for any ONNX Runtime: graphs that need no
 * code of this library, weights beside them as external data, adapters merged in.
 *
 * <p>Graphs use ONNX's operators of set 23, and ONNX Runtime's own {@code MultiHeadAttention} and
 * {@code QuickGelu}: attention in standard operators holds its scores on the processor, gigabytes
 * at 2K. Rotary positions are computed in the transformer; NTK factor and proportional attention
 * are fixed there.
 */
public final class OnnxExport {

  private final Builder settings;
  private final ModelSource source;
  private final Checkpoint checkpoint;

  private OnnxExport(Builder settings, ModelSource source) {
    this.settings = settings;
    this.source = source;
    this.checkpoint = source.checkpoint();
  }

  /**
   * Starts an export.
   *
   * @return a builder with nothing but defaults
   */
  public static Builder builder() {
    return new Builder();
  }

  /**
   * Says what this library understands of a directory of exports.
   *
   * @param folder a model
   * @return a report for each network; empty if the model is no directory of exports
   * @throws IOException if a file is missing or cannot be read
   * @throws io.github.urae.UraeException if a file is damaged or of another model
   */
  public static List<ExportReport> inspect(Path folder) throws IOException {
    return ModelSource.at(folder) instanceof ExportSource export ? export.reports() : List.of();
  }

  private List<UnmatchedKey> write() throws IOException {
    if (Files.exists(settings.output)) {
      throw new FileAlreadyExistsException(
          settings.output.toString(), null, "is there already; name a folder that is not");
    }
    try (OwnedResources opened = new OwnedResources()) {
      Map<Component, TensorSource> weights = new EnumMap<>(Component.class);
      Map<Component, NetworkGraph> graphs = new EnumMap<>(Component.class);
      Map<Component, TensorSource> adaptable = new EnumMap<>(Component.class);
      for (Component component : checkpoint.family().networks()) {
        NetworkGraph graph = graph(component);
        Weights stored =
            opened.add(
                source.open(component, new Arithmetic(graph.type(), LinearArithmetic.PLAIN)));
        if (!stored.graph().parameters().keySet().equals(graph.parameters().keySet())) {
          throw new ModelException(
              stored.original().files().get(0)
                  + ": not understood as a whole, so that it cannot be exported anew");
        }
        graphs.put(component, graph);
        weights.put(component, stored.original());
        if (component.isAdaptable()) {
          adaptable.put(component, stored.original());
        }
      }
      AdapterChain chain = opened.add(settings.openChain(checkpoint.family(), adaptable));
      adaptable.forEach((network, base) -> new WeightMerger(chain, network, base).prepare());
      FileFailure.checkSpace(
          settings.output.toAbsolutePath().getParent(),
          "the export",
          graphs.values().stream().mapToLong(NetworkGraph::weightBytes).sum());
      FileReplacement.createFolder(
          settings.output,
          folder -> {
            Files.createDirectories(folder);
            for (Component component : checkpoint.family().networks()) {
              write(folder, component, graphs.get(component), weights.get(component), chain);
            }
            copyRest(folder);
          });
      return chain.unmatched();
    }
  }

  private NetworkGraph graph(Component component) throws IOException {
    ElementType type = settings.type;
    return switch (component) {
      case TEXT_ENCODER -> ClipTextGraph.buildStandalone(checkpoint.clip(), type);
      case TEXT_ENCODER_2 ->
          T5EncoderGraph.buildStandalone(checkpoint.t5(), T5EncoderGraph.typeFor(type));
      case TRANSFORMER ->
          TransformerGraph.buildStandalone(checkpoint.transformer(), type, profile());
      default -> DiffusersSource.graph(checkpoint, component, type, LinearLayers.PLAIN);
    };
  }

  private Profile profile() throws IOException {
    Path folder = checkpoint.place(Component.TOKENIZER_2);
    try (T5Tokenizer tokenizer =
        T5Tokenizer.open(folder, checkpoint.t5().endToken(), checkpoint.t5().padToken())) {
      long nativeTokens = checkpoint.nativeTokens(tokenizer.maxLength());
      return settings.profile == Profile.Choice.ULTRA
          ? checkpoint.scheduler().ultra(nativeTokens)
          : checkpoint.scheduler().standard(nativeTokens);
    }
  }

  private void write(
      Path root, Component component, NetworkGraph graph, TensorSource weights, AdapterChain chain)
      throws IOException {
    Path folder = Files.createDirectories(root.resolve(component.id()));
    TaskReporter reporter = settings.reporter(component, graph.weightBytes());
    WeightMerger merger = new WeightMerger(chain, component, weights);
    ExportWriter.write(
        folder,
        graph,
        (name, sink) -> merger.merge(name, graph.weights().get(name).type(), sink, reporter));
    weights.checkUnchanged();
    CheckpointFiles files = new CheckpointFiles(checkpoint);
    Optional<Path> configuration = checkpoint.configuration(component);
    if (files.hasOwnConfiguration(component)) {
      Files.copy(configuration.orElseThrow(), folder.resolve("config.json"));
    } else {
      files.writeConfiguration(component, folder);
    }
    Optional<Path> previews =
        configuration
            .map(file -> file.resolveSibling(PreviewFactors.FILE))
            .filter(file -> component == Component.VAE_DECODER && Files.exists(file));
    if (previews.isPresent()) {
      Files.copy(previews.get(), folder.resolve(PreviewFactors.FILE));
    }
  }

  /** Copies what is no network, as it is. */
  private void copyRest(Path target) throws IOException {
    CheckpointFiles own = new CheckpointFiles(checkpoint);
    List<String> rest = new ArrayList<>();
    for (Component component : checkpoint.family().components()) {
      if (component.isNetwork()) {
        continue;
      }
      if (checkpoint.folder().isEmpty() || settings.isFromElsewhere(component)) {
        own.writeTokenizer(component, target);
      } else {
        rest.add(component.folder());
      }
    }
    if (checkpoint.folder().isEmpty()) {
      own.writeIndex(target);
      return;
    }
    rest.addAll(List.of("model_index.json", "scheduler"));
    Path folder = checkpoint.folder().get();
    for (String name : rest) {
      List<Path> files;
      try (Stream<Path> walked = Files.walk(folder.resolve(name))) {
        files = walked.toList();
      }
      for (Path file : files) {
        Path copy = target.resolve(folder.relativize(file).toString());
        if (Files.isDirectory(file)) {
          Files.createDirectories(copy);
        } else {
          Files.copy(file, copy);
        }
      }
    }
  }

  /** Collects the settings of an export. Not thread-safe. */
  public static final class Builder extends ModelBuilder<Builder> {

    private Path output;
    private ElementType type = ElementType.F32;
    private Profile.Choice profile = Profile.Choice.STANDARD;

    private Builder() {}

    /**
     * Sets the folder to write. Required.
     *
     * @param folder must not exist; written whole or not at all
     * @return this
     */
    public Builder output(Path folder) {
      output = Objects.requireNonNull(folder, "output");
      return this;
    }

    /**
     * Sets the element type.
     *
     * @param value F32 (default), F16 or BF16; the autoencoder is always F32, and T5 where F16 is
     *     asked for, in which it would overflow
     * @return this
     */
    public Builder elementType(ElementType value) {
      if (value != ElementType.F32 && value != ElementType.F16 && value != ElementType.BF16) {
        throw new IllegalArgumentException("expected F32, F16 or BF16, got " + value);
      }
      type = value;
      return this;
    }

    /**
     * Sets the profile whose NTK factor and proportional attention are fixed in the transformer.
     *
     * @param value standard (default) or ultra
     * @return this
     */
    public Builder profile(Profile.Choice value) {
      if (value == Profile.Choice.AUTO) {
        throw new IllegalArgumentException("expected STANDARD or ULTRA: an export has one of them");
      }
      profile = value;
      return this;
    }

    /**
     * Writes the export.
     *
     * @return keys of adapters that change nothing; empty unless that is let pass
     * @throws IOException if a file is missing or cannot be read or written, or the output is there
     *     already
     * @throws io.github.urae.UraeException if model or adapters are damaged or do not fit
     * @throws IllegalStateException if model or output is not set
     */
    public List<UnmatchedKey> write() throws IOException {
      if (output == null) {
        throw new IllegalStateException("expected an output; call output(Path)");
      }
      NativeLibraries.unpackInto(cacheFolder());
      return new OnnxExport(
              this, ModelSource.at(new ModelLocation(model(), parts()), Checkpoint.FAMILIES))
          .write();
    }

    private boolean isFromElsewhere(Component component) {
      return parts().containsKey(component);
    }

    private AdapterChain openChain(ModelFamily family, Map<Component, TensorSource> weights)
        throws IOException {
      AdapterOptions options = new AdapterOptions(ignoresUnmatched(), allowsBareMinorComponents());
      return AdapterChain.open(adapters(), family, weights, options);
    }

    private TaskReporter reporter(Component component, long bytes) {
      return new TaskReporter(listener(), cancellation(), Stage.EXPORTING, component.id(), bytes);
    }
  }
}
