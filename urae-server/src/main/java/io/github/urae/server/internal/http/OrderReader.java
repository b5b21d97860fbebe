package io.github.urae.server.internal.http;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import io.github.urae.FileFormatException;
import io.github.urae.InvalidRequestException;
import io.github.urae.flux.CoarseToFine;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.Profile;
import io.github.urae.flux.Seeds;
import io.github.urae.flux.TrueGuidance;
import io.github.urae.flux.model.ModelInfo;
import io.github.urae.image.ReadLimits;
import io.github.urae.image.RgbImage;
import io.github.urae.internal.PrintableText;
import io.github.urae.server.ServerSettings;
import io.github.urae.server.internal.job.AdapterCatalogue;
import io.github.urae.server.internal.job.AdapterChoice;
import io.github.urae.server.internal.job.Drawing;
import io.github.urae.server.internal.job.PublicText;
import io.github.urae.server.internal.picture.PictureType;
import java.io.IOException;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Reads what callers ask for: OpenAI's fields, and this server's own beside them. What is left open
 * is settled here, so that the job is the same whenever it is drawn. Thread-safe.
 */
final class OrderReader {

  /** As OpenAI's. */
  private static final int MAX_IMAGES = 10;

  private static final int MAX_PARTIALS = 3;
  private static final int MAX_ADAPTERS = 8;
  private static final double DEFAULT_STRENGTH = 0.6;
  private static final int DEFAULT_QUALITY = 95;
  private static final int MAX_NAME = 256;
  private static final Pattern SIZE = Pattern.compile("(\\d{1,5})x(\\d{1,5})");

  /** Of OpenAI's API, of no meaning here. */
  private static final Set<String> WITHOUT_EFFECT =
      Set.of("quality", "style", "user", "moderation", "input_fidelity");

  private final ModelInfo model;
  private final ServerSettings settings;
  private final AdapterCatalogue catalogue;
  private final SecureRandom random = new SecureRandom();

  OrderReader(ModelInfo model, ServerSettings settings, AdapterCatalogue catalogue) {
    this.model = model;
    this.settings = settings;
    this.catalogue = catalogue;
  }

  /** Reads what to draw from words. */
  Order generation(Fields fields) {
    return order(fields, Optional.empty());
  }

  /** Reads what to draw from words and a picture. */
  Order edit(List<Bodies.Part> parts) throws IOException {
    List<Path> pictures = new ArrayList<>();
    for (Bodies.Part part : parts) {
      if (part.file().isPresent()) {
        switch (part.name()) {
          case "image", "image[]" -> pictures.add(part.file().get());
          case "mask" ->
              throw ApiException.of(
                  400,
                  "unsupported_value",
                  "mask",
                  "masks are not supported: without one the whole picture is drawn anew, and"
                      + " 'strength' tells how much of it changes");
          default -> {
            String name = PrintableText.shortened(part.name());
            throw ApiException.of(
                400, "unknown_parameter", name, "there is no file '" + name + "'");
          }
        }
      }
    }
    if (pictures.size() != 1) {
      throw ApiException.of(
          400,
          pictures.isEmpty() ? "missing_required_parameter" : "invalid_value",
          "image",
          "image: expected one picture, uploaded as a file, found " + pictures.size());
    }
    return order(Fields.of(parts), Optional.of(picture(pictures.get(0))));
  }

  private RgbImage picture(Path file) throws IOException {
    ReadLimits limits = ReadLimits.DEFAULTS.withMaxPixels(settings.maxUploadPixels());
    try {
      return RgbImage.read(file, limits);
    } catch (FileFormatException | InvalidRequestException e) {
      throw ApiException.invalid(
          "image",
          PublicText.of(e.getMessage(), Map.of("image", file), "the picture cannot be read"));
    }
  }

