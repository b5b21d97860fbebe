package io.github.urae.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.urae.AdapterException;
import io.github.urae.CancellationToken;
import io.github.urae.FileFormatException;
import io.github.urae.GenerationCancelledException;
import io.github.urae.ProgressListener;
import io.github.urae.adapter.AdapterConversion;
import io.github.urae.adapter.AdapterSpec;
import io.github.urae.adapter.CheckpointMerger;
import io.github.urae.adapter.UnmatchedKey;
import io.github.urae.device.Device;
import io.github.urae.flux.DenoisingStep;
import io.github.urae.flux.GeneratedImage;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.RunOptions;
import io.github.urae.flux.model.Component;
import io.github.urae.internal.Lease;
import io.github.urae.onnx.internal.model.Networks;
import io.github.urae.onnx.internal.session.LoadedNetwork;
import io.github.urae.onnx.internal.session.NetworkUse;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Tensor;
import io.github.urae.testkit.TestData;
import io.github.urae.weights.SafetensorsFile;
import io.github.urae.weights.SafetensorsWriter;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Adapters on a living pipeline. */
class AdapterPipelineTest {

  private static final AdapterSpec TRAINED_2K = new AdapterSpec(TestData.adapter2k(), 1);
  private static final AdapterSpec TRAINED_4K = new AdapterSpec(TestData.adapter4k(), 1);

  /** Changes transformer and CLIP. */
  private static final AdapterSpec KOHYA =
      new AdapterSpec(TestData.path("adapters/kohya_text_encoder.safetensors"), 1);

  private static FluxPipeline pipeline;
  private static BufferedImage base;

  @TempDir Path folder;

  @BeforeAll
  static void open() throws IOException {
    pipeline = new CheckpointCopy(TestData.checkpoint()).open();
    base = draw(pipeline);
  }

  @AfterAll
  static void close() throws IOException {
    pipeline.close();
  }

  @BeforeEach
  void removeAdapters() throws IOException {
    pipeline.setAdapters(List.of());
  }

  private static GenerationRequest.Builder small() {
    return GenerationRequest.builder("a red circle on a blue background")
        .size(64, 48)
        .steps(2)
        .seed(5);
  }

  private static BufferedImage draw(FluxPipeline from) {
    return from.generate(small().build()).get(0).toBufferedImage();
  }

  private static int difference(BufferedImage expected, BufferedImage actual) {
    return GoldenCase.largestDifference(expected, actual);
  }

  private static Map<Component, LoadedNetwork> sessions() throws IOException {
    Map<Component, LoadedNetwork> sessions = new EnumMap<>(Component.class);
    try (Lease<Networks> lease = pipeline.lease()) {
      for (Component component : Component.networks()) {
        try (NetworkUse use = lease.get().use(component)) {
          sessions.put(component, use.network());
        }
      }
    }
    return sessions;
  }

  /** Exchanges the adapters and returns the networks whose sessions are new. */
  private static List<Component> reloadedBy(AdapterSpec... adapters) throws IOException {
    Map<Component, LoadedNetwork> before = sessions();
    pipeline.setAdapters(List.of(adapters));
    Map<Component, LoadedNetwork> after = sessions();
    List<Component> reloaded = new ArrayList<>();
    for (Component component : Component.networks()) {
      if (before.get(component) != after.get(component)) {
        reloaded.add(component);
      }
    }
    return reloaded;
  }

  @Test
  void exactlyTheNetworksWhoseWeightsChangeAreLoadedAnew() throws IOException {
    assertThat(reloadedBy()).isEmpty();
    assertThat(reloadedBy(TRAINED_2K)).containsExactly(Component.TRANSFORMER);
    assertThat(reloadedBy(TRAINED_2K)).isEmpty();
    assertThat(reloadedBy(new AdapterSpec(TRAINED_2K.path(), 0.5)))
        .containsExactly(Component.TRANSFORMER);
    Path copy = Files.copy(TRAINED_2K.path(), folder.resolve("same-content.safetensors"));
    assertThat(reloadedBy(new AdapterSpec(copy, 0.5))).isEmpty();
    assertThat(pipeline.adapters()).containsExactly(new AdapterSpec(copy, 0.5));
    assertThat(reloadedBy(TRAINED_2K, textEncoderOnly()))
        .containsExactly(Component.TEXT_ENCODER, Component.TRANSFORMER);
    assertThat(reloadedBy(TRAINED_2K)).containsExactly(Component.TEXT_ENCODER);
    assertThat(reloadedBy()).containsExactly(Component.TRANSFORMER);
  }

