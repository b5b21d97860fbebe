package io.github.urae.flux;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.urae.FileFormatException;
import io.github.urae.InvalidRequestException;
import io.github.urae.flux.arithmetic.SigmaSpacing;
import io.github.urae.flux.arithmetic.Solver;
import io.github.urae.flux.arithmetic.TimestepShift;
import io.github.urae.image.ImageFormat;
import io.github.urae.image.RgbImage;
import io.github.urae.internal.JsonTrees;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * Requests as JSON and back. Pictures and tensors stand in it as they are, in base 64, or are named
 * by their digests, where whoever reads the JSON has them from elsewhere.
 */
final class RequestJson {

  /** Version of the form that is written; others are refused. */
  private static final int VERSION = 1;

  private static final int BYTES_A_FLOAT = 4;

  /** What JSON that only names pictures and tensors is completed with. */
  private final GenerationRecord.Inputs inputs;

  /** Names of those of them that are not what the JSON names. */
  private final List<String> changed = new ArrayList<>();

  RequestJson(GenerationRecord.Inputs inputs) {
    this.inputs = inputs;
  }

  /** Writes a request with its pictures and tensors, or with their names alone. */
  static ObjectNode write(GenerationRequest request, boolean contents) {
    ObjectNode json = JsonNodeFactory.instance.objectNode();
    json.put("version", VERSION);
    if (request.prompts() instanceof TextPrompts text) {
      text.prompts().forEach(json.putArray("prompts")::add);
      if (!text.secondPrompts().isEmpty()) {
        text.secondPrompts().forEach(json.putArray("second_prompts")::add);
      }
      text.maxSequenceLength().ifPresent(value -> json.put("max_sequence_length", value));
    } else {
      PromptEmbeddings embeddings = (PromptEmbeddings) request.prompts();
      ObjectNode node = json.putObject("embeddings");
      node.set("pooled", write(embeddings.pooled(), contents));
      node.set("sequence", write(embeddings.sequence(), contents));
    }
    request.width().ifPresent(value -> json.put("width", value));
    request.height().ifPresent(value -> json.put("height", value));
    request.steps().ifPresent(value -> json.put("steps", value));
    request.guidance().ifPresent(value -> json.put("guidance", value));
    write(request.seeds(), json);
    json.put("images_per_prompt", request.imagesPerPrompt());
    json.put("batch_size", request.batchSize());
    json.set("profile", write(request.profile()));
    request.sampling().sigmas().ifPresent(value -> json.put("sigmas", name(value)));
    request.sampling().solver().ifPresent(value -> json.put("solver", name(value)));
    request.start().ifPresent(start -> json.set("start", write(start, contents)));
    request.trueGuidance().ifPresent(away -> write(away, json.putObject("true_guidance")));
    json.put("vae_tiling", name(request.vaeTiling()));
    return json;
  }

  private static void write(Seeds seeds, ObjectNode json) {
    if (seeds.values().isEmpty()) {
      return;
    }
    seeds.values().stream()
        .map(seed -> new BigInteger(Long.toUnsignedString(seed)))
        .forEach(json.putArray("seeds")::add);
    seeds
        .part()
        .ifPresent(
            part -> json.putObject("seed_images").put("first", part.first()).put("of", part.of()));
  }

  private static ObjectNode write(Profile.Settings profile) {
    ObjectNode json = JsonNodeFactory.instance.objectNode().put("choice", name(profile.choice()));
    profile.shift().ifPresent(shift -> json.set("shift", write(shift)));
    profile.ntkFactor().ifPresent(value -> json.put("ntk_factor", value));
    profile.proportionalAttention().ifPresent(v -> json.put("proportional_attention", v));
    profile.nativeTokens().ifPresent(value -> json.put("native_tokens", value));
    return json;
  }

  private static ObjectNode write(TimestepShift shift) {
    ObjectNode json = JsonNodeFactory.instance.objectNode();
    if (shift instanceof TimestepShift.Static fixed) {
      return json.put("kind", "static").put("shift", fixed.shift());
    }
    TimestepShift.Dynamic dynamic = (TimestepShift.Dynamic) shift;
    if (!dynamic.exponential()) {
      json.put("exponential", false);
    }
    return json.put("kind", "dynamic")
        .put("base_shift", dynamic.baseShift())
        .put("max_shift", dynamic.maxShift())
        .put("base_tokens", dynamic.baseTokens())
        .put("max_tokens", dynamic.maxTokens());
  }

