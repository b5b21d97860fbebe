package io.github.urae.training.internal.torch;

import io.github.urae.CancellationToken;
import io.github.urae.ProgressListener;
import io.github.urae.Stage;
import io.github.urae.adapter.AdapterSpec;
import io.github.urae.adapter.MinorComponents;
import io.github.urae.adapter.internal.match.AdapterChain;
import io.github.urae.adapter.internal.match.AdapterOptions;
import io.github.urae.adapter.internal.merge.CheckpointWeights;
import io.github.urae.adapter.internal.merge.MergedWeights;
import io.github.urae.adapter.internal.merge.WeightMerger;
import io.github.urae.flux.arithmetic.LatentLayout;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.Checkpoint;
import io.github.urae.flux.model.internal.Flux1;
import io.github.urae.flux.model.internal.NetworkSizes;
import io.github.urae.flux.model.internal.NetworkWeights;
import io.github.urae.flux.model.internal.TransformerConfig;
import io.github.urae.internal.OwnedResources;
import io.github.urae.internal.TaskReporter;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.internal.Elements;
import io.github.urae.training.internal.engine.BaseModel;
import io.github.urae.weights.SafetensorsWriter;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.CacheKey;
import io.github.urae.weights.internal.WeightCache;
import io.github.urae.weights.internal.WeightConversion;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Where the weights that are not trained lie: in the user's files where they are there as they are
 * needed, otherwise in the cache, converted, merged, or without their minor components. One matrix
 * at a time is in memory.
 */
final class BaseWeights {

  /** The factors of minor components beside the weights without them. */
  private static final String DOWN = ".minor_a";

  private static final String UP = ".minor_b";

  private final TransformerConfig config;
  private final LatentLayout layout;
  private final TensorSource stored;
  private final AdapterChain chain;
  private final Making making;
  private final OwnedResources files;
  private final Map<String, TensorSource> places = new LinkedHashMap<>();

  private BaseWeights(
      TransformerConfig config,
      LatentLayout layout,
      TensorSource stored,
      AdapterChain chain,
      Making making,
      OwnedResources files) {
    this.config = config;
    this.layout = layout;
    this.stored = stored;
    this.chain = chain;
    this.making = making;
    this.files = files;
  }

  /**
   * How weights are made that are not in the user's files.
   *
   * @param type F32 or BF16, what they are wanted in
   * @param cache where they lie
   * @param listener hears of it
   * @param cancellation ends it
   */
  record Making(
      ElementType type,
      WeightCache cache,
      ProgressListener listener,
      CancellationToken cancellation) {}

  /**
   * Opens a transformer's files and matches the base adapters; computes nothing.
   *
   * @param files becomes the owner of the open files
   * @throws IOException if a file is missing or cannot be read
   * @throws io.github.urae.UraeException if a file is damaged or does not fit
   */
  static BaseWeights open(BaseModel model, Making making, OwnedResources files) throws IOException {
    CheckpointWeights weights = CheckpointWeights.open(model.location(), files);
    Checkpoint checkpoint = weights.checkpoint();
    TensorSource stored = weights.byNetwork().get(Component.TRANSFORMER);
    NetworkSizes.check(checkpoint, Component.TRANSFORMER, Optional.of(stored));
    TransformerShapes.check(checkpoint.transformer(), stored);
    AdapterChain chain =
        files.add(
            AdapterChain.open(
                model.adapters(), checkpoint.family(), weights.byNetwork(), AdapterOptions.STRICT));
    return new BaseWeights(
        checkpoint.transformer(), checkpoint.family().latents(), stored, chain, making, files);
  }

  /**
   * Opens the files of a transformer alone, whose sizes are known.
   *
   * @param file a file, an index or a folder
   * @param config its sizes
   * @param files becomes the owner of the open files
   * @throws IOException if a file is missing or cannot be read
   * @throws io.github.urae.UraeException if a file is damaged or does not fit
   */
  static BaseWeights open(Path file, TransformerConfig config, Making making, OwnedResources files)
      throws IOException {
    TensorSource stored = files.add(NetworkWeights.open(file, Flux1.FAMILY, Component.TRANSFORMER));
    TransformerShapes.check(config, stored);
    AdapterChain chain =
        files.add(
            AdapterChain.open(
                List.of(),
                Flux1.FAMILY,
                Map.of(Component.TRANSFORMER, stored),
                AdapterOptions.STRICT));
    return new BaseWeights(config, Flux1.FAMILY.latents(), stored, chain, making, files);
  }

  TransformerConfig config() {
    return config;
  }

  LatentLayout layout() {
    return layout;
  }

  /**
   * Finds all weights, or makes them.
   *
   * @return where each lies, as plain elements of the making.type(), in the network's order
   * @throws IOException if reading or writing fails
   */
  Map<String, TensorSource> places() throws IOException {
    List<String> unlikeStored = new ArrayList<>();
    boolean anyMerged = false;
    for (String name : TransformerShapes.of(config).keySet()) {
      if (places.containsKey(name)) {
        continue;
      }
      if (chain.changedWeights(Component.TRANSFORMER).contains(name)) {
        anyMerged = true;
      } else if (FrozenWeights.isUsable(stored, stored.tensors().get(name), making.type())) {
        places.put(name, stored);
      } else {
        unlikeStored.add(name);
      }
    }
    if (!unlikeStored.isEmpty()) {
      TensorSource converted = files.add(converted(unlikeStored));
      unlikeStored.forEach(name -> places.put(name, converted));
    }
    if (anyMerged) {
      TensorSource merged =
          files.add(
              MergedWeights.open(
                  chain,
                  Component.TRANSFORMER,
                  stored,
                  name -> making.type(),
                  making.cache(),
                  making.listener(),
                  making.cancellation()));
      merged.tensors().keySet().forEach(name -> places.putIfAbsent(name, merged));
    }
    return places;
  }

