package io.github.urae.spring.ai;

import io.github.urae.InvalidRequestException;
import io.github.urae.flux.GeneratedImage;
import io.github.urae.flux.ImagePipeline;
import io.micrometer.observation.Observation;
import io.micrometer.observation.ObservationRegistry;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Base64;
import java.util.List;
import java.util.Objects;
import org.springframework.ai.image.Image;
import org.springframework.ai.image.ImageGeneration;
import org.springframework.ai.image.ImageMessage;
import org.springframework.ai.image.ImageModel;
import org.springframework.ai.image.ImagePrompt;
import org.springframework.ai.image.ImageResponse;
import org.springframework.ai.image.observation.DefaultImageModelObservationConvention;
import org.springframework.ai.image.observation.ImageModelObservationContext;
import org.springframework.ai.image.observation.ImageModelObservationConvention;
import org.springframework.ai.image.observation.ImageModelObservationDocumentation;

/**
 * Draws with a pipeline in this process. Pictures come in base 64, as PNG unless options say
 * otherwise, each with {@link UraeImageMetadata}. Thread-safe; does not close the pipeline.
 */
public final class UraeImageModel implements ImageModel {

  private static final String PROVIDER = "urae";

  private static final ImageModelObservationConvention CONVENTION =
      new DefaultImageModelObservationConvention();

  private final ImagePipeline pipeline;
  private final UraeImageOptions defaults;
  private final ObservationRegistry observations;
  private final ImageModelObservationConvention convention;

  /**
   * Creates a model that nobody observes.
   *
   * @param pipeline draws
   * @param defaults for what prompts' options leave open
   */
  public UraeImageModel(ImagePipeline pipeline, UraeImageOptions defaults) {
    this(pipeline, defaults, ObservationRegistry.NOOP, CONVENTION);
  }

  /**
   * Creates a model.
   *
   * @param pipeline draws
   * @param defaults for what prompts' options leave open
   * @param observations is told of each call: {@code gen_ai.client.operation}
   * @param convention names and tags of that
   */
  public UraeImageModel(
      ImagePipeline pipeline,
      UraeImageOptions defaults,
      ObservationRegistry observations,
      ImageModelObservationConvention convention) {
    this.pipeline = Objects.requireNonNull(pipeline, "pipeline");
    this.defaults = Objects.requireNonNull(defaults, "defaults");
    this.observations = Objects.requireNonNull(observations, "observations");
    this.convention = Objects.requireNonNull(convention, "convention");
  }

  /**
   * Draws.
   *
   * @param prompt one message, without weight and media; options of any kind, such as {@link
   *     UraeImageOptions}
   * @return as many pictures as its options ask for
   * @throws InvalidRequestException if the prompt asks for something that cannot be drawn
   * @throws io.github.urae.UraeException if drawing fails, or was cancelled
   */
  @Override
  public ImageResponse call(ImagePrompt prompt) {
    UraeImageOptions options = UraeImageOptions.merge(prompt.getOptions(), defaults);
    if (options.getModel() == null) {
      options = options.mutate().model(pipeline.model().name()).build();
    }
    ImagePrompt effective = new ImagePrompt(prompt.getInstructions(), options);
    ImageModelObservationContext context =
        ImageModelObservationContext.builder().imagePrompt(effective).provider(PROVIDER).build();
    Observation observation =
        ImageModelObservationDocumentation.IMAGE_MODEL_OPERATION.observation(
            convention, CONVENTION, () -> context, observations);
    UraeImageOptions settled = options;
    return observation.observe(
        () -> {
          ImageResponse response = draw(text(prompt), settled);
          context.setResponse(response);
          return response;
        });
  }

  private static String text(ImagePrompt prompt) {
    List<ImageMessage> messages = prompt.getInstructions();
    if (messages.size() != 1) {
      throw InvalidRequestException.of(
          "prompts", "prompt: expected one message, found " + messages.size());
    }
    ImageMessage message = messages.get(0);
    Float weight = message.getWeight();
    if (weight != null && weight != 1) {
      throw InvalidRequestException.of(
          "prompts", "prompt: expected a message without weight, found " + weight);
    }
    if (message.getMedia() != null && !message.getMedia().isEmpty()) {
      throw InvalidRequestException.of(
          "prompts",
          "prompt: expected text alone, found media; a picture to start from is among"
              + " UraeImageOptions");
    }
    if (message.getText() == null) {
      throw InvalidRequestException.of("prompts", "prompt: expected a text, found none");
    }
    return message.getText();
  }

  private ImageResponse draw(String prompt, UraeImageOptions options) {
    return new ImageResponse(
        pipeline.generate(options.request(prompt)).stream()
            .map(image -> generation(image, options))
            .toList());
  }

  private static ImageGeneration generation(GeneratedImage image, UraeImageOptions options) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try {
      image.write(options.getFormat(), bytes);
    } catch (IOException e) {
      throw new UncheckedIOException("a picture can be written to memory", e);
    }
    String text = Base64.getEncoder().encodeToString(bytes.toByteArray());
    return new ImageGeneration(new Image(null, text), new UraeImageMetadata(image.record()));
  }
}