  private Order order(Fields fields, Optional<RgbImage> picture) {
    String prompt =
        fields
            .text("prompt", settings.maxPromptLength())
            .filter(text -> !text.isBlank())
            .orElseThrow(
                () ->
                    ApiException.of(
                        400, "missing_required_parameter", "prompt", "prompt: expected a text"));
    GenerationRequest.Builder request = GenerationRequest.builder(prompt);
    setSize(fields, picture, request);
    fields.integer("steps", 1, settings.maxSteps()).ifPresent(request::steps);
    fields.number("guidance", 0, 100).ifPresent(request::guidance);
    request.imagesPerPrompt(fields.integer("n", 1, MAX_IMAGES).orElse(1));
    request.seed(seed(fields));
    profile(fields).ifPresent(request::profile);
    setNegative(fields, request);
    setStart(fields, picture, request);
    String name = fields.text("model", MAX_NAME).orElse(model.name());
    PictureType type = type(fields);
    int quality = quality(fields, type);
    boolean links =
        fields
            .choice("response_format", Set.of("url", "b64_json"))
            .filter("url"::equals)
            .isPresent();
    boolean streamed = fields.flag("stream").orElse(false);
    int partials = partials(fields, streamed);
    List<AdapterChoice> adapters = adapters(fields);
    fields.choice("background", Set.of("auto", "opaque"));
    WITHOUT_EFFECT.forEach(ignored -> fields.text(ignored, MAX_NAME));
    fields.complete();
    return new Order(
        new Drawing(request.build(), adapters, type, quality, name, partials), streamed, links);
  }

  private static int partials(Fields fields, boolean streamed) {
    int partials = fields.integer("partial_images", 0, MAX_PARTIALS).orElse(0);
    if (partials > 0 && !streamed) {
      throw ApiException.invalid(
          "partial_images", "partial_images: expected \"stream\": true beside it");
    }
    return partials;
  }

  private void setSize(
      Fields fields, Optional<RgbImage> picture, GenerationRequest.Builder request) {
    String size = fields.text("size", 32).orElse("auto");
    if (size.equals("auto")) {
      int[] chosen = picture.map(this::sizeOf).orElse(nativeSize());
      request.size(chosen[0], chosen[1]);
      return;
    }
    int multiple = model.latents().pixelsPerToken();
    Matcher parts = SIZE.matcher(size);
    if (parts.matches()) {
      int width = Integer.parseInt(parts.group(1));
      int height = Integer.parseInt(parts.group(2));
      if (fits(width, multiple) && fits(height, multiple)) {
        request.size(width, height);
        return;
      }
    }
    throw Fields.wrong(
        "size",
        "auto, or WIDTHxHEIGHT in multiples of " + multiple + " up to " + settings.maxSide(),
        new TextNode(size));
  }

  private boolean fits(int side, int multiple) {
    return side > 0 && side <= settings.maxSide() && side % multiple == 0;
  }

  private int[] nativeSize() {
    int side = Math.min(model.nativeSize(), settings.maxSide());
    return new int[] {side, side};
  }

  /** The picture's own size, as near as the model can. */
  private int[] sizeOf(RgbImage picture) {
    double scale =
        Math.min(1, (double) settings.maxSide() / Math.max(picture.width(), picture.height()));
    return new int[] {rounded(picture.width() * scale), rounded(picture.height() * scale)};
  }

  private int rounded(double side) {
    int multiple = model.latents().pixelsPerToken();
    int most = settings.maxSide() / multiple;
    return multiple * (int) Math.max(1, Math.min(most, Math.round(side / multiple)));
  }

  /** A random one is settled here, and small enough for every language's numbers. */
  private long seed(Fields fields) {
    return fields
        .node("seed")
        .map(
            node -> {
              if (!node.isIntegralNumber() && !node.isTextual()) {
                throw Fields.wrong("seed", "a whole number", node);
              }
              return Seeds.parse(node.asText());
            })
        .orElseGet(() -> Integer.toUnsignedLong(random.nextInt()));
  }

  private static Optional<Profile.Choice> profile(Fields fields) {
    return fields
        .choice("profile", Set.of("auto", "standard", "ultra"))
        .map(name -> Profile.Choice.valueOf(name.toUpperCase(Locale.ROOT)));
  }

  private void setNegative(Fields fields, GenerationRequest.Builder request) {
    Optional<String> negative =
        fields.text("negative_prompt", settings.maxPromptLength()).filter(text -> !text.isBlank());
    Optional<Double> scale = fields.number("true_cfg", 0, 100);
    if (negative.isPresent()) {
      request.trueGuidance(negative.get(), scale.orElse(TrueGuidance.DEFAULT_SCALE));
    } else if (scale.isPresent()) {
      throw ApiException.invalid("true_cfg", "true_cfg: expected a negative_prompt beside it");
    }
  }

