package io.github.urae.langchain4j;

import dev.langchain4j.data.image.Image;
import dev.langchain4j.model.image.ImageModel;
import dev.langchain4j.model.output.Response;
import io.github.urae.FileFormatException;
import io.github.urae.InvalidRequestException;
import io.github.urae.flux.GeneratedImage;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.ImagePipeline;
import io.github.urae.flux.model.ModelInfo;
import io.github.urae.image.ImageFormat;
import io.github.urae.image.RgbImage;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.UnaryOperator;

/**
 * Draws with a pipeline in this process. Pictures come in base 64, as PNG; the response's metadata
 * holds the requests that draw them again: under {@value #REQUESTS}, a list of JSON, which {@link
 * GenerationRequest#fromJson} reads. Thread-safe; does not close the pipeline.
 */
public final class UraeImageModel implements ImageModel {

  /** Key of the requests in a response's metadata. */
  public static final String REQUESTS = "urae.requests";

  private static final String PNG = "image/png";

  private final ImagePipeline pipeline;
  private final UnaryOperator<GenerationRequest.Builder> settings;
  private final double strength;

  private UraeImageModel(Builder builder) {
    pipeline = Objects.requireNonNull(builder.pipeline, "pipeline");
    settings = builder.settings;
    strength = builder.strength;
  }

  /**
   * Starts a model.
   *
   * @return a builder, which needs a pipeline
   */
  public static Builder builder() {
    return new Builder();
  }

  /**
   * Draws a picture.
   *
   * @param prompt what to draw
   * @return the picture
   * @throws InvalidRequestException if it cannot be drawn with these settings
   * @throws io.github.urae.UraeException if drawing fails
   */
  @Override
  public Response<Image> generate(String prompt) {
    return first(draw(request(prompt)));
  }

  /**
   * Draws pictures.
   *
   * @param prompt what to draw
   * @param n how many, at least 1
   * @return the pictures
   * @throws InvalidRequestException if they cannot be drawn with these settings
   * @throws io.github.urae.UraeException if drawing fails
   */
  @Override
  public Response<List<Image>> generate(String prompt, int n) {
    return draw(request(prompt).imagesPerPrompt(n));
  }

  /**
   * Draws a picture that begins with another. Unless settings say a size, it has about the
   * checkpoint's native area and the other's proportions.
   *
   * @param image in base 64, also as an address of the kind {@code data:}; others are not fetched
   * @param prompt what to draw: the whole picture, not the difference
   * @return the picture
   * @throws InvalidRequestException if the image cannot be read, or the picture not be drawn
   * @throws io.github.urae.UraeException if drawing fails
   */
  @Override
  public Response<Image> edit(Image image, String prompt) {
    RgbImage start = read(image);
    GenerationRequest.Builder request = GenerationRequest.builder(prompt);
    ModelInfo model = pipeline.model();
    int unit = model.latents().pixelsPerToken();
    double scale = model.nativeSize() / Math.sqrt((double) start.width() * start.height());
    request.size(rounded(start.width() * scale, unit), rounded(start.height() * scale, unit));
    return first(draw(settings.apply(request).initialImage(start, strength)));
  }

  /**
   * Refuses: FLUX.1 itself takes no mask.
   *
   * @throws InvalidRequestException in any case
   */
  @Override
  public Response<Image> edit(Image image, Image mask, String prompt) {
    throw InvalidRequestException.of(
        "mask", "mask: expected none, since the model has no place for one; edit without it");
  }

  private static int rounded(double pixels, int unit) {
    return Math.max(1, (int) Math.rint(pixels / unit)) * unit;
  }

  private static RgbImage read(Image image) {
    String data = image.base64Data() == null ? inAddress(image.url()) : image.base64Data();
    try {
      byte[] bytes = Base64.getDecoder().decode(data);
      return RgbImage.read(new ByteArrayInputStream(bytes), "image");
    } catch (IllegalArgumentException e) {
      throw InvalidRequestException.of(
          "start.image", "image: expected base 64, found something else: " + e.getMessage(), e);
    } catch (FileFormatException e) {
      throw InvalidRequestException.of("start.image", e.getMessage(), e);
    } catch (IOException e) {
      throw new UncheckedIOException("an image in memory can be read", e);
    }
  }

  /** Takes the data out of an address that holds them itself (RFC 2397). */
  private static String inAddress(URI address) {
    String text = String.valueOf(address);
    int comma = text.indexOf(',');
    if (comma < 0 || !text.startsWith("data:") || !text.startsWith(";base64", comma - 7)) {
      throw InvalidRequestException.of(
          "start.image", "image: expected base 64, found an address alone, which is not fetched");
    }
    return text.substring(comma + 1);
  }

  private GenerationRequest.Builder request(String prompt) {
    return settings.apply(GenerationRequest.builder(prompt));
  }

  private Response<List<Image>> draw(GenerationRequest.Builder request) {
    List<GeneratedImage> images = pipeline.generate(request.build());
    List<String> requests = images.stream().map(image -> image.request().toJson()).toList();
    return Response.from(
        images.stream().map(UraeImageModel::image).toList(),
        null,
        null,
        Map.of(REQUESTS, requests));
  }

  private static Image image(GeneratedImage drawn) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try {
      drawn.write(ImageFormat.PNG, bytes);
    } catch (IOException e) {
      throw new UncheckedIOException("a picture can be written to memory", e);
    }
    return Image.builder()
        .base64Data(Base64.getEncoder().encodeToString(bytes.toByteArray()))
        .mimeType(PNG)
        .build();
  }

  private static Response<Image> first(Response<List<Image>> all) {
    return Response.from(all.content().get(0), null, null, all.metadata());
  }

  /** Collects the settings of a model. Not thread-safe. */
  public static final class Builder {

    private ImagePipeline pipeline;
    private UnaryOperator<GenerationRequest.Builder> settings = UnaryOperator.identity();
    private double strength = 0.6;

    private Builder() {}

    /**
     * Sets what draws.
     *
     * @param value stays the caller's to close
     * @return this
     */
    public Builder pipeline(ImagePipeline value) {
      pipeline = Objects.requireNonNull(value, "pipeline");
      return this;
    }

    /**
     * Sets what every request has: size, steps, guidance, seed, and whatever else a request may
     * have.
     *
     * @param value is handed a request with its prompt, and returns it; called by several threads
     * @return this
     */
    public Builder settings(UnaryOperator<GenerationRequest.Builder> value) {
      settings = Objects.requireNonNull(value, "settings");
      return this;
    }

    /**
     * Sets how much an edit changes: how much of the schedule runs.
     *
     * @param value in (0, 1]; by default 0.6
     * @return this
     */
    public Builder strength(double value) {
      strength = value;
      return this;
    }

    /**
     * Completes the model.
     *
     * @return the model
     * @throws NullPointerException if no pipeline is set
     */
    public UraeImageModel build() {
      return new UraeImageModel(this);
    }
  }
}
