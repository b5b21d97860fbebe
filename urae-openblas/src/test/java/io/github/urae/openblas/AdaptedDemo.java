package io.github.urae.openblas;

import io.github.urae.adapter.AdapterSpec;
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
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** The demo checkpoint's transformer and what adapters make of it. */
final class AdaptedDemo implements AutoCloseable {

  static final Path CHECKPOINT = TestData.checkpoint();

  static final AdapterSpec LORA = new AdapterSpec(TestData.adapter2k(), 1);

  static final AdapterSpec MINOR = new AdapterSpec(TestData.adapter4k(), 1);

  /** Both of these in one LoRA, as the reference computed it. */
  static final AdapterSpec CONVERSION =
      new AdapterSpec(TestData.path("adapters/urae_4k_adapter_lora_conversion.safetensors"), 1);

  private final OwnedResources opened = new OwnedResources();
  private final Map<Component, TensorSource> weights;

  AdaptedDemo() throws IOException {
    this(CHECKPOINT);
  }

  AdaptedDemo(Path checkpoint) throws IOException {
    weights = CheckpointWeights.open(ModelLocation.of(checkpoint), opened).byNetwork();
  }

  /** Opens a chain, which is closed with this. */
  AdapterChain chain(AdapterSpec... specs) throws IOException {
    return chain(AdapterOptions.STRICT, specs);
  }

  AdapterChain chain(AdapterOptions options, AdapterSpec... specs) throws IOException {
    return opened.add(AdapterChain.open(List.of(specs), Flux1.FAMILY, weights, options));
  }

  float[] merge(AdapterChain chain, String weight) throws IOException {
    TensorSource transformer = weights.get(Component.TRANSFORMER);
    return new WeightMerger(chain, Component.TRANSFORMER, transformer).mergeToFloats(weight);
  }

  @Override
  public void close() throws IOException {
    opened.close();
  }
}
