package io.github.urae.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.urae.ProgressListener;
import io.github.urae.Stage;
import io.github.urae.adapter.AdapterSpec;
import io.github.urae.device.Device;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.RunOptions;
import io.github.urae.flux.VaeTiling;
import io.github.urae.image.RgbImage;
import io.github.urae.testkit.TestData;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whoever only encodes waits for no transformer, and has no copy of it. */
class LoadWhenNeededTest {

  private static final GenerationRequest REQUEST =
      GenerationRequest.builder("a red circle").size(64, 64).steps(1).seed(1).build();

  private final Set<String> loaded = new TreeSet<>();

  private final ProgressListener listener =
      progress -> {
        if (progress.stage() == Stage.CONVERTING || progress.stage() == Stage.LOADING) {
          progress.component().ifPresent(loaded::add);
        }
      };

  private FluxPipeline.Builder builder(Path cache, boolean whenNeeded) {
    return FluxPipeline.builder()
        .model(TestData.checkpoint())
        .cacheFolder(cache)
        .device(Device.cpu())
        .loadWhenNeeded(whenNeeded)
        .listener(listener);
  }

  @Test
  void networksAreConvertedAndLoadedByTheCallThatNeedsThem(@TempDir Path cache) throws IOException {
    RunOptions told = RunOptions.builder().listener(listener).build();
    try (FluxPipeline pipeline = builder(cache, true).build()) {
      assertThat(loaded).isEmpty();
      pipeline.encode(List.of("a red circle"), 12, told);
      pipeline.encode(RgbImage.of(32, 32, new int[1024]), VaeTiling.OFF, told);
      assertThat(loaded).containsExactly("text_encoder", "text_encoder_2", "vae_encoder");
      RgbImage drawn = pipeline.generate(REQUEST).get(0).toRgbImage();
      try (FluxPipeline atOnce = builder(cache, false).build()) {
        assertThat(loaded).contains("transformer", "vae_decoder");
        assertThat(drawn).isEqualTo(atOnce.generate(REQUEST).get(0).toRgbImage());
        assertThat(pipeline.plan(REQUEST)).isEqualTo(atOnce.plan(REQUEST));
      }
    }
  }

  @Test
  void aPlanCountsWhatIsLoadedLater(@TempDir Path cache) throws IOException {
    try (FluxPipeline atOnce = builder(cache, false).prepacking(true).build();
        FluxPipeline later = builder(cache, true).prepacking(true).build()) {
      assertThat(later.plan(REQUEST).peakBytes()).isEqualTo(atOnce.plan(REQUEST).peakBytes());
    }
  }

  @Test
  void whatAdaptersChangeIsMadeAtOnce(@TempDir Path cache) throws IOException {
    try (FluxPipeline pipeline = builder(cache, true).build()) {
      pipeline.setAdapters(List.of(new AdapterSpec(TestData.adapter2k(), 1)));
      RgbImage changed = pipeline.generate(REQUEST).get(0).toRgbImage();
      pipeline.setAdapters(List.of());
      assertThat(pipeline.generate(REQUEST).get(0).toRgbImage()).isNotEqualTo(changed);
    }
  }
}
