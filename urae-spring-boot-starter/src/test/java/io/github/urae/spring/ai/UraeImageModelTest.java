package io.github.urae.spring.ai;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.urae.InvalidRequestException;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.ImagePipeline;
import io.github.urae.flux.Profile;
import io.github.urae.image.ImageFormat;
import io.github.urae.image.RgbImage;
import io.github.urae.spring.UraeAutoConfiguration;
import io.github.urae.testkit.TestData;
import io.micrometer.observation.Observation;
import io.micrometer.observation.ObservationHandler;
import io.micrometer.observation.ObservationRegistry;
import java.io.ByteArrayInputStream;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.springframework.ai.image.ImageMessage;
import org.springframework.ai.image.ImageModel;
import org.springframework.ai.image.ImageOptions;
import org.springframework.ai.image.ImageOptionsBuilder;
import org.springframework.ai.image.ImagePrompt;
import org.springframework.ai.image.ImageResponse;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;

class UraeImageModelTest {

  private static final String PROMPT = "a red circle";

  private static ApplicationContextRunner runner() {
    return new ApplicationContextRunner()
        .withConfiguration(
            AutoConfigurations.of(UraeAutoConfiguration.class, UraeImageAutoConfiguration.class))
        .withPropertyValues(
            "urae.cache-folder=" + TestData.CACHE,
            "urae.model=" + TestData.checkpoint(),
            "spring.ai.urae.image.options.width=64",
            "spring.ai.urae.image.options.height=48",
            "spring.ai.urae.image.options.steps=2",
            "spring.ai.urae.image.options.seed=5");
  }

  private static RgbImage picture(ImageResponse response) throws Exception {
    byte[] bytes = Base64.getDecoder().decode(response.getResult().getOutput().getB64Json());
    return RgbImage.read(new ByteArrayInputStream(bytes), "result");
  }

  @Test
  void drawsWithItsOwnOptionsAndThoseOfOthers() {
    runner()
        .run(
            context -> {
              ImageModel model = context.getBean(ImageModel.class);
              ImagePipeline pipeline = context.getBean(ImagePipeline.class);
              GenerationRequest expected =
                  GenerationRequest.builder(PROMPT).size(64, 48).steps(2).seed(5).build();
              ImageResponse bare = model.call(new ImagePrompt(PROMPT));
              assertThat(picture(bare)).isEqualTo(pipeline.generate(expected).get(0).toRgbImage());
              UraeImageMetadata metadata = (UraeImageMetadata) bare.getResult().getMetadata();
              assertThat(metadata.record().request().seeds()).isEqualTo(expected.seeds());

              ImageOptions portable =
                  ImageOptionsBuilder.builder().n(2).width(48).model("gpt-image-1").build();
              ImageResponse two = model.call(new ImagePrompt(PROMPT, portable));
              assertThat(two.getResults()).hasSize(2);
              assertThat(picture(two)).hasToString("48x48 pixels");

              UraeImageOptions own =
                  UraeImageOptions.builder()
                      .seed(6L)
                      .initialImage(picture(bare))
                      .strength(0.5)
                      .negativePrompt("blue")
                      .trueGuidanceScale(2.0)
                      .build();
              assertThat(picture(model.call(new ImagePrompt(PROMPT, own))))
                  .isEqualTo(
                      pipeline
                          .generate(
                              expected.toBuilder()
                                  .seed(6)
                                  .initialImage(picture(bare), 0.5)
                                  .trueGuidance("blue", 2)
                                  .build())
                          .get(0)
                          .toRgbImage());
              UraeImageOptions away = UraeImageOptions.builder().negativePrompt("blue").build();
              assertThat(picture(model.call(new ImagePrompt(PROMPT, away))))
                  .as("no scale")
                  .isEqualTo(
                      pipeline
                          .generate(expected.toBuilder().trueGuidance("blue", 2).build())
                          .get(0)
                          .toRgbImage());
              UraeImageOptions jpeg = UraeImageOptions.builder().format(ImageFormat.JPEG).build();
              assertThat(
                      model
                          .call(new ImagePrompt(PROMPT, jpeg))
                          .getResult()
                          .getOutput()
                          .getB64Json())
                  .startsWith("/9j/");
            });
  }

