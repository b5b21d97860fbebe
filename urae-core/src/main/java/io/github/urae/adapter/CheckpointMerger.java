package io.github.urae.adapter;

import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.urae.ModelException;
import io.github.urae.Stage;
import io.github.urae.adapter.internal.match.AdapterChain;
import io.github.urae.adapter.internal.match.AdapterOptions;
import io.github.urae.adapter.internal.merge.CheckpointWeights;
import io.github.urae.adapter.internal.merge.WeightMerger;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.Checkpoint;
import io.github.urae.flux.model.internal.CheckpointFiles;
import io.github.urae.flux.model.internal.ModelLocation;
import io.github.urae.internal.BoundedJson;
import io.github.urae.internal.FileFailure;
import io.github.urae.internal.FileReplacement;
import io.github.urae.internal.NativeLibraries;
import io.github.urae.internal.OwnedResources;
import io.github.urae.internal.TaskReporter;
import io.github.urae.tensor.ElementType;
import io.github.urae.weights.SafetensorsWriter;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileVisitOption;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Writes a checkpoint with adapters merged into it: a new folder in diffusers layout, whose weights
 * are streamed tensor by tensor and sharded as diffusers does it. Everything else is copied, except
 * hidden files and weights at the top level, which are the same model once more, unmerged.
 *
 * <p>The folder is written under another name beside the target and renamed when it is whole.
 */
public final class CheckpointMerger {

  /** Most bytes of tensors in one shard: diffusers' default, 10 GB. */
  private static final long SHARD_BYTES = 10_000_000_000L;

  private static final JsonMapper JSON = new JsonMapper(BoundedJson.factory().build());

  private static final List<ElementType> MERGED_TYPES =
      List.of(ElementType.BF16, ElementType.F16, ElementType.F32, ElementType.F64);

  /** The whole model in one file, as some checkpoints have it beside the folders: not merged. */
  private static final Pattern SINGLE_FILE =
      Pattern.compile(".*\\.(safetensors|sft|gguf|bin|pt|ckpt)");

  private final Builder settings;
  private final Checkpoint checkpoint;

  /** The checkpoint's folder; empty for a model of files alone. */
  private final Optional<Path> model;

  private final Map<Component, TensorSource> weights;
  private final Optional<TensorSource> autoencoder;
  private final AdapterChain chain;

  private CheckpointMerger(Builder settings, CheckpointWeights base, AdapterChain chain) {
    this.settings = settings;
    this.checkpoint = base.checkpoint();
    this.model = checkpoint.folder();
    this.weights = base.byNetwork();
    this.autoencoder = base.autoencoder();
    this.chain = chain;
  }

  /**
   * Starts a merge.
   *
   * @return a builder with nothing but defaults
   */
  public static Builder builder() {
    return new Builder();
  }

  /** Merging into eight bits would lose most of what an adapter changes. */
  private void checkTypes() {
    if (!MERGED_TYPES.containsAll(settings.type.stream().toList())) {
      throw new ModelException(
          "element type: expected one of " + MERGED_TYPES + ", found " + settings.type.get());
    }
    for (Map.Entry<Component, TensorSource> entry : weights.entrySet()) {
      for (String name : chain.changedWeights(entry.getKey())) {
        TensorInfo info = entry.getValue().tensors().get(name);
        if (!MERGED_TYPES.contains(typeOf(info))) {
          throw new ModelException(
              info
                  + ": adapters are not merged into "
                  + typeOf(info)
                  + "; expected one of "
                  + MERGED_TYPES
                  + ", or choose the type of the result");
        }
      }
    }
  }

  private void checkAlgebra() {
    weights.forEach((network, base) -> new WeightMerger(chain, network, base).prepare());
  }

  /** Sums up what will be written, as if no part of it were a hole. */
  private void checkSpace(Path folder) throws IOException {
    long needed = autoencoder.map(this::plannedBytes).orElse(0L);
    for (TensorSource source : weights.values()) {
      for (TensorInfo info : source.tensors().values()) {
        needed += typeOf(info).byteSize(info.shape().elementCount());
      }
    }
    FileFailure.checkSpace(folder, "the merged checkpoint", needed);
  }

