package io.github.urae.adapter.internal.merge;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.urae.CancellationToken;
import io.github.urae.ProgressListener;
import io.github.urae.adapter.AdapterFile;
import io.github.urae.adapter.AdapterSpec;
import io.github.urae.adapter.MergeProcess;
import io.github.urae.adapter.TinyFlux;
import io.github.urae.adapter.internal.match.AdapterChain;
import io.github.urae.flux.model.Component;
import io.github.urae.internal.Sha256;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import io.github.urae.weights.SafetensorsFile;
import io.github.urae.weights.SafetensorsWriter;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.WeightCache;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** Merging into the cache and into checkpoints, also by several processes and by killed ones. */
class MergedWeightsTest {

  private static final int WIDTH = 3072;
  private static final int BLOCKS = 4;

  @TempDir Path folder;

  private int tasks;

  private final ProgressListener listener =
      task -> {
        tasks++;
      };

  private TensorSource open(TinyFlux model, AdapterChain chain, Component network, ElementType type)
      throws IOException {
    return MergedWeights.open(
        chain,
        network,
        model.weights.get(network),
        name -> type,
        new WeightCache(folder.resolve("cache"), WeightCache.DEFAULT_MAX_BYTES),
        listener,
        new CancellationToken());
  }

  private Path file(TinyFlux model, AdapterSpec... specs) throws IOException {
    try (TensorSource merged =
        open(model, model.chain(specs), Component.TRANSFORMER, ElementType.F32)) {
      return merged.files().get(0);
    }
  }

  @Test
  void holdsTheChangedWeightsAndNoOthers() throws IOException {
    try (TinyFlux model = new TinyFlux()) {
      AdapterChain chain = model.chain(TinyFlux.spec("kohya_text_encoder"));
      for (Component network : chain.changedNetworks()) {
        try (TensorSource merged = open(model, chain, network, ElementType.F32)) {
          assertThat(merged.tensors().keySet())
              .containsExactlyInAnyOrderElementsOf(chain.changedWeights(network));
          for (String name : merged.tensors().keySet()) {
            assertThat(merged.tensor(name).toFloats())
                .isEqualTo(model.merger(chain, network).mergeToFloats(name));
          }
        }
      }
    }
  }

  @Test
  void isMadeOnceForEachChain() throws IOException {
    AdapterSpec lora = TinyFlux.spec("urae_2k_adapter");
    try (TinyFlux model = new TinyFlux()) {
      Path first = file(model, lora);
      int made = tasks;
      assertThat(made).isPositive();
      assertThat(file(model, lora)).isEqualTo(first);
      assertThat(tasks).as("the second opening does nothing").isEqualTo(made);

      // The same adapter elsewhere is the same.
      Path copy = folder.resolve("copy.safetensors");
      Files.copy(lora.path(), copy);
      assertThat(file(model, new AdapterSpec(copy, 1))).isEqualTo(first);
      // Another content at the same place is not.
      Files.copy(TinyFlux.adapter("peft"), copy, StandardCopyOption.REPLACE_EXISTING);
      assertThat(file(model, new AdapterSpec(copy, 1))).isNotEqualTo(first);
      assertThat(file(model, new AdapterSpec(lora.path(), 0.9))).isNotEqualTo(first);
      assertThat(file(model, lora, TinyFlux.spec("peft")))
          .isNotEqualTo(file(model, TinyFlux.spec("peft"), lora));
      assertThat(file(model, lora)).isEqualTo(first);
    }
  }