  private static ObjectNode write(Start start, boolean contents) {
    ObjectNode json = JsonNodeFactory.instance.objectNode();
    if (start instanceof InitialLatents given) {
      json.put("kind", "latents").set("latents", write(given.latents(), contents));
    } else if (start instanceof InitialImage given) {
      json.put("kind", "image").set("image", write(given.image(), contents));
      json.put("strength", given.strength());
    } else {
      CoarseToFine passes = (CoarseToFine) start;
      json.put("kind", "coarse_to_fine").put("strength", passes.strength());
      passes.draftSteps().ifPresent(value -> json.put("draft_steps", value));
    }
    return json;
  }

  private static void write(TrueGuidance away, ObjectNode json) {
    away.negativePrompts().forEach(json.putArray("negative_prompts")::add);
    json.put("scale", away.scale());
  }

  private static ObjectNode write(Tensor tensor, boolean content) {
    ObjectNode json = JsonNodeFactory.instance.objectNode().put("dtype", tensor.type().toString());
    for (long dimension : tensor.shape().toArray()) {
      json.withArray("shape").add(dimension);
    }
    if (!content) {
      return json.put("sha256", ContentDigest.of(tensor));
    }
    byte[] bytes = new byte[tensor.data().remaining()];
    tensor.data().get(bytes);
    return json.put("data", Base64.getEncoder().encodeToString(bytes));
  }