  private AdapterSpec textEncoderOnly() throws IOException {
    return rewritten(
        "clip.safetensors", tensors -> tensors.keySet().removeIf(k -> !k.contains("te1")));
  }

  private interface Change {
    void applyTo(Map<String, Tensor> tensors);
  }

  /** Returns kohya's adapter after a change. */
  private AdapterSpec rewritten(String name, Change change) throws IOException {
    Path file = folder.resolve(name);
    try (SafetensorsFile kohya = SafetensorsFile.open(KOHYA.path())) {
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      for (String key : kohya.tensors().keySet()) {
        tensors.put(key, kohya.tensor(key));
      }
      change.applyTo(tensors);
      SafetensorsWriter.write(file, Map.of(), tensors);
    }
    return new AdapterSpec(file, 1);
  }

  @Test
  void adaptersComeAndGoAndTheBaseIsTheSameBitForBit() throws IOException {
    float[] before = pipeline.generate(small().build()).get(0).latents().toFloats();
    pipeline.setAdapters(List.of(TRAINED_2K));
    BufferedImage with2k = draw(pipeline);
    assertThat(difference(base, with2k)).isPositive();
    pipeline.setAdapters(List.of(TRAINED_2K, TRAINED_4K));
    BufferedImage with4k = draw(pipeline);
    assertThat(difference(with2k, with4k)).isPositive();
    pipeline.setAdapters(List.of(KOHYA));
    assertThat(difference(base, draw(pipeline))).isPositive();
    pipeline.setAdapters(List.of());
    assertThat(pipeline.generate(small().build()).get(0).latents().toFloats()).isEqualTo(before);

    try (FluxPipeline built =
        builder().adapter(TRAINED_2K.path()).adapter(TRAINED_4K.path(), 1).build()) {
      assertThat(built.adapters()).containsExactly(TRAINED_2K, TRAINED_4K);
      assertThat(difference(with4k, draw(built))).isZero();
    }
  }

  private static FluxPipeline.Builder builder() {
    return FluxPipeline.builder()
        .model(TestData.checkpoint())
        .device(Device.cpu())
        .cacheFolder(TestData.CACHE);
  }

  @Test
  void anAdapterOfClipChangesTheEmbeddings() throws IOException {
    float[] before = pooled();
    AdapterSpec clip = textEncoderOnly();
    pipeline.setAdapters(List.of(clip));
    float[] full = pooled();
    pipeline.setAdapters(List.of(new AdapterSpec(clip.path(), 0)));
    assertThat(TestData.relativeDifference(before, full)).isGreaterThan(1e-3);
    assertThat(pooled()).isEqualTo(before);
  }

  private static float[] pooled() {
    return pipeline.encode(List.of("a star")).pooled().toFloats();
  }