  /** A transformer of 226 MB in 12 weights, and an adapter for all of them. */
  private AdapterSpec largeModel(Path model) throws IOException {
    TinyFlux.copyWithoutTransformer(model);
    Random random = new Random(9);
    byte[] noise = new byte[2 * WIDTH * WIDTH];
    for (int i = 0; i < noise.length; i += 2) {
      // bfloat16 between 2^-8 and 2^-6, either sign.
      noise[i] = (byte) random.nextInt();
      noise[i + 1] = (byte) (0x3B + (random.nextBoolean() ? 0x80 : 0));
    }
    Tensor weight =
        Tensor.view(ElementType.BF16, Shape.of(WIDTH, WIDTH), ByteBuffer.wrap(noise), "noise");
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    AdapterFile adapter = new AdapterFile();
    for (int block = 0; block < BLOCKS; block++) {
      for (String projection : List.of("q", "k", "v")) {
        String module = "transformer_blocks." + block + ".attn.to_" + projection;
        tensors.put(module + ".weight", weight);
        adapter.pair(module, 4, WIDTH, WIDTH);
      }
    }
    SafetensorsWriter.write(
        model.resolve("transformer/diffusion_pytorch_model.safetensors"), Map.of(), tensors);
    return adapter.write(folder.resolve("large-adapter.safetensors"));
  }

  private static List<Path> filesUnder(Path folder, String ending) throws IOException {
    if (!Files.exists(folder)) {
      return List.of();
    }
    try (Stream<Path> files = Files.walk(folder)) {
      return files.filter(f -> f.toString().endsWith(ending)).sorted().toList();
    }
  }

  @Test
  void twoProcessesAtOnceMergeOnce() throws Exception {
    Path model = folder.resolve("model");
    AdapterSpec adapter = largeModel(model);
    Path cache = folder.resolve("shared");
    List<Process> children = new ArrayList<>();
    for (int i = 0; i < 2; i++) {
      children.add(start("cache", model, adapter, cache));
    }
    List<String> results = new ArrayList<>();
    for (Process child : children) {
      List<String> lines = lines(child);
      assertThat(lines).hasSize(2);
      results.add(lines.get(1));
    }
    assertThat(results).containsExactlyInAnyOrder("merged", "found");
    assertThat(MergeProcess.cached(model, adapter, cache)).isFalse();
    assertThat(filesUnder(cache, ".safetensors")).hasSize(1);
    assertThat(filesUnder(cache, ".partial")).isEmpty();
  }

  @Test
  void aKilledMergeLeavesNothingThatIsTakenForWhole() throws Exception {
    Path model = folder.resolve("model");
    AdapterSpec adapter = largeModel(model);
    Path reference = folder.resolve("reference");
    long start = System.nanoTime();
    assertThat(lines(start("cache", model, adapter, reference))).contains("merged");
    long millis = (System.nanoTime() - start) / 1_000_000;
    String whole = contentOf(filesUnder(reference, ".safetensors").get(0));

    long seed = System.nanoTime();
    Random random = new Random(seed);
    System.out.println("a merge takes " + millis + " ms; kills by seed " + seed);
    Path cache = folder.resolve("killed-cache");
    Path output = folder.resolve("killed-output");
    int killed = 0;
    int partial = 0;
    // One that is not at its end for certain; where the others are is a matter of chance.
    Process stopped =
        MergeProcess.start(
            "cache", model.toString(), adapter.path().toString(), cache.toString(), "stop");
    try {
      BufferedReader lines = stopped.inputReader(StandardCharsets.UTF_8);
      assertThat(lines.readLine()).isEqualTo("begins");
      assertThat(lines.readLine()).isEqualTo("written");
    } finally {
      stopped.destroyForcibly().waitFor();
    }
    assertThat(filesUnder(cache, ".partial")).hasSize(1);
    assertThat(filesUnder(cache, ".safetensors")).isEmpty();
    for (int i = 0; i < 9; i++) {
      boolean toCache = i % 3 != 2;
      Process child =
          toCache
              ? start("cache", model, adapter, cache)
              : start("checkpoint", model, adapter, output);
      BufferedReader lines = child.inputReader(StandardCharsets.UTF_8);
      assertThat(lines.readLine()).isEqualTo("begins");
      // The JVM's own start is over by now: what is left of the time is the merge.
      if (!child.waitFor(random.nextLong(Math.max(2, millis)), TimeUnit.MILLISECONDS)) {
        child.destroyForcibly().waitFor();
        killed++;
      }
      partial += filesUnder(folder, ".partial").isEmpty() ? 0 : 1;
      for (Path file : filesUnder(cache, ".safetensors")) {
        assertThat(contentOf(file)).as("round %d, seed %d", i, seed).isEqualTo(whole);
        Files.delete(file);
      }
      if (Files.exists(output)) {
        assertThat(contentOf(output.resolve("transformer/diffusion_pytorch_model.safetensors")))
            .as("round %d, seed %d", i, seed)
            .isEqualTo(whole);
        delete(output);
      }
    }
    System.out.println(killed + " of 9 were killed, " + partial + " left partial files");
    // The next start merges, whatever the killed ones left, and tidies up after them.
    MergeProcess.cached(model, adapter, cache);
    assertThat(filesUnder(cache, ".partial")).isEmpty();
    assertThat(contentOf(filesUnder(cache, ".safetensors").get(0))).isEqualTo(whole);
  }

