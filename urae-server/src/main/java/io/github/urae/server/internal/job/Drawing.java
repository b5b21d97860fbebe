package io.github.urae.server.internal.job;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.InitialImage;
import io.github.urae.image.RgbImage;
import io.github.urae.internal.BoundedJson;
import io.github.urae.server.internal.picture.PictureType;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * All that a job depends on besides the model. Immutable.
 *
 * @param request what to draw, seeds included
 * @param adapters in the order in which they are applied
 * @param type the files that are made
 * @param quality of JPEG, 1 to 100
 * @param model what the caller called the model
 * @param partialPictures how many pictures of each are shown before it is done
 */
public record Drawing(
    GenerationRequest request,
    List<AdapterChoice> adapters,
    PictureType type,
    int quality,
    String model,
    int partialPictures) {

  /** A request of 100,000 characters twice, each of them escaped. */
  private static final int MAX_TEXT = 1 << 22;

  /** Stands for a picture that is elsewhere. */
  public static final RgbImage NO_PICTURE = RgbImage.of(1, 1, new int[1]);

  private static final JsonMapper JSON =
      JsonMapper.builder(BoundedJson.trees(64, MAX_TEXT).build()).build();

  /** Copies the list. */
  public Drawing {
    adapters = List.copyOf(adapters);
  }

  /** Returns what the job starts from. */
  public JobKind kind() {
    return startPicture().isPresent() ? JobKind.EDIT : JobKind.GENERATION;
  }

  /** Returns the picture that it starts from, which the text below does not hold. */
  public Optional<RgbImage> startPicture() {
    return request
        .start()
        .filter(InitialImage.class::isInstance)
        .map(s -> ((InitialImage) s).image());
  }

  /** Returns the same with one pixel in the place of the picture that it starts from, if any. */
  Drawing withoutPicture() {
    return startPicture().isPresent() ? withPicture(NO_PICTURE) : this;
  }

  /** Returns the same, started from a picture. */
  Drawing withPicture(RgbImage picture) {
    double strength = request.start().orElseThrow().strength();
    return new Drawing(
        request.toBuilder().initialImage(picture, strength).build(),
        adapters,
        type,
        quality,
        model,
        partialPictures);
  }

  /** Returns everything but the picture to start from, as JSON. */
  public String toText() {
    ObjectNode text = JSON.createObjectNode();
    GenerationRequest words =
        startPicture().isPresent() ? request.toBuilder().start(Optional.empty()).build() : request;
    try {
      text.set("request", JSON.readTree(words.toJson()));
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("a request wrote what is no JSON", e);
    }
    ArrayNode choices = text.putArray("adapters");
    adapters.forEach(a -> choices.addObject().put("name", a.name()).put("scale", a.scale()));
    text.put("type", type.id())
        .put("quality", quality)
        .put("model", model)
        .put("partial_pictures", partialPictures);
    if (startPicture().isPresent()) {
      text.put("strength", request.start().orElseThrow().strength());
    }
    return text.toString();
  }

  /**
   * Reads what {@link #toText()} writes.
   *
   * @param text the JSON
   * @param start the picture to start from
   */
  static Drawing of(String text, Optional<RgbImage> start) {
    JsonNode json = tree(text);
    GenerationRequest.Builder request =
        GenerationRequest.fromJson(json.get("request").toString()).toBuilder();
    start.ifPresent(picture -> request.initialImage(picture, json.get("strength").asDouble()));
    List<AdapterChoice> adapters = new ArrayList<>();
    json.get("adapters")
        .forEach(
            a ->
                adapters.add(new AdapterChoice(a.get("name").asText(), a.get("scale").asDouble())));
    return new Drawing(
        request.build(),
        adapters,
        PictureType.of(json.get("type").asText()).orElseThrow(),
        json.get("quality").asInt(),
        json.get("model").asText(),
        json.get("partial_pictures").asInt());
  }

  /** Tells whether a text is of a drawing that starts from a picture. */
  static boolean hasStart(String text) {
    return tree(text).has("strength");
  }

  private static JsonNode tree(String text) {
    try {
      return JSON.readTree(text);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("the database holds a job that is no JSON", e);
    }
  }
}
