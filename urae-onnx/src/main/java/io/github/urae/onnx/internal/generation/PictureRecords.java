package io.github.urae.onnx.internal.generation;

import io.github.urae.flux.GenerationRecord;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.Seeds;
import io.github.urae.flux.TextPrompts;
import io.github.urae.flux.model.Component;
import io.github.urae.onnx.internal.image.VaeMemory;
import io.github.urae.onnx.internal.model.Networks;
import java.util.List;
import java.util.stream.Stream;

/** What each picture of a generation records of how it was made. */
final class PictureRecords {

  private final Networks networks;
  private final SettledRequest settled;
  private final GenerationRequest complete;

  /**
   * Adds to the request everything that the checkpoint and this generation added.
   *
   * @param seeds that the noise was drawn from
   */
  PictureRecords(Networks networks, SettledRequest settled, Seeds seeds) {
    this.networks = networks;
    this.settled = settled;
    GenerationRequest.Builder complete =
        settled.request().toBuilder()
            .size(settled.grid().width(), settled.grid().height())
            .steps(settled.full().whole().steps())
            .guidance(settled.guidance())
            .seeds(seeds)
            .profile(settled.full().profile().settings())
            .sampling(networks.checkpoint().scheduler().settled(settled.request().sampling()))
            .vaeTiling(settled.work().tiling());
    if (settled.request().prompts() instanceof TextPrompts) {
      complete.maxSequenceLength(settled.textTokens());
    }
    this.complete = complete.build();
  }

  GenerationRecord of(int image) {
    return new GenerationRecord(
        complete.image(image),
        networks.checkpoint().name(),
        networks.adapters().stream()
            .map(adapter -> GenerationRecord.AdapterUse.of(adapter.path(), adapter.scale()))
            .toList(),
        networks.device().toString(),
        networks.elementType(Component.TRANSFORMER).toString(),
        Stream.concat(settled.draft().stream(), Stream.of(settled.full()))
            .map(PictureRecords::ran)
            .toList(),
        VaeMemory.decodesInTiles(
            networks.checkpoint().vae(),
            settled.grid().latentHeight(),
            settled.grid().latentWidth(),
            settled.work().tiling()),
        List.of());
  }

  private static GenerationRecord.Pass ran(Pass pass) {
    return new GenerationRecord.Pass(
        pass.grid().width(), pass.grid().height(), pass.schedule().steps());
  }
}