  @Test
  void refusedAdaptersLeaveEverythingAsItWas() throws IOException {
    pipeline.setAdapters(List.of(TRAINED_2K));
    Map<Component, LoadedNetwork> before = sessions();
    BufferedImage picture = draw(pipeline);

    Path missing = folder.resolve("missing.safetensors");
    assertRefused(NoSuchFileException.class, "missing.safetensors", new AdapterSpec(missing, 1));
    Path damaged = folder.resolve("damaged.safetensors");
    Files.write(damaged, new byte[] {1, 2, 3});
    assertRefused(
        FileFormatException.class, "damaged.safetensors", TRAINED_2K, new AdapterSpec(damaged, 1));
    assertRefused(AdapterException.class, "put that one before this", TRAINED_4K);
    AdapterSpec foreign =
        rewritten(
            "foreign.safetensors",
            tensors ->
                tensors.put(
                    "lora_te1_text_model_nothing.lora_down.weight",
                    Tensor.ofFloats(new float[64], 1, 64)));
    assertRefused(AdapterException.class, "lora_te1_text_model_nothing", TRAINED_2K, foreign);
    CancellationToken cancelled = new CancellationToken();
    cancelled.cancel();
    assertThatThrownBy(
            () -> pipeline.setAdapters(List.of(neverMerged()), ProgressListener.NONE, cancelled))
        .isInstanceOf(GenerationCancelledException.class);

    assertThat(sessions()).isEqualTo(before);
    assertThat(pipeline.adapters()).containsExactly(TRAINED_2K);
    assertThat(difference(picture, draw(pipeline))).isZero();
  }

  /** Returns an adapter whose merged weights are in no cache. */
  private static AdapterSpec neverMerged() {
    double scale = new Random().nextDouble();
    System.out.println("scale of an adapter that was never merged: " + scale);
    return new AdapterSpec(TRAINED_2K.path(), scale);
  }

  private static void assertRefused(
      Class<? extends Exception> type, String message, AdapterSpec... adapters) {
    assertThatThrownBy(() -> pipeline.setAdapters(List.of(adapters)))
        .isInstanceOf(type)
        .hasMessageContaining(message);
  }

  @Test
  void keysThatChangeNothingAreRefusedOrListed() throws IOException {
    AdapterSpec more =
        rewritten(
            "more.safetensors",
            tensors -> {
              tensors.put(
                  "lora_unet_double_blocks_7_img_attn_proj.lora_down.weight",
                  Tensor.ofFloats(new float[128], 1, 128));
              tensors.put(
                  "lora_unet_double_blocks_7_img_attn_proj.lora_up.weight",
                  Tensor.ofFloats(new float[128], 128, 1));
            });
    String key = "lora_unet_double_blocks_7_img_attn_proj.lora_down.weight";
    assertRefused(AdapterException.class, key, more);
    assertThat(pipeline.unmatchedAdapterKeys()).isEmpty();
    try (FluxPipeline lenient = builder().adapter(more.path()).ignoreUnmatched(true).build()) {
      assertThat(lenient.unmatchedAdapterKeys())
          .extracting(UnmatchedKey::key)
          .containsExactlyInAnyOrder(key, key.replace("down", "up"));
      pipeline.setAdapters(List.of(KOHYA));
      assertThat(difference(draw(pipeline), draw(lenient))).isZero();
    }
  }

  @Test
  void bareMinorComponentsNeedPermission() throws IOException {
    assertThatThrownBy(() -> builder().adapter(TRAINED_4K.path()).build())
        .isInstanceOf(AdapterException.class)
        .hasMessageContaining("allowBareMinorComponents");
    try (FluxPipeline bare =
        builder().adapter(TRAINED_4K.path()).allowBareMinorComponents(true).build()) {
      assertThat(difference(base, draw(bare))).isPositive();
    }
  }

