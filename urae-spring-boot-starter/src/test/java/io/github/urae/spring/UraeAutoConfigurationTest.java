package io.github.urae.spring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.urae.GenerationCancelledException;
import io.github.urae.InferenceException;
import io.github.urae.InvalidRequestException;
import io.github.urae.device.Device;
import io.github.urae.device.Offload;
import io.github.urae.device.Precision;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.ImagePipeline;
import io.github.urae.flux.RunOptions;
import io.github.urae.pipeline.FluxPipeline;
import io.github.urae.spring.ai.UraeImageProperties;
import io.github.urae.testkit.TestData;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.io.IOException;
import java.lang.reflect.Parameter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.context.properties.bind.DataObjectPropertyName;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.boot.health.contributor.Health;
import org.springframework.boot.health.contributor.HealthIndicator;
import org.springframework.boot.health.contributor.Status;
import org.springframework.boot.test.context.assertj.AssertableApplicationContext;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

class UraeAutoConfigurationTest {

  private static final GenerationRequest.Builder SMALL =
      GenerationRequest.builder("a red circle").size(64, 64).steps(2).seed(1);

  private static ApplicationContextRunner bare() {
    return new ApplicationContextRunner()
        .withConfiguration(
            AutoConfigurations.of(
                UraeAutoConfiguration.class,
                UraeHealthAutoConfiguration.class,
                UraeMetricsAutoConfiguration.class))
        .withPropertyValues("urae.cache-folder=" + TestData.CACHE);
  }

  private static ApplicationContextRunner runner() {
    return bare().withPropertyValues("urae.model=" + TestData.checkpoint());
  }

  @Test
  void thereIsNoPipelineWithoutAModel() {
    bare()
        .run(
            context ->
                assertThat(context)
                    .hasNotFailed()
                    .doesNotHaveBean(ImagePipeline.class)
                    .doesNotHaveBean(HealthIndicator.class));
  }

  @Test
  void thePipelineIsAsThePropertiesSay() {
    runner()
        .withPropertyValues(
            "urae.adapters[0]=" + TestData.adapter2k() + "=0.5",
            "urae.device=cpu",
            "urae.precision=float32",
            "urae.offload=one-at-a-time",
            "urae.threads=1",
            "urae.memory-limit=96MB",
            "urae.shutdown-grace=3s")
        .run(
            context -> {
              FluxPipeline pipeline = context.getBean(FluxPipeline.class);
              assertThat(pipeline.adapters()).hasToString("[" + TestData.adapter2k() + "=0.5]");
              UraeProperties properties = context.getBean(UraeProperties.class);
              assertThat(properties.device()).isEqualTo(Device.cpu());
              assertThat(properties.precision()).isEqualTo(Precision.FLOAT32);
              assertThat(properties.offload()).isEqualTo(Offload.ONE_AT_A_TIME);
              assertThat(properties.maxConcurrent()).isEqualTo(1);
              ImagePipeline drawing = context.getBean(ImagePipeline.class);
              assertThat(drawing).isNotSameAs(pipeline);
              assertThat(drawing.generate(SMALL.build()).get(0).toRgbImage())
                  .isEqualTo(pipeline.generate(SMALL.build()).get(0).toRgbImage());
              GenerationRequest large = SMALL.build().toBuilder().size(1024, 1024).build();
              assertThatThrownBy(() -> drawing.generate(large))
                  .isInstanceOf(InvalidRequestException.class)
                  .hasMessageContaining("memory limit");
            });
  }

  @Test
  void theBundledModelIsAName() {
    bare()
        .withPropertyValues("urae.model=demo:model", "urae.adapters=demo:2k=0.5")
        .run(
            context -> {
              assertThat(context.getBean(ImagePipeline.class).model().nativeSize()).isEqualTo(128);
              assertThat(context.getBean(FluxPipeline.class).adapters()).hasSize(1);
            });
    bare()
        .withPropertyValues("urae.model=demo:other")
        .run(context -> assertFailure(context, "demo:other", "expected demo:model"));
  }