  private static ObjectNode write(RgbImage image, boolean content) {
    ObjectNode json =
        JsonNodeFactory.instance
            .objectNode()
            .put("width", image.width())
            .put("height", image.height());
    if (!content) {
      return json.put("sha256", ContentDigest.of(image));
    }
    ByteArrayOutputStream png = new ByteArrayOutputStream();
    try {
      ImageFormat.PNG.write(image, Map.of(), png);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return json.put("png", Base64.getEncoder().encodeToString(png.toByteArray()));
  }

  private static String name(Enum<?> constant) {
    return constant.name().toLowerCase(Locale.ROOT);
  }

  /** Writes a node as text. */
  static String text(ObjectNode json) {
    String text = JsonTrees.text(json);
    if (text.length() > JsonFields.MAX_LENGTH) {
      throw new InvalidRequestException(
          "request: its pictures and tensors make more than "
              + JsonFields.MAX_LENGTH
              + " characters of JSON: "
              + text.length());
    }
    return text;
  }

  /** Returns the names of inputs that are not what the JSON read names. */
  List<String> changed() {
    return List.copyOf(changed);
  }

  /** Reads a request; what it only names comes from the inputs. */
  GenerationRequest read(JsonFields json) {
    if (json.integer("version") != VERSION) {
      throw json.wrong("version", VERSION + ", the one that this release reads");
    }
    GenerationRequest.Builder request =
        json.has("embeddings")
            ? GenerationRequest.builder(json.object("embeddings", this::embeddings).orElseThrow())
            : GenerationRequest.builder(json.texts("prompts"));
    if (json.has("second_prompts")) {
      request.secondPrompts(json.texts("second_prompts").toArray(new String[0]));
    }
    json.optionalInteger("max_sequence_length").ifPresent(request::maxSequenceLength);
    json.optionalInteger("width").ifPresent(request::width);
    json.optionalInteger("height").ifPresent(request::height);
    json.optionalInteger("steps").ifPresent(request::steps);
    json.optionalNumber("guidance").ifPresent(request::guidance);
    request.seeds(seeds(json));
    json.optionalInteger("images_per_prompt").ifPresent(request::imagesPerPrompt);
    json.optionalInteger("batch_size").ifPresent(request::batchSize);
    json.object("profile", RequestJson::profile).ifPresent(request::profile);
    request.sampling(
        new Sampling(
            json.optionalChoice("sigmas", SigmaSpacing.class),
            json.optionalChoice("solver", Solver.class)));
    request.start(json.object("start", this::start));
    json.object("true_guidance", RequestJson::trueGuidance).ifPresent(request::trueGuidance);
    if (json.has("vae_tiling")) {
      request.vaeTiling(json.choice("vae_tiling", VaeTiling.class));
    }
    return json.complete(request.build());
  }

  private static Seeds seeds(JsonFields json) {
    Optional<Seeds.Part> part =
        json.object(
            "seed_images",
            images ->
                images.complete(new Seeds.Part(images.integer("first"), images.integer("of"))));
    return new Seeds(json.has("seeds") ? json.seeds("seeds") : List.of(), part);
  }

  private static Profile.Settings profile(JsonFields json) {
    return json.complete(
        new Profile.Settings(
            json.choice("choice", Profile.Choice.class),
            json.object("shift", RequestJson::shift),
            json.optionalNumber("ntk_factor"),
            json.has("proportional_attention")
                ? Optional.of(json.flag("proportional_attention"))
                : Optional.empty(),
            json.optionalLongInteger("native_tokens")));
  }

  private static TimestepShift shift(JsonFields json) {
    return json.complete(
        switch (json.text("kind")) {
          case "static" -> new TimestepShift.Static(json.number("shift"));
          case "dynamic" ->
              new TimestepShift.Dynamic(
                  json.number("base_shift"),
                  json.number("max_shift"),
                  json.longInteger("base_tokens"),
                  json.longInteger("max_tokens"),
                  !json.has("exponential") || json.flag("exponential"));
          default -> throw json.unknown("kind", "[static, dynamic]");
        });
  }

  private PromptEmbeddings embeddings(JsonFields json) {
    Optional<PromptEmbeddings> given = inputs.embeddings();
    return json.complete(
        new PromptEmbeddings(
            tensor(json, "pooled", given.map(PromptEmbeddings::pooled)),
            tensor(json, "sequence", given.map(PromptEmbeddings::sequence))));
  }

  private Start start(JsonFields json) {
    return json.complete(
        switch (json.text("kind")) {
          case "latents" -> new InitialLatents(tensor(json, "latents", inputs.latents()));
          case "image" -> new InitialImage(image(json, "image"), json.number("strength"));
          case "coarse_to_fine" ->
              new CoarseToFine(json.number("strength"), json.optionalInteger("draft_steps"));
          default -> throw json.unknown("kind", "[latents, image, coarse_to_fine]");
        });
  }

  private Tensor tensor(JsonFields parent, String key, Optional<Tensor> given) {
    JsonFields json = parent.object(key);
    if (!json.text("dtype").equals(ElementType.F32.toString())) {
      throw json.wrong("dtype", ElementType.F32.toString());
    }
    long[] dimensions = json.dimensions("shape");
    if (json.has("data")) {
      byte[] bytes = json.bytes("data");
      if (!holds(bytes.length, dimensions)) {
        throw json.wrong("shape", "dimensions of " + bytes.length + " bytes of float32");
      }
      float[] values = new float[bytes.length / BYTES_A_FLOAT];
      ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(values);
      return json.complete(Tensor.ofFloats(values, dimensions));
    }
    String named = json.text("sha256");
    Tensor tensor =
        given.orElseThrow(() -> missing(json.name(""), "float32 " + Shape.of(dimensions), named));
    compare(json.name(""), named, ContentDigest.of(tensor));
    return json.complete(tensor);
  }

  private static boolean holds(int bytes, long[] dimensions) {
    long expected = BYTES_A_FLOAT;
    for (long dimension : dimensions) {
      // No product of two such numbers overflows.
      expected = Math.min(expected * dimension, Integer.MAX_VALUE);
    }
    return expected == bytes;
  }

  private RgbImage image(JsonFields parent, String key) {
    JsonFields json = parent.object(key);
    int width = json.integer("width");
    int height = json.integer("height");
    if (json.has("png")) {
      RgbImage image = decoded(json);
      if (image.width() != width || image.height() != height) {
        throw json.wrong(
            "width", "a picture of that size, " + image.width() + "x" + image.height());
      }
      return json.complete(image);
    }
    String named = json.text("sha256");
    RgbImage image =
        inputs
            .initialImage()
            .orElseThrow(() -> missing(json.name(""), width + "x" + height + " pixels", named));
    compare(json.name(""), named, ContentDigest.of(image));
    return json.complete(image);
  }

  private static RgbImage decoded(JsonFields json) {
    try {
      return RgbImage.read(new ByteArrayInputStream(json.bytes("png")), json.name("png"));
    } catch (IOException | FileFormatException e) {
      throw InvalidRequestException.of(json.name("png"), e.getMessage(), e);
    }
  }

  private void compare(String name, String expected, String found) {
    if (!expected.equals(found)) {
      changed.add(name);
    }
  }

  private static InvalidRequestException missing(String name, String what, String digest) {
    return InvalidRequestException.of(
        name, name + ": only named here (" + what + ", SHA-256 " + digest + "); it must be given");
  }

  private static TrueGuidance trueGuidance(JsonFields json) {
    return json.complete(
        new TrueGuidance(
            json.texts("negative_prompts"),
            json.optionalNumber("scale").orElse(TrueGuidance.DEFAULT_SCALE)));
  }
}