  private static void setStart(
      Fields fields, Optional<RgbImage> picture, GenerationRequest.Builder request) {
    Optional<Double> strength = fields.number("strength", 0, 1);
    Optional<CoarseToFine> coarse = coarseToFine(fields);
    if (picture.isPresent() && coarse.isPresent()) {
      throw ApiException.invalid(
          "coarse_to_fine", "coarse_to_fine: expected no picture to start from beside it");
    }
    if (picture.isEmpty() && strength.isPresent()) {
      throw ApiException.invalid(
          "strength", "strength: expected a picture to start from beside it");
    }
    picture.ifPresent(start -> request.initialImage(start, strength.orElse(DEFAULT_STRENGTH)));
    coarse.ifPresent(request::coarseToFine);
  }

  private static Optional<CoarseToFine> coarseToFine(Fields fields) {
    Optional<JsonNode> node = fields.node("coarse_to_fine");
    if (node.isPresent() && node.get().isObject()) {
      Fields inner = Fields.of((ObjectNode) node.get());
      double strength = inner.number("strength", 0, 1).orElse(CoarseToFine.DEFAULT_STRENGTH);
      OptionalInt draftSteps = inner.integer("draft_steps", 1, 10_000);
      inner.complete();
      return Optional.of(new CoarseToFine(strength, draftSteps));
    }
    return fields.flag("coarse_to_fine").filter(wanted -> wanted).map(w -> CoarseToFine.defaults());
  }

  private static PictureType type(Fields fields) {
    String name = fields.text("output_format", 16).orElse(PictureType.PNG.id());
    return PictureType.of(name)
        .orElseThrow(
            () ->
                Fields.wrong(
                    "output_format",
                    "one of " + Arrays.stream(PictureType.values()).map(PictureType::id).toList(),
                    new TextNode(name)));
  }

  private static int quality(Fields fields, PictureType type) {
    OptionalInt given = fields.integer("output_compression", 0, 100);
    // Clients send it for WebP as well, which is without loss whatever it says.
    if (given.isPresent() && type == PictureType.PNG && given.getAsInt() != 100) {
      throw ApiException.invalid(
          "output_compression", "output_compression: expected output_format jpeg beside it");
    }
    return Math.max(1, given.orElse(DEFAULT_QUALITY));
  }

  private List<AdapterChoice> adapters(Fields fields) {
    Optional<JsonNode> node = fields.node("adapters");
    if (node.isEmpty()) {
      return List.of();
    }
    JsonNode list = node.get();
    if (fields.isOfForm()) {
      try {
        list = Json.MAPPER.readTree(list.textValue());
      } catch (JsonProcessingException e) {
        throw Fields.wrong("adapters", "a JSON array", node.get());
      }
    }
    if (!list.isArray() || list.size() > MAX_ADAPTERS) {
      throw Fields.wrong("adapters", "an array of up to " + MAX_ADAPTERS, list);
    }
    Set<String> known = catalogue.files().keySet();
    List<AdapterChoice> choices = new ArrayList<>();
    list.forEach(each -> choices.add(adapter(each, known)));
    return choices;
  }

  private static AdapterChoice adapter(JsonNode node, Set<String> known) {
    AdapterChoice choice;
    if (node.isTextual() && known.contains(node.textValue())) {
      choice = new AdapterChoice(node.textValue(), 1);
    } else if (node.isTextual() && node.textValue().length() <= MAX_NAME) {
      choice = scaled(node);
    } else if (node.isObject()
        && node.path("name").isTextual()
        && (node.path("scale").isNumber() || !node.has("scale"))) {
      choice =
          new AdapterChoice(
              node.get("name").textValue(), node.has("scale") ? node.get("scale").asDouble() : 1);
    } else {
      throw Fields.wrong("adapters", "{\"name\": \"...\", \"scale\": 1}", node);
    }
    if (!Double.isFinite(choice.scale()) || Math.abs(choice.scale()) > 100) {
      throw Fields.wrong("adapters", "a scale of -100 to 100", node);
    }
    if (!known.contains(choice.name())) {
      throw ApiException.of(
          400,
          "unknown_adapter",
          "adapters",
          "adapters: there is no " + PrintableText.quoted(choice.name()) + ", only " + known);
    }
    return choice;
  }

  /** Reads {@code NAME=SCALE}. */
  private static AdapterChoice scaled(JsonNode node) {
    String text = node.textValue();
    int sign = text.lastIndexOf('=');
    try {
      return sign < 1
          ? new AdapterChoice(text, 1)
          : new AdapterChoice(
              text.substring(0, sign), Double.parseDouble(text.substring(sign + 1)));
    } catch (NumberFormatException e) {
      throw Fields.wrong("adapters", "NAME or NAME=SCALE", node);
    }
  }
}