  @Test
  void whatPromptsLeaveOpenIsAsThePropertiesSay() {
    String options = "spring.ai.urae.image.options.";
    runner()
        .withPropertyValues(
            options + "n=2",
            options + "guidance=2.5",
            options + "negative-prompt=blue",
            options + "true-guidance-scale=2",
            options + "max-sequence-length=16",
            options + "profile=ultra",
            options + "strength=0.5")
        .run(
            context -> {
              ImageModel model = context.getBean(ImageModel.class);
              RgbImage start = RgbImage.of(2, 1, new int[] {0xFF0000, 0x0000FF});
              UraeImageOptions own = UraeImageOptions.builder().initialImage(start).build();
              ImageResponse drawn = model.call(new ImagePrompt(PROMPT, own));
              assertThat(drawn.getResults()).hasSize(2);
              assertThat(picture(drawn))
                  .isEqualTo(
                      context
                          .getBean(ImagePipeline.class)
                          .generate(
                              GenerationRequest.builder(PROMPT)
                                  .size(64, 48)
                                  .steps(2)
                                  .seed(5)
                                  .imagesPerPrompt(2)
                                  .guidance(2.5)
                                  .trueGuidance("blue", 2)
                                  .maxSequenceLength(16)
                                  .profile(Profile.Choice.ULTRA)
                                  .initialImage(start, 0.5)
                                  .build())
                          .get(0)
                          .toRgbImage());
            });
    runner()
        .withPropertyValues(
            options + "width=192",
            options + "height=192",
            options + "coarse-to-fine=true",
            options + "format=jpeg")
        .run(
            context -> {
              ImageModel model = context.getBean(ImageModel.class);
              assertThat(model.call(new ImagePrompt(PROMPT)).getResult().getOutput().getB64Json())
                  .startsWith("/9j/");
              UraeImageOptions own =
                  UraeImageOptions.builder().initialImage(RgbImage.of(1, 1, new int[1])).build();
              assertRefused("start", model, PROMPT, own);
            });
  }

  @Test
  void whatCannotBeDrawnIsRefusedByName() {
    runner()
        .run(
            context -> {
              ImageModel model = context.getBean(ImageModel.class);
              ImageOptionsBuilder any = ImageOptionsBuilder.builder();
              assertRefused("style", model, PROMPT, any.style("vivid").build());
              assertRefused(
                  "response_format",
                  model,
                  PROMPT,
                  ImageOptionsBuilder.builder().responseFormat("url").build());
              assertRefused("width", model, PROMPT, UraeImageOptions.builder().width(65).build());
              assertThatThrownBy(() -> model.call(new ImagePrompt(List.of(new ImageMessage(null)))))
                  .isInstanceOf(InvalidRequestException.class);
              assertThatThrownBy(
                      () ->
                          model.call(
                              new ImagePrompt(
                                  List.of(new ImageMessage("a"), new ImageMessage("b")))))
                  .isInstanceOf(InvalidRequestException.class);
              assertThatThrownBy(
                      () -> model.call(new ImagePrompt(List.of(new ImageMessage("a", -1f)))))
                  .isInstanceOf(InvalidRequestException.class);
            });
  }

  private static void assertRefused(
      String parameter, ImageModel model, String prompt, ImageOptions options) {
    assertThatThrownBy(() -> model.call(new ImagePrompt(prompt, options)))
        .isInstanceOfSatisfying(
            InvalidRequestException.class, e -> assertThat(e.parameter()).hasValue(parameter));
  }

  @Test
  void otherProvidersHaveTheirWay() {
    runner()
        .withPropertyValues("spring.ai.model.image=openai")
        .run(context -> assertThat(context).doesNotHaveBean(ImageModel.class));
    runner()
        .withPropertyValues("spring.ai.model.image=urae")
        .run(context -> assertThat(context).hasSingleBean(ImageModel.class));
    new ApplicationContextRunner()
        .withConfiguration(
            AutoConfigurations.of(UraeAutoConfiguration.class, UraeImageAutoConfiguration.class))
        .run(context -> assertThat(context).doesNotHaveBean(ImageModel.class));
  }

  @Test
  void callsAreObservedWithoutTheirPrompts() {
    List<Observation.Context> observed = new ArrayList<>();
    AtomicInteger failed = new AtomicInteger();
    ObservationRegistry registry = ObservationRegistry.create();
    registry
        .observationConfig()
        .observationHandler(
            new ObservationHandler<Observation.Context>() {
              @Override
              public void onStop(Observation.Context context) {
                observed.add(context);
              }

              @Override
              public void onError(Observation.Context context) {
                failed.incrementAndGet();
              }

              @Override
              public boolean supportsContext(Observation.Context context) {
                return true;
              }
            });
    runner()
        .withBean(ObservationRegistry.class, () -> registry)
        .run(
            context -> {
              ImageModel model = context.getBean(ImageModel.class);
              model.call(new ImagePrompt(PROMPT));
              assertThat(observed).hasSize(1);
              Observation.Context call = observed.get(0);
              assertThat(call.getName()).isEqualTo("gen_ai.client.operation");
              Map<String, String> tags =
                  call.getAllKeyValues().stream()
                      .collect(Collectors.toMap(tag -> tag.getKey(), tag -> tag.getValue()));
              assertThat(tags)
                  .containsEntry("gen_ai.operation.name", "image")
                  .containsEntry("gen_ai.system", "urae")
                  .containsEntry("gen_ai.request.image.size", "64x48")
                  .containsKey("gen_ai.request.model")
                  .doesNotContainValue(PROMPT);
              assertThatThrownBy(
                      () ->
                          model.call(
                              new ImagePrompt(
                                  PROMPT, UraeImageOptions.builder().width(65).build())))
                  .isInstanceOf(InvalidRequestException.class);
              assertThat(failed).hasValue(1);
            });
  }
}