  private static void delete(Path folder) throws IOException {
    List<Path> entries;
    try (Stream<Path> files = Files.walk(folder)) {
      entries = files.sorted(Comparator.reverseOrder()).toList();
    }
    for (Path entry : entries) {
      Files.delete(entry);
    }
  }

  /** Digests the model's tensors of a file: those of the cache hold checksums beside them. */
  private String contentOf(Path path) throws IOException {
    Path copy = folder.resolve("copy-of-weights.bin");
    try (SafetensorsFile file = SafetensorsFile.open(path)) {
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      for (String name : file.tensors().keySet()) {
        if (!name.startsWith("urae.")) {
          tensors.put(name, file.tensor(name));
        }
      }
      SafetensorsWriter.write(copy, Map.of(), tensors);
    }
    return Sha256.nameOfContent(copy);
  }

  /** Parsing looks at the mapped file; beside that it is read once, for its digest. */
  @Test
  @EnabledOnOs(OS.LINUX)
  void anAdapterIsReadOnce() throws IOException {
    AdapterFile file = new AdapterFile();
    for (int i = 0; i < 2; i++) {
      file.noise("transformer_blocks." + i + ".attn.to_q.lora_A.weight", 20_000, 128)
          .noise("transformer_blocks." + i + ".attn.to_q.lora_B.weight", 128, 20_000);
    }
    file.pair("lora_te1_text_model_encoder_layers_1_mlp_fc1", 4, 64, 256);
    AdapterSpec large = file.write(folder.resolve("large.safetensors"));
    long size = Files.size(large.path());
    try (TinyFlux model = new TinyFlux()) {
      long before = bytesRead();
      AdapterChain chain = model.chain(large);
      for (Component network : chain.changedNetworks()) {
        assertThat(chain.recipeOf(network)).hasSize(1);
        open(model, chain, network, ElementType.F32).close();
      }
      assertThat(bytesRead() - before).isBetween(size, size + size / 2);
    }
  }

  /** What this process has read by system calls; pages of mapped files do not count. */
  private static long bytesRead() throws IOException {
    String line = Files.readAllLines(Path.of("/proc/self/io")).get(0);
    return Long.parseLong(line.substring("rchar: ".length()));
  }

  private static Process start(String what, Path model, AdapterSpec adapter, Path result)
      throws IOException {
    return MergeProcess.start(what, model.toString(), adapter.path().toString(), result.toString());
  }

  /** Waits for a process to end well; returns what it printed. */
  private static List<String> lines(Process child) throws IOException, InterruptedException {
    try (BufferedReader reader = child.inputReader(StandardCharsets.UTF_8)) {
      List<String> lines = reader.lines().toList();
      assertThat(child.waitFor()).isZero();
      return lines;
    }
  }
}