  @Test
  void aWrongPropertyIsNamed() {
    runner()
        .withPropertyValues("urae.device=tpu")
        .run(context -> assertFailure(context, "urae.device", "expected cpu, cuda"));
    bare()
        .withPropertyValues("urae.model=/missing")
        .run(context -> assertFailure(context, "/missing"));
  }

  private static void assertFailure(AssertableApplicationContext context, String... parts) {
    StringBuilder messages = new StringBuilder();
    for (Throwable e = context.getStartupFailure(); e != null; e = e.getCause()) {
      messages.append(e.getMessage()).append('\n');
    }
    assertThat(messages.toString()).contains(parts);
  }

  @Test
  void customizersHaveTheLastWord() {
    runner()
        .withBean(PipelineCustomizer.class, () -> builder -> builder.memoryLimit(1))
        .run(
            context ->
                assertThatThrownBy(
                        () -> context.getBean(ImagePipeline.class).generate(SMALL.build()))
                    .isInstanceOf(InvalidRequestException.class));
  }

  @Configuration(proxyBeanMethods = false)
  static class Own {
    @Bean
    FluxPipeline mine() throws Exception {
      return FluxPipeline.builder()
          .model(TestData.checkpoint())
          .cacheFolder(TestData.CACHE)
          .build();
    }
  }

  @Test
  void anApplicationsOwnPipelineIsTheOnly() {
    runner()
        .withUserConfiguration(Own.class)
        .run(
            context ->
                assertThat(context)
                    .hasSingleBean(ImagePipeline.class)
                    .hasBean("mine")
                    .doesNotHaveBean(HealthIndicator.class));
  }

  @Test
  void healthTellsOfThePipeline() {
    runner()
        .run(
            context -> {
              HealthIndicator health = context.getBean(HealthIndicator.class);
              Health well = health.health();
              assertThat(well.getStatus()).isEqualTo(Status.UP);
              assertThat(well.getDetails())
                  .containsEntry("running", 0)
                  .containsEntry("waiting", 0)
                  .containsKey("model");
              ImagePipeline pipeline = context.getBean(ImagePipeline.class);
              RunOptions failing =
                  RunOptions.builder()
                      .onStep(
                          step -> {
                            throw new InferenceException("the GPU is gone", new IOException());
                          })
                      .build();
              for (int i = 0; i < 3; i++) {
                assertThat(health.health().getStatus()).isEqualTo(Status.UP);
                assertThatThrownBy(() -> pipeline.generate(SMALL.build(), failing))
                    .isInstanceOf(InferenceException.class);
              }
              assertThat(health.health().getStatus()).isEqualTo(Status.DOWN);
              assertThat(health.health().getDetails())
                  .containsEntry("lastFailure", "the GPU is gone");
              pipeline.generate(SMALL.build());
              assertThat(health.health().getStatus()).isEqualTo(Status.UP);
              GenerationRequest wild = SMALL.build().toBuilder().guidance(1e38).build();
              for (int i = 0; i < 3; i++) {
                assertThatThrownBy(() -> pipeline.generate(wild))
                    .isInstanceOf(InferenceException.class);
              }
              assertThat(health.health().getStatus()).isEqualTo(Status.UP);
            });
    runner()
        .withPropertyValues("management.health.urae.enabled=false")
        .run(context -> assertThat(context).doesNotHaveBean(HealthIndicator.class));
  }