  @Test
  void aGenerationInFlightFinishesOnItsAdapters() throws IOException {
    pipeline.setAdapters(List.of(TRAINED_2K));
    BufferedImage alone = draw(pipeline);
    List<List<AdapterSpec>> changed = new ArrayList<>();
    Consumer<DenoisingStep> changing =
        step -> {
          try {
            pipeline.setAdapters(step.step() == 1 ? List.of() : List.of(KOHYA));
            changed.add(pipeline.adapters());
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
        };
    GeneratedImage during =
        pipeline.generate(small().build(), RunOptions.builder().onStep(changing).build()).get(0);
    assertThat(changed).containsExactly(List.of(), List.of(KOHYA));
    assertThat(difference(alone, during.toBufferedImage())).isZero();
    assertThat(during.record().adapters()).hasToString("[urae_2k_adapter.safetensors=1.0]");
    assertThat(pipeline.adapters()).containsExactly(KOHYA);
  }

  @Test
  void threadsGenerateWhileAdaptersChange() throws Exception {
    pipeline.setAdapters(List.of(TRAINED_2K));
    Map<String, BufferedImage> expected =
        Map.of("[]", base, "[urae_2k_adapter.safetensors=1.0]", draw(pipeline));
    ExecutorService threads = Executors.newFixedThreadPool(3);
    try {
      List<Future<?>> drawing = new ArrayList<>();
      for (int thread = 0; thread < 3; thread++) {
        drawing.add(
            threads.submit(
                () -> {
                  for (int i = 0; i < 12; i++) {
                    GeneratedImage image = pipeline.generate(small().build()).get(0);
                    String adapters = image.record().adapters().toString();
                    assertThat(difference(expected.get(adapters), image.toBufferedImage()))
                        .as(adapters)
                        .isZero();
                  }
                }));
      }
      boolean on = false;
      while (drawing.stream().anyMatch(f -> !f.isDone())) {
        pipeline.setAdapters(on ? List.of(TRAINED_2K) : List.of());
        on = !on;
      }
      for (Future<?> thread : drawing) {
        thread.get();
      }
    } finally {
      threads.shutdownNow();
    }
  }

  @Test
  void closedPipelinesTakeNoAdapters() throws IOException {
    FluxPipeline closed = builder().build();
    closed.close();
    assertThatThrownBy(() -> closed.setAdapters(List.of()))
        .isInstanceOf(IllegalStateException.class);
    FluxPipeline closing = builder().build();
    ProgressListener closeMeanwhile =
        progress -> {
          try {
            closing.close();
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
        };
    assertThatThrownBy(
            () ->
                closing.setAdapters(
                    List.of(neverMerged()), closeMeanwhile, new CancellationToken()))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("closed");
  }

  @Test
  void theSecondStartFindsMergedWeights() throws IOException {
    List<String> tasks = new ArrayList<>();
    ProgressListener listener =
        progress -> {
          tasks.add(progress.stage() + " " + progress.component().orElseThrow());
        };
    for (int start = 0; start < 2; start++) {
      builder()
          .cacheFolder(folder.resolve("cache"))
          .adapter(TRAINED_2K.path())
          .listener(listener)
          .build()
          .close();
      assertThat(tasks.contains("MERGING transformer")).isEqualTo(start == 0);
      tasks.clear();
    }
  }

  @Test
  void chainAndMergedCheckpointAndOwnConversionDrawTheSame() throws IOException {
    GoldenCase golden = GoldenCase.named("ultra-512");
    Path model = TestData.checkpoint();
    List<AdapterSpec> chain = golden.adapters();
    Path merged = folder.resolve("merged");
    CheckpointMerger.builder()
        .model(model)
        .adapters(chain)
        .elementType(ElementType.F32)
        .output(merged)
        .cacheFolder(TestData.CACHE)
        .write();
    Path converted = folder.resolve("converted.safetensors");
    AdapterConversion.builder()
        .model(model)
        .adapters(chain)
        .output(converted)
        .cacheFolder(TestData.CACHE)
        .writeLowRank();

    GenerationRequest request = golden.request().build();
    pipeline.setAdapters(chain);
    BufferedImage byChain = pipeline.generate(request).get(0).toBufferedImage();
    pipeline.setAdapters(List.of(new AdapterSpec(converted, 1)));
    BufferedImage byConversion = pipeline.generate(request).get(0).toBufferedImage();
    BufferedImage byCheckpoint;
    try (FluxPipeline other = new CheckpointCopy(merged).open()) {
      byCheckpoint = other.generate(request).get(0).toBufferedImage();
    }
    System.out.printf(
        "512x512: conversion %d, merged checkpoint %d of 255 from the chain%n",
        difference(byChain, byConversion), difference(byChain, byCheckpoint));
    assertThat(difference(byChain, byConversion)).isLessThanOrEqualTo(2);
    assertThat(difference(byChain, byCheckpoint)).isLessThanOrEqualTo(2);
    assertThat(difference(golden.pictures().get(0), byConversion)).isLessThanOrEqualTo(2);
  }
}
