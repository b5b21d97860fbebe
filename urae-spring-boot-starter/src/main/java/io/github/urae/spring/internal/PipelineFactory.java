package io.github.urae.spring.internal;

import io.github.urae.ModelException;
import io.github.urae.adapter.AdapterSpec;
import io.github.urae.demo.DemoModel;
import io.github.urae.internal.CacheFolder;
import io.github.urae.pipeline.FluxPipeline;
import io.github.urae.spring.UraeProperties;
import java.io.IOException;
import java.nio.file.Path;
import java.util.function.Consumer;
import org.springframework.util.ClassUtils;

/** From properties to a pipeline. */
public final class PipelineFactory {

  private static final String DEMO = "demo:";

  private final UraeProperties properties;
  private final FluxPipeline.Builder builder = FluxPipeline.builder();

  private PipelineFactory(UraeProperties properties) {
    this.properties = properties;
  }

  /**
   * Begins a pipeline.
   *
   * @param properties which name a model
   * @return a builder with everything set that they say
   * @throws IOException if the model is not there
   */
  public static FluxPipeline.Builder builder(UraeProperties properties) throws IOException {
    PipelineFactory factory = new PipelineFactory(properties);
    factory.setModel();
    factory.setExecution();
    return factory.builder;
  }

  private void setModel() throws IOException {
    if (properties.model().startsWith(DEMO)) {
      builder.model(bundled(properties.model()));
    } else {
      builder.model(properties.model());
    }
    with(properties.transformer(), builder::transformer);
    with(properties.textEncoder(), builder::textEncoder);
    with(properties.textEncoder2(), builder::textEncoder2);
    with(properties.vae(), builder::vae);
    with(properties.tokenizers(), builder::tokenizers);
    for (String adapter : properties.adapters()) {
      AdapterSpec spec = AdapterSpec.parse(adapter);
      String name = spec.path().toString();
      if (name.startsWith(DEMO)) {
        builder.adapter(bundled(name), spec.scale());
      } else {
        builder.adapter(name, spec.scale());
      }
    }
    builder.ignoreUnmatched(properties.ignoreUnmatchedKeys());
  }

  private void setExecution() {
    builder
        .device(properties.device())
        .precision(properties.precision())
        .offload(properties.offload())
        .maxConcurrent(properties.maxConcurrent())
        .prepacking(properties.prepacking())
        .verifyCache(properties.verifyCache());
    with(properties.memoryLimit(), limit -> builder.memoryLimit(limit.toBytes()));
    with(properties.threads(), builder::threads);
    with(properties.cacheFolder(), builder::cacheFolder);
    with(properties.cacheLimit(), limit -> builder.cacheLimit(limit.toBytes()));
  }

  private static <T> void with(T value, Consumer<T> setting) {
    if (value != null) {
      setting.accept(value);
    }
  }

  private Path bundled(String name) throws IOException {
    if (!ClassUtils.isPresent("io.github.urae.demo.DemoModel", null)) {
      throw new ModelException(
          name + ": is in io.github.urae:urae-demo-model; add that to the application");
    }
    DemoModel model =
        DemoModel.unpackInto(
            properties.cacheFolder() == null ? CacheFolder.byDefault() : properties.cacheFolder());
    return switch (name.substring(DEMO.length())) {
      case "model" -> model.checkpoint();
      case "2k" -> model.adapter2k();
      case "4k" -> model.adapter4k();
      default ->
          throw new ModelException(
              name + ": expected demo:model, or demo:2k or demo:4k among the adapters");
    };
  }
}