  @Test
  void generationsAreMeasured() {
    runner()
        .withBean(MeterRegistry.class, SimpleMeterRegistry::new)
        .run(
            context -> {
              MeterRegistry registry = context.getBean(MeterRegistry.class);
              ImagePipeline pipeline = context.getBean(ImagePipeline.class);
              double[] during = new double[2];
              RunOptions looking =
                  RunOptions.builder()
                      .onStep(
                          step -> {
                            during[0] = registry.get("urae.generations.running").gauge().value();
                            during[1] = registry.get("urae.memory.largest").gauge().value();
                          })
                      .build();
              pipeline.generate(SMALL.build(), looking);
              assertThat(during[0]).isEqualTo(1);
              assertThat(during[1]).isEqualTo((double) pipeline.plan(SMALL.build()).peakBytes());
              assertThatThrownBy(
                      () -> pipeline.generate(SMALL.build().toBuilder().width(65).build()))
                  .isInstanceOf(InvalidRequestException.class);
              RunOptions cancelling =
                  RunOptions.builder()
                      .onStep(
                          step -> {
                            throw new GenerationCancelledException("enough");
                          })
                      .build();
              assertThatThrownBy(() -> pipeline.generate(SMALL.build(), cancelling))
                  .isInstanceOf(GenerationCancelledException.class);
              for (String outcome : new String[] {"drawn", "refused", "cancelled"}) {
                assertThat(registry.get("urae.generation").tag("outcome", outcome).timer().count())
                    .as(outcome)
                    .isEqualTo(1);
              }
              assertThat(registry.get("urae.generation").tag("outcome", "failed").timer().count())
                  .isZero();
              assertThat(registry.get("urae.step").timer().count()).isBetween(2L, 3L);
              assertThat(registry.get("urae.step").timer().totalTime(TimeUnit.NANOSECONDS))
                  .isPositive();
              assertThat(registry.get("urae.generation.waiting").timer().count()).isEqualTo(3);
              assertThat(registry.get("urae.generations.running").gauge().value()).isZero();
              assertThat(registry.get("urae.memory.largest").gauge().value()).isZero();
            });
  }

  @Test
  void whatWaitsIsCounted() {
    runner()
        .withBean(MeterRegistry.class, SimpleMeterRegistry::new)
        .run(
            context -> {
              MeterRegistry registry = context.getBean(MeterRegistry.class);
              ImagePipeline pipeline = context.getBean(ImagePipeline.class);
              CountDownLatch drawing = new CountDownLatch(1);
              CountDownLatch goOn = new CountDownLatch(1);
              CompletableFuture<?> first =
                  pipeline.generateAsync(
                      SMALL.build(),
                      RunOptions.builder()
                          .onStep(
                              step -> {
                                drawing.countDown();
                                await(goOn);
                              })
                          .build());
              await(drawing);
              CountDownLatch waits = new CountDownLatch(1);
              CompletableFuture<?> second =
                  pipeline.generateAsync(
                      SMALL.build(),
                      RunOptions.builder().listener(progress -> waits.countDown()).build());
              await(waits);
              assertThat(registry.get("urae.generations.waiting").gauge().value()).isEqualTo(1);
              assertThat(registry.get("urae.generations.running").gauge().value()).isEqualTo(1);
              goOn.countDown();
              CompletableFuture.allOf(first, second).get(1, TimeUnit.MINUTES);
              assertThat(registry.get("urae.generations.waiting").gauge().value()).isZero();
              assertThat(
                      registry
                          .get("urae.generation.waiting")
                          .timer()
                          .totalTime(TimeUnit.NANOSECONDS))
                  .isPositive();
            });
  }

