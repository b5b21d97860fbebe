package io.github.urae.adapter;

import io.github.urae.adapter.internal.match.AdapterChain;
import io.github.urae.adapter.internal.match.AdapterOptions;
import io.github.urae.adapter.internal.merge.CheckpointWeights;
import io.github.urae.adapter.internal.merge.WeightMerger;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.Flux1;
import io.github.urae.flux.model.internal.ModelLocation;
import io.github.urae.internal.OwnedResources;
import io.github.urae.testkit.TestData;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** The small checkpoint and its adapters. */
public final class TinyFlux implements AutoCloseable {

  public static final Path CHECKPOINT = TestData.checkpoint();

  /** Where native code would be unpacked. */
  public static final Path CACHE = TestData.CACHE;

  public final Map<Component, TensorSource> weights;
  private final OwnedResources opened = new OwnedResources();

  public TinyFlux() throws IOException {
    weights = CheckpointWeights.open(ModelLocation.of(CHECKPOINT), opened).byNetwork();
  }

  /**
   * Copies everything but the transformer's weights, as a model without guidance embedding: any
   * weights pass for such a transformer's.
   */
  public static Path copyWithoutTransformer(Path target) throws IOException {
    List<Path> files;
    try (Stream<Path> walked = Files.walk(CHECKPOINT)) {
      files = walked.filter(Files::isRegularFile).toList();
    }
    for (Path file : files) {
      String name = CHECKPOINT.relativize(file).toString();
      if (!name.matches("transformer.*safetensors.*")) {
        Path copy = target.resolve(name);
        Files.createDirectories(copy.getParent());
        Files.copy(file, copy);
      }
    }
    Path config = target.resolve("transformer/config.json");
    Files.writeString(
        config, Files.readString(config).replaceFirst("(\"guidance_embeds\": *)true", "$1false"));
    return target;
  }

  /** Returns an adapter by its name without ending. */
  public static Path adapter(String name) {
    return switch (name) {
      case "urae_2k_adapter" -> TestData.adapter2k();
      case "urae_4k_adapter" -> TestData.adapter4k();
      default -> TestData.path("adapters/" + name + ".safetensors");
    };
  }

  public static AdapterSpec spec(String name) {
    return new AdapterSpec(adapter(name), 1);
  }

  /** Opens a chain, which is closed with this. */
  public AdapterChain chain(AdapterSpec... specs) throws IOException {
    return chain(AdapterOptions.STRICT, specs);
  }

  public AdapterChain chain(AdapterOptions options, AdapterSpec... specs) throws IOException {
    return opened.add(AdapterChain.open(List.of(specs), Flux1.FAMILY, weights, options));
  }

  public TensorSource transformer() {
    return weights.get(Component.TRANSFORMER);
  }

  public WeightMerger merger(AdapterChain chain, Component network) {
    return new WeightMerger(chain, network, weights.get(network));
  }

  @Override
  public void close() throws IOException {
    opened.close();
  }
}