  private void write(Path target) throws IOException {
    List<Component> rewritten = new ArrayList<>();
    long total = 0;
    for (Map.Entry<Component, TensorSource> entry : weights.entrySet()) {
      boolean changes = !chain.changedWeights(entry.getKey()).isEmpty();
      if (changes || settings.type.isPresent() || isFromElsewhere(entry.getKey())) {
        rewritten.add(entry.getKey());
        total += plannedBytes(entry.getValue());
      }
    }
    total += autoencoder.map(this::plannedBytes).orElse(0L);
    List<Path> copies = filesToCopy(rewritten);
    for (Path file : copies) {
      total += Files.size(file);
    }
    TaskReporter reporter =
        new TaskReporter(settings.listener(), settings.cancellation(), Stage.MERGING, total);
    Files.createDirectories(target);
    for (Path file : copies) {
      copy(file, target.resolve(model.orElseThrow().relativize(file)), reporter);
    }
    complete(target);
    for (Component network : rewritten) {
      TensorSource base = weights.get(network);
      Path folder = Files.createDirectories(target.resolve(network.folder()));
      rewrite(base, new WeightMerger(chain, network, base), folder, network, reporter);
    }
    if (autoencoder.isPresent()) {
      Component network = Component.VAE_DECODER;
      WeightMerger merger = new WeightMerger(chain, network, autoencoder.get());
      Path folder = target.resolve(network.folder());
      rewrite(autoencoder.get(), merger, folder, network, reporter);
    }
  }

  /** Writes what the model's folder does not hold, or holds for other parts. */
  private void complete(Path target) throws IOException {
    CheckpointFiles files = new CheckpointFiles(checkpoint);
    for (Component network : checkpoint.family().networks()) {
      if (network != Component.VAE_ENCODER && !files.hasOwnConfiguration(network)) {
        files.writeConfiguration(
            network, Files.createDirectories(target.resolve(network.folder())));
      }
    }
    for (Component tokenizer : List.of(Component.TOKENIZER, Component.TOKENIZER_2)) {
      if (model.isEmpty() || isFromElsewhere(tokenizer)) {
        files.writeTokenizer(tokenizer, target);
      }
    }
    if (model.isEmpty()) {
      files.writeIndex(target);
    }
  }

  private boolean isFromElsewhere(Component network) {
    return model.isEmpty() || settings.parts().containsKey(network);
  }

  private ElementType typeOf(TensorInfo info) {
    return info.type().isFloatingPoint() ? settings.type.orElse(info.type()) : info.type();
  }

  private long plannedBytes(TensorSource source) {
    return source.tensors().values().stream()
        .mapToLong(info -> typeOf(info).byteSize(info.shape().elementCount()))
        .sum();
  }

  /**
   * Everything but the weights of the networks that are written anew, single files of the whole
   * model, and what is hidden. In a Hugging Face cache everything is a link.
   */
  private List<Path> filesToCopy(List<Component> rewritten) throws IOException {
    if (model.isEmpty()) {
      return List.of();
    }
    Path folder = model.get();
    try (Stream<Path> files = Files.walk(folder, FileVisitOption.FOLLOW_LINKS)) {
      return files
          .filter(Files::isRegularFile)
          .filter(file -> !isHidden(folder.relativize(file)))
          .filter(file -> !isSingleFile(file))
          .filter(file -> rewritten.stream().noneMatch(network -> isWeightOf(network, file)))
          .filter(file -> autoencoder.isEmpty() || !isWeightOf(Component.VAE_DECODER, file))
          .filter(file -> !isOfTokenizerFromElsewhere(folder.relativize(file)))
          .toList();
    }
  }

  private boolean isOfTokenizerFromElsewhere(Path file) {
    return Stream.of(Component.TOKENIZER, Component.TOKENIZER_2)
        .anyMatch(one -> isFromElsewhere(one) && file.startsWith(one.folder()));
  }

  private static boolean isHidden(Path file) {
    for (Path part : file) {
      if (part.toString().startsWith(".")) {
        return true;
      }
    }
    return false;
  }

  private boolean isSingleFile(Path file) {
    return file.getParent().equals(model.orElseThrow())
        && SINGLE_FILE.matcher(file.getFileName().toString()).matches();
  }

  private boolean isWeightOf(Component network, Path file) {
    String name = file.getFileName().toString();
    return file.getParent().equals(model.orElseThrow().resolve(network.folder()))
        && (name.endsWith(".safetensors")
            || name.endsWith(".gguf")
            || name.endsWith(".safetensors.index.json"));
  }

