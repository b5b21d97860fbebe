package io.github.urae.adapter;

import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.urae.CancellationToken;
import io.github.urae.ModelException;
import io.github.urae.ProgressListener;
import io.github.urae.Stage;
import io.github.urae.adapter.internal.match.AdapterChain;
import io.github.urae.adapter.internal.merge.CheckpointWeights;
import io.github.urae.adapter.internal.merge.WeightMerger;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.Flux1;
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

  private static final JsonMapper JSON = new JsonMapper();

  private static final List<ElementType> MERGED_TYPES =
      List.of(ElementType.BF16, ElementType.F16, ElementType.F32, ElementType.F64);

  /** The whole model in one file, as some checkpoints have it beside the folders: not merged. */
  private static final Pattern SINGLE_FILE =
      Pattern.compile(".*\\.(safetensors|sft|gguf|bin|pt|ckpt)");

  private final Path model;
  private final List<AdapterSpec> adapters;
  private final AdapterOptions options;
  private final Optional<ElementType> type;
  private final ProgressListener listener;
  private final CancellationToken cancellation;
  private final long shardBytes;

  /**
   * Prepares a merge.
   *
   * @param model a checkpoint's folder in diffusers layout
   * @param adapters the adapters, in the order in which they are applied; may be empty
   * @param options what is let pass
   * @param type element type of all rewritten weights; empty for each weight's own
   * @param cacheFolder where OpenBLAS is unpacked, should there be minor components or large
   *     weights
   * @param listener hears of the progress
   * @param cancellation ends the work early
   */
  public CheckpointMerger(
      Path model,
      List<AdapterSpec> adapters,
      AdapterOptions options,
      Optional<ElementType> type,
      Path cacheFolder,
      ProgressListener listener,
      CancellationToken cancellation) {
    this(model, adapters, options, type, cacheFolder, listener, cancellation, SHARD_BYTES);
  }

  /** Prepares a merge into shards of another size. */
  CheckpointMerger(
      Path model,
      List<AdapterSpec> adapters,
      AdapterOptions options,
      Optional<ElementType> type,
      Path cacheFolder,
      ProgressListener listener,
      CancellationToken cancellation,
      long shardBytes) {
    this.model = model;
    this.adapters = List.copyOf(adapters);
    this.options = options;
    this.type = type;
    NativeLibraries.unpackInto(cacheFolder);
    this.listener = listener;
    this.cancellation = cancellation;
    this.shardBytes = shardBytes;
  }

  /**
   * Merges.
   *
   * @param output the new checkpoint's folder; must not exist, its parent must
   * @return the keys that changed nothing, empty unless the options let them pass
   * @throws IOException if reading or writing fails, or there is not enough space for the result
   * @throws io.github.urae.UraeException if a file is damaged or an adapter does not fit; nothing
   *     is then written
   */
  public List<AdapterChain.UnmatchedKey> mergeTo(Path output) throws IOException {
    Path target = output.toAbsolutePath().normalize();
    if (Files.exists(target)) {
      throw new FileAlreadyExistsException(
          target.toString(), null, "expected a folder that is not there yet");
    }
    OwnedResources opened = new OwnedResources();
    try {
      Map<Component, TensorSource> weights = CheckpointWeights.open(model, opened);
      AdapterChain chain = opened.add(AdapterChain.open(adapters, Flux1.FAMILY, weights, options));
      checkTypes(chain, weights);
      checkSpace(target.getParent(), weights);
      FileReplacement.createFolder(target, temporary -> write(chain, weights, temporary));
      opened.close();
      return chain.unmatched();
    } catch (Throwable e) {
      opened.closeAfter(e);
      throw e;
    }
  }

  /** Merging into eight bits would lose most of what an adapter changes. */
  private void checkTypes(AdapterChain chain, Map<Component, TensorSource> weights) {
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

  /** Sums up what will be written, as if no part of it were a hole. */
  private void checkSpace(Path folder, Map<Component, TensorSource> weights) throws IOException {
    long needed = 0;
    for (TensorSource source : weights.values()) {
      for (TensorInfo info : source.tensors().values()) {
        ElementType written = type.orElse(info.type());
        needed += written.byteSize(info.shape().elementCount());
      }
    }
    long free = Files.getFileStore(folder).getUsableSpace();
    if (needed > free) {
      throw new IOException(
          folder
              + ": the merged checkpoint takes up to "
              + needed
              + " bytes, but only "
              + free
              + " are free; make room, or choose a folder on another disk");
    }
  }

  private void write(AdapterChain chain, Map<Component, TensorSource> weights, Path target)
      throws IOException {
    List<Component> rewritten = new ArrayList<>();
    long total = 0;
    for (Map.Entry<Component, TensorSource> entry : weights.entrySet()) {
      boolean changes = !chain.changedWeights(entry.getKey()).isEmpty();
      if (changes || type.isPresent()) {
        rewritten.add(entry.getKey());
        total += plannedBytes(entry.getValue());
      }
    }
    List<Path> copies = filesToCopy(rewritten);
    for (Path file : copies) {
      total += Files.size(file);
    }
    TaskReporter reporter = new TaskReporter(listener, cancellation, Stage.MERGING, total);
    for (Path file : copies) {
      copy(file, target.resolve(model.relativize(file)), reporter);
    }
    for (Component network : rewritten) {
      TensorSource base = weights.get(network);
      Path folder = Files.createDirectories(target.resolve(network.folder()));
      rewrite(base, new WeightMerger(chain, network, base), folder, network, reporter);
    }
  }

  private ElementType typeOf(TensorInfo info) {
    return info.type().isFloatingPoint() ? type.orElse(info.type()) : info.type();
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
    try (Stream<Path> files = Files.walk(model, FileVisitOption.FOLLOW_LINKS)) {
      return files
          .filter(Files::isRegularFile)
          .filter(file -> !isHidden(file))
          .filter(file -> !isSingleFile(file))
          .filter(file -> rewritten.stream().noneMatch(network -> isWeightOf(network, file)))
          .toList();
    }
  }

  private boolean isHidden(Path file) {
    for (Path part : model.relativize(file)) {
      if (part.toString().startsWith(".")) {
        return true;
      }
    }
    return false;
  }

  private boolean isSingleFile(Path file) {
    return file.getParent().equals(model)
        && SINGLE_FILE.matcher(file.getFileName().toString()).matches();
  }

  private boolean isWeightOf(Component network, Path file) {
    String name = file.getFileName().toString();
    return file.getParent().equals(model.resolve(network.folder()))
        && (name.endsWith(".safetensors") || name.endsWith(".safetensors.index.json"));
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
    String stem = network == Component.TRANSFORMER ? "diffusion_pytorch_model" : "model";
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
      if (shards.isEmpty() || size + bytes > shardBytes) {
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
}
