package io.github.urae.benchmarks;

import io.github.urae.adapter.CheckpointMerger;
import io.github.urae.flux.arithmetic.TorchGenerator;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import io.github.urae.weights.SafetensorsWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * The memory that it takes to merge an adapter of URAE's shape, 190 modules of rank 16, into a
 * checkpoint of FLUX.1-dev's shape, 24 GB in bfloat16, on disk. The checkpoint is a hole but for
 * its header; of the result, the changed weights take room, 3.6 GB.
 *
 * <p>Arguments: a folder to work in (the temporary folder).
 */
public final class MergeMemory {

  private static final Pattern TRAINED =
      Pattern.compile("(single_)?transformer_blocks\\.\\d+\\.attn\\.to_(q|k|v|out\\.0)\\.weight");

  private static final int RANK = 16;

  private MergeMemory() {}

  /**
   * Runs the benchmark, or its child process, which merges.
   *
   * @param arguments the folder; for the child a model, an adapter and an output
   * @throws Exception if the disk is full or the child process fails
   */
  public static void main(String[] arguments) throws Exception {
    if (arguments.length == 3) {
      merge(Path.of(arguments[0]), Path.of(arguments[1]), Path.of(arguments[2]));
      return;
    }
    Path parent =
        Path.of(arguments.length > 0 ? arguments[0] : System.getProperty("java.io.tmpdir"));
    Map<String, Shape> weights = FluxDev.weights();
    checkSpace(parent, weights);
    try (TemporaryFolder temporary = TemporaryFolder.createIn(parent)) {
      Path folder = temporary.path();
      Path transformer = Files.createDirectories(folder.resolve("model/transformer"));
      SparseSafetensors.write(
          transformer.resolve("diffusion_pytorch_model.safetensors"), ElementType.BF16, weights);
      Path adapter = folder.resolve("adapter.safetensors");
      System.out.printf("modules: %d%n", writeAdapter(weights, adapter));
      measure(folder.resolve("model"), adapter, folder.resolve("merged"));
    }
  }

  /** The checkpoint and the result, as if neither had holes: not every file system makes any. */
  private static void checkSpace(Path parent, Map<String, Shape> weights) throws IOException {
    long bytes =
        weights.values().stream()
            .mapToLong(shape -> ElementType.BF16.byteSize(shape.elementCount()))
            .sum();
    long free = Files.getFileStore(parent).getUsableSpace();
    if (2 * bytes > free) {
      throw new IOException(
          parent
              + ": the benchmark takes up to "
              + 2 * bytes
              + " bytes where files have no holes, but only "
              + free
              + " are free; name a folder on another disk");
    }
  }

  private static int writeAdapter(Map<String, Shape> weights, Path file) throws IOException {
    TorchGenerator random = new TorchGenerator(1);
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    weights.forEach(
        (name, shape) -> {
          if (TRAINED.matcher(name).matches()) {
            int outputs = (int) shape.dimension(0);
            int inputs = (int) shape.dimension(1);
            String module = "transformer." + name.substring(0, name.length() - ".weight".length());
            tensors.put(
                module + ".lora_A.weight",
                Tensor.ofFloats(random.randn(RANK * inputs), RANK, inputs));
            tensors.put(
                module + ".lora_B.weight",
                Tensor.ofFloats(random.randn(outputs * RANK), outputs, RANK));
          }
        });
    SafetensorsWriter.write(file, Map.of(), tensors);
    return tensors.size() / 2;
  }

  private static void measure(Path model, Path adapter, Path output)
      throws IOException, InterruptedException {
    List<String> command =
        List.of(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-cp",
            System.getProperty("java.class.path"),
            MergeMemory.class.getName(),
            model.toString(),
            adapter.toString(),
            output.toString());
    long start = System.nanoTime();
    Process child = new ProcessBuilder(command).inheritIO().start();
    try (PeakMemory anonymous = PeakMemory.watching(() -> AnonymousMemory.megabytes(child.pid()));
        PeakMemory mapped =
            PeakMemory.watching(() -> AnonymousMemory.mappedMegabytes(child.pid()))) {
      int status = child.waitFor();
      double seconds = (System.nanoTime() - start) / 1e9;
      if (status != 0) {
        throw new IllegalStateException("the child process failed");
      }
      System.out.printf(
          "merged in %.1f s; peak %.0f MB anonymous memory, %.0f MB of mapped files beside it%n",
          seconds, anonymous.megabytes(), mapped.megabytes());
    }
  }

  private static void merge(Path model, Path adapter, Path output) throws IOException {
    CheckpointMerger.builder()
        .model(model)
        .adapter(adapter)
        .output(output)
        .cacheFolder(output.resolveSibling("cache"))
        .write();
  }
}