  private static void copy(Path from, Path to, TaskReporter reporter) throws IOException {
    Files.createDirectories(to.getParent());
    try (FileChannel source = FileChannel.open(from, StandardOpenOption.READ);
        FileChannel target =
            FileChannel.open(to, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      long size = source.size();
      long done = 0;
      while (done < size) {
        long count = source.transferTo(done, Math.min(size - done, 64 << 20), target);
        if (count <= 0) {
          throw new IOException(from + ": was cut short while it was being copied");
        }
        done += count;
        reporter.advance(count);
      }
      target.force(true);
    }
  }

  private void rewrite(
      TensorSource base, WeightMerger merger, Path folder, Component network, TaskReporter reporter)
      throws IOException {
    // The names that diffusers and transformers look for.
    boolean ofDiffusers = network == Component.TRANSFORMER || network == Component.VAE_DECODER;
    String stem = ofDiffusers ? "diffusion_pytorch_model" : "model";
    List<List<TensorInfo>> shards = shards(base);
    ObjectNode index = JSON.createObjectNode();
    index.putObject("metadata").put("total_size", plannedBytes(base));
    ObjectNode weightMap = index.putObject("weight_map");
    for (int i = 0; i < shards.size(); i++) {
      String name =
          shards.size() == 1
              ? stem + ".safetensors"
              : String.format("%s-%05d-of-%05d.safetensors", stem, i + 1, shards.size());
      writeShard(base, merger, folder.resolve(name), shards.get(i), reporter);
      shards.get(i).forEach(info -> weightMap.put(info.name(), name));
    }
    if (shards.size() > 1) {
      Files.write(
          folder.resolve(stem + ".safetensors.index.json"),
          JSON.writerWithDefaultPrettyPrinter().writeValueAsBytes(index));
    }
  }

  private List<List<TensorInfo>> shards(TensorSource base) {
    List<List<TensorInfo>> shards = new ArrayList<>();
    long size = 0;
    for (TensorInfo info : base.tensors().values()) {
      long bytes = typeOf(info).byteSize(info.shape().elementCount());
      if (shards.isEmpty() || size + bytes > settings.shardBytes) {
        shards.add(new ArrayList<>());
        size = 0;
      }
      shards.get(shards.size() - 1).add(info);
      size += bytes;
    }
    return shards;
  }

  private void writeShard(
      TensorSource base,
      WeightMerger merger,
      Path file,
      List<TensorInfo> tensors,
      TaskReporter reporter)
      throws IOException {
    List<SafetensorsWriter.Declaration> declarations =
        tensors.stream()
            .map(t -> new SafetensorsWriter.Declaration(t.name(), typeOf(t), t.shape()))
            .toList();
    try (SafetensorsWriter writer =
        SafetensorsWriter.create(file, Map.of("format", "pt"), declarations)) {
      for (TensorInfo tensor : tensors) {
        merger.merge(
            tensor.name(), typeOf(tensor), piece -> writer.write(tensor.name(), piece), reporter);
      }
      base.checkUnchanged();
      writer.finish();
    }
  }

  /** Collects the settings of a merge. Not thread-safe. */
  public static final class Builder extends ModelBuilder<Builder> {

    private Path output;
    private Optional<ElementType> type = Optional.empty();
    private long shardBytes = SHARD_BYTES;

    private Builder() {}

    /**
     * Sets the folder of the new checkpoint. Required.
     *
     * @param folder must not exist, its parent must; written whole or not at all
     * @return this
     */
    public Builder output(Path folder) {
      output = Objects.requireNonNull(folder, "output");
      return this;
    }

    /**
     * Sets the element type of all floating-point weights of the networks that adapters may change.
     *
     * @param value one that adapters can be merged into: F32, F16, BF16 or F64; by default each
     *     weight's own
     * @return this
     */
    public Builder elementType(ElementType value) {
      type = Optional.of(value);
      return this;
    }

    /** Sets the size of shards, for tests. */
    Builder shardBytes(long value) {
      shardBytes = value;
      return this;
    }

    /**
     * Merges.
     *
     * @return the keys of adapters that change nothing, with the reason; empty unless that is let
     *     pass, but for parts that FLUX does not use and for what a file holds twice
     * @throws IOException if reading or writing fails, there is not enough space for the result, or
     *     the output is there already
     * @throws io.github.urae.UraeException if a file is damaged or an adapter does not fit; nothing
     *     is then written
     * @throws io.github.urae.GenerationCancelledException if it was cancelled; nothing is left then
     * @throws IllegalStateException if model or output is not set
     */
    public List<UnmatchedKey> write() throws IOException {
      if (output == null) {
        throw new IllegalStateException("expected an output; call output(Path)");
      }
      Path target = output.toAbsolutePath().normalize();
      if (Files.exists(target)) {
        throw new FileAlreadyExistsException(
            target.toString(), null, "expected a folder that is not there yet");
      }
      NativeLibraries.unpackInto(cacheFolder());
      try (OwnedResources opened = new OwnedResources()) {
        CheckpointWeights base =
            CheckpointWeights.open(new ModelLocation(model(), parts()), opened);
        AdapterChain chain = opened.add(openChain(base));
        CheckpointMerger merger = new CheckpointMerger(this, base, chain);
        merger.checkTypes();
        merger.checkAlgebra();
        FileReplacement.deleteStalePartials(target);
        merger.checkSpace(target.getParent());
        FileReplacement.createFolder(target, merger::write);
        return chain.unmatched();
      }
    }

    private AdapterChain openChain(CheckpointWeights base) throws IOException {
      AdapterOptions options = new AdapterOptions(ignoresUnmatched(), allowsBareMinorComponents());
      return AdapterChain.open(adapters(), base.checkpoint().family(), base.byNetwork(), options);
    }
  }
}