  private static void await(CountDownLatch latch) {
    try {
      if (!latch.await(1, TimeUnit.MINUTES)) {
        throw new AssertionError("waited for a minute");
      }
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void theEndOfTheApplicationCancels() throws Exception {
    CountDownLatch drawing = new CountDownLatch(1);
    CountDownLatch waiting = new CountDownLatch(1);
    CompletableFuture<?>[] drawn = new CompletableFuture<?>[2];
    ImagePipeline[] kept = new ImagePipeline[1];
    runner()
        .withPropertyValues("urae.shutdown-grace=50ms")
        .run(
            context -> {
              kept[0] = context.getBean(ImagePipeline.class);
              GenerationRequest endless = SMALL.build().toBuilder().steps(10_000).build();
              RunOptions options = RunOptions.builder().onStep(step -> drawing.countDown()).build();
              drawn[0] = kept[0].generateAsync(endless, options);
              await(drawing);
              drawn[1] =
                  kept[0].generateAsync(
                      endless,
                      RunOptions.builder().listener(progress -> waiting.countDown()).build());
              // One that has not begun when the end comes is refused, not cancelled.
              await(waiting);
            });
    for (CompletableFuture<?> ended : drawn) {
      assertThatThrownBy(() -> ended.orTimeout(1, TimeUnit.MINUTES).join())
          .isInstanceOf(CompletionException.class)
          .hasCauseInstanceOf(GenerationCancelledException.class);
    }
    assertThatThrownBy(() -> kept[0].generate(SMALL.build()))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("being ended");
  }

  @Test
  void whatIsShortIsDrawnToItsEnd() throws Exception {
    CountDownLatch drawing = new CountDownLatch(1);
    CompletableFuture<?>[] drawn = new CompletableFuture<?>[1];
    runner()
        .withPropertyValues("urae.shutdown-grace=" + Duration.ofMinutes(1).toSeconds() + "s")
        .run(
            context -> {
              ImagePipeline pipeline = context.getBean(ImagePipeline.class);
              drawn[0] =
                  pipeline.generateAsync(
                      SMALL.build(),
                      RunOptions.builder().onStep(step -> drawing.countDown()).build());
              await(drawing);
            });
    assertThat(drawn[0].get(1, TimeUnit.MINUTES)).isNotNull();
  }

  /** As Spring's tests do with contexts that they keep for others. */
  @Test
  void whatWasStoppedIsStartedAgain() {
    runner()
        .run(
            context -> {
              ImagePipeline pipeline = context.getBean(ImagePipeline.class);
              HealthIndicator health = context.getBean(HealthIndicator.class);
              ConfigurableApplicationContext application = context.getSourceApplicationContext();
              application.stop();
              assertThat(health.health().getStatus()).isEqualTo(Status.OUT_OF_SERVICE);
              assertThatThrownBy(() -> pipeline.generate(SMALL.build()))
                  .isInstanceOf(IllegalStateException.class);
              application.start();
              assertThat(health.health().getStatus()).isEqualTo(Status.UP);
              assertThat(pipeline.generate(SMALL.build())).hasSize(1);
            });
  }

  @Test
  void registriesOfWhichNoneComesFirstAreLeftAlone() {
    runner()
        .withBean("one", MeterRegistry.class, SimpleMeterRegistry::new)
        .withBean("other", MeterRegistry.class, SimpleMeterRegistry::new)
        .run(
            context -> {
              assertThat(context).hasNotFailed();
              assertThat(context.getBean("one", MeterRegistry.class).getMeters()).isEmpty();
            });
  }

  /** Made by an annotation processor of the Maven build. */
  @Test
  void propertiesAreDescribed() throws Exception {
    Path file = Path.of("target", "classes", "META-INF", "spring-configuration-metadata.json");
    assumeThat(file).exists();
    Map<String, JsonNode> properties = new TreeMap<>();
    for (JsonNode property : new ObjectMapper().readTree(file.toFile()).get("properties")) {
      properties.put(property.get("name").textValue(), property);
    }
    assertDescribed(properties, "urae.", UraeProperties.class);
    assertDescribed(properties, "spring.ai.urae.image.options.", UraeImageProperties.Options.class);
    assertThat(properties).containsKeys("management.health.urae.enabled", "spring.ai.model.image");
    assertThat(properties.get("spring.ai.urae.image.options.format").get("defaultValue"))
        .hasToString("\"png\"");
    assertThat(file).content().contains("demo:model");
  }

  private static void assertDescribed(
      Map<String, JsonNode> properties, String prefix, Class<? extends Record> type) {
    for (Parameter parameter : type.getDeclaredConstructors()[0].getParameters()) {
      String name = prefix + DataObjectPropertyName.toDashedForm(parameter.getName());
      assertThat(properties).containsKey(name);
      JsonNode property = properties.get(name);
      assertThat(property.path("description").asText()).as(name).endsWith(".");
      DefaultValue value = parameter.getAnnotation(DefaultValue.class);
      if (value != null && value.value().length > 0) {
        assertThat(property.get("defaultValue").asText()).as(name).isEqualTo(value.value()[0]);
      }
    }
  }
}