  private TensorSource converted(List<String> names) throws IOException {
    CacheKey key = new CacheKey("training weights 1").addCheckpoint(stored).add(making.type());
    List<SafetensorsWriter.Declaration> tensors = new ArrayList<>();
    for (String name : names) {
      tensors.add(
          new SafetensorsWriter.Declaration(
              name, making.type(), stored.tensors().get(name).shape()));
      key.add(name);
    }
    return making
        .cache()
        .open(
            key,
            tensors,
            Map.of(),
            sink ->
                WeightConversion.write(
                    stored,
                    tensors,
                    (name, pieces) -> WeightConversion.values(stored, name, making.type(), pieces),
                    sink,
                    Component.TRANSFORMER.id(),
                    making.listener(),
                    making.cancellation()),
            making.listener(),
            making.cancellation());
  }

  /**
   * Takes the minor components out of weights: {@link #places()} then gives what is left of those.
   *
   * @param modules the linear layers
   * @param rank number of components
   * @return A [rank, in] and B [out, rank] of each layer, by its name
   * @throws IOException if reading or writing fails
   * @throws io.github.urae.AdapterException if there is no dense algebra, or a rank exceeds a side
   */
  Map<String, Factors> takeMinorComponents(List<TrainedModule> modules, int rank)
      throws IOException {
    CacheKey key = new CacheKey("training minor components 1").addCheckpoint(stored);
    key.add(making.type()).add(rank);
    for (AdapterSpec spec : chain.adaptersOf(Component.TRANSFORMER)) {
      key.add(chain.digestOf(spec)).add(spec.scale());
    }
    List<SafetensorsWriter.Declaration> tensors = new ArrayList<>();
    for (TrainedModule module : modules) {
      String weight = module.name() + ".weight";
      Shape shape = stored.tensors().get(weight).shape();
      key.add(weight);
      tensors.add(new SafetensorsWriter.Declaration(weight, making.type(), shape));
      tensors.add(
          new SafetensorsWriter.Declaration(
              module.name() + DOWN, ElementType.F32, Shape.of(rank, shape.dimension(1))));
      tensors.add(
          new SafetensorsWriter.Declaration(
              module.name() + UP, ElementType.F32, Shape.of(shape.dimension(0), rank)));
    }
    TensorSource decomposed =
        files.add(
            making
                .cache()
                .open(
                    key,
                    tensors,
                    Map.of(),
                    sink -> decompose(modules, rank, sink),
                    making.listener(),
                    making.cancellation()));
    Map<String, Factors> factors = new LinkedHashMap<>();
    for (TrainedModule module : modules) {
      places.put(module.name() + ".weight", decomposed);
      factors.put(
          module.name(),
          new Factors(
              decomposed.tensor(module.name() + DOWN), decomposed.tensor(module.name() + UP)));
    }
    return factors;
  }

  /**
   * The factors of a product B A.
   *
   * @param down A, [rank, in]
   * @param up B, [out, rank]
   */
  record Factors(io.github.urae.tensor.Tensor down, io.github.urae.tensor.Tensor up) {}

  private void decompose(List<TrainedModule> modules, int rank, WeightCache.Sink sink)
      throws IOException {
    WeightMerger merger = new WeightMerger(chain, Component.TRANSFORMER, stored);
    TaskReporter reporter =
        new TaskReporter(
            making.listener(),
            making.cancellation(),
            Stage.DECOMPOSING,
            Component.TRANSFORMER.id(),
            modules.size());
    for (TrainedModule module : modules) {
      String name = module.name() + ".weight";
      TensorInfo info = stored.tensors().get(name);
      int columns = Math.toIntExact(info.shape().dimension(1));
      float[] weight = merger.mergeToFloats(name);
      int rows = weight.length / columns;
      MinorComponents minor = MinorComponents.of(weight, rows, columns, rank);
      subtractInPlace(weight, columns, minor);
      write(name, making.type(), weight, sink);
      write(module.name() + DOWN, ElementType.F32, minor.a(), sink);
      write(module.name() + UP, ElementType.F32, minor.b(), sink);
      reporter.advance(1);
    }
    stored.checkUnchanged();
  }

  /** W - B A, each element summed in float64 and rounded once. */
  private static void subtractInPlace(float[] weight, int columns, MinorComponents minor) {
    float[] a = minor.a();
    float[] b = minor.b();
    int rank = minor.rank();
    double[] row = new double[columns];
    for (int i = 0; i < weight.length / columns; i++) {
      for (int j = 0; j < columns; j++) {
        row[j] = weight[i * columns + j];
      }
      for (int k = 0; k < rank; k++) {
        double factor = b[i * rank + k];
        for (int j = 0; j < columns; j++) {
          row[j] -= factor * a[k * columns + j];
        }
      }
      for (int j = 0; j < columns; j++) {
        weight[i * columns + j] = (float) row[j];
      }
    }
  }

  private static void write(String name, ElementType type, float[] values, WeightCache.Sink sink)
      throws IOException {
    ByteBuffer bytes =
        ByteBuffer.allocate(Math.toIntExact(type.byteSize(values.length)))
            .order(ByteOrder.LITTLE_ENDIAN);
    Elements.fromFloats(type, values, 0, values.length, bytes);
    sink.write(name, bytes.flip());
  }
}
