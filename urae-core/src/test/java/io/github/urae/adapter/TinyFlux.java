package io.github.urae.adapter;

import io.github.urae.adapter.internal.match.AdapterChain;
import io.github.urae.adapter.internal.merge.CheckpointWeights;
import io.github.urae.adapter.internal.merge.WeightMerger;
import io.github.urae.flux.model.Component;
import io.github.urae.internal.OwnedResources;
import io.github.urae.testkit.TestData;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * The small checkpoint and its adapters. They lie in urae-demo-model, which depends on this module:
 * hence by path.
 */
public final class TinyFlux implements AutoCloseable {

  private static final Path DEMO =
      Path.of("../urae-demo-model/src/main/resources/io/github/urae/demo");

  public static final Path CHECKPOINT = DEMO.resolve("flux-tiny");

  /** Where OpenBLAS is unpacked, once for all tests. */
  public static final Path CACHE = Path.of("target/test-cache");

  public final Map<Component, TensorSource> weights;
  private final OwnedResources opened = new OwnedResources();

  public TinyFlux() throws IOException {
    weights = CheckpointWeights.open(CHECKPOINT, opened);
  }

  /** Returns an adapter by its name without ending. */
  public static Path adapter(String name) {
    return name.matches("urae_[24]k_adapter")
        ? DEMO.resolve("adapters/" + name + ".safetensors")
        : TestData.path("adapters/" + name + ".safetensors");
  }

  public static AdapterSpec spec(String name) {
    return new AdapterSpec(adapter(name), 1);
  }

  /** Opens a chain, which is closed with this. */
  public AdapterChain chain(AdapterSpec... specs) throws IOException {
    return chain(AdapterOptions.STRICT, specs);
  }

  public AdapterChain chain(AdapterOptions options, AdapterSpec... specs) throws IOException {
    return opened.add(AdapterChain.open(List.of(specs), weights, options));
  }

  public TensorSource transformer() {
    return weights.get(Component.TRANSFORMER);
  }

  public WeightMerger merger(AdapterChain chain, Component network) {
    return new WeightMerger(chain, network, weights.get(network), CACHE);
  }

  @Override
  public void close() throws IOException {
    opened.close();
  }
}
