package io.github.urae.flux;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.urae.FileFormatException;
import io.github.urae.InvalidRequestException;
import io.github.urae.flux.arithmetic.TimestepShift;
import io.github.urae.image.ImageFormat;
import io.github.urae.image.RgbImage;
import io.github.urae.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * What a picture was made with: the request that draws it alone, with everything that the
 * checkpoint added, and the pipeline that drew it. Saved pictures carry it in their texts.
 *
 * @param request the request for this one picture
 * @param model name of the checkpoint: its folder's, or {@code ORG/NAME} in a Hugging Face cache
 * @param adapters the adapters, in order; immutable
 * @param device where it was drawn
 * @param elementType element type of the transformer
 * @param passes what ran, in order: one pass, or a draft and a second one
 * @param decodedInTiles whether it was decoded tile by tile
 * @param changedInputs names of what the request of a file only named and was completed with
 *     something else, see {@link Inputs}; empty where the request draws the same picture
 */
public record GenerationRecord(
    GenerationRequest request,
    String model,
    List<AdapterUse> adapters,
    String device,
    String elementType,
    List<Pass> passes,
    boolean decodedInTiles,
    List<String> changedInputs) {

  /** Key of the record as JSON among a picture's texts. */
  private static final String JSON_KEY = "urae";

  /**
   * An adapter that a picture was made with.
   *
   * @param name the file's name, without telling where it lies
   * @param scale what its change was multiplied by
   */
  public record AdapterUse(String name, double scale) {

    /**
     * Describes an adapter.
     *
     * @param file its file
     * @param scale what its change was multiplied by
     * @return the file's name and the scale
     */
    public static AdapterUse of(Path file, double scale) {
      return new AdapterUse(file.getFileName().toString(), scale);
    }

    /** Returns the adapter as in {@code NAME=SCALE}. */
    @Override
    public String toString() {
      return name + "=" + scale;
    }
  }

  /**
   * Steps that ran at one size.
   *
   * @param width pixels
   * @param height pixels
   * @param steps how many, at least 1; of the whole schedule's, those that its strength leaves
   */
  public record Pass(int width, int height, int steps) {}

  /**
   * What files only name by their SHA-256, to complete the request that is read from one. An input
   * that is not the one named is taken all the same, see {@link #changedInputs()}; one that is not
   * asked for is left aside.
   *
   * @param initialImage the picture that it started from
   * @param latents the noise that it started from, float32 [1, tokens, 64]
   * @param embeddings the encoded prompt
   */
  public record Inputs(
      Optional<RgbImage> initialImage,
      Optional<Tensor> latents,
      Optional<PromptEmbeddings> embeddings) {

    /** None: for what was drawn from words and seeds. */
    public static final Inputs NONE =
        new Inputs(Optional.empty(), Optional.empty(), Optional.empty());

    /**
     * Returns a picture to start from.
     *
     * @param image the picture
     * @return inputs without latents and embeddings
     */
    public static Inputs of(RgbImage image) {
      return new Inputs(Optional.of(image), Optional.empty(), Optional.empty());
    }
  }

  /**
   * Copies the lists.
   *
   * @param request as above, for one image
   * @param model as above
   * @param adapters as above
   * @param device as above
   * @param elementType as above
   * @param passes as above, one or more
   * @param decodedInTiles as above
   * @param changedInputs as above
   */
  public GenerationRecord {
    adapters = List.copyOf(adapters);
    passes = List.copyOf(passes);
    changedInputs = List.copyOf(changedInputs);
    if (request.images() != 1 || passes.isEmpty()) {
      throw new InvalidRequestException(
          "record: expected a request for one image and one pass or more, found "
              + request.images()
              + " and "
              + passes.size());
    }
  }

  /**
   * Reads what a saved picture was made with.
   *
   * @param picture a PNG, JPEG, TIFF or WebP file
   * @return the record
   * @throws IOException if the file cannot be read
   * @throws FileFormatException if the file is damaged or holds no record
   * @throws InvalidRequestException if the picture was drawn from another picture, from latents or
   *     from embeddings, which the file only names; or if the record is of a newer release
   */
  public static GenerationRecord read(Path picture) throws IOException {
    return read(picture, Inputs.NONE);
  }

  /**
   * Reads what a saved picture was made with, whatever it started from.
   *
   * @param picture a PNG, JPEG, TIFF or WebP file
   * @param inputs what the file only names
   * @return the record, its request complete
   * @throws IOException if the file cannot be read
   * @throws FileFormatException if the file is damaged or holds no record
   * @throws InvalidRequestException if an input that the file names is not given; or if the record
   *     is of a newer release
   */
  public static GenerationRecord read(Path picture, Inputs inputs) throws IOException {
    String json = ImageFormat.texts(picture).get(JSON_KEY);
    if (json == null) {
      throw new FileFormatException(
          picture
              + ": expected a picture that tells what it was made with, found no text '"
              + JSON_KEY
              + "': it was made or saved by something else");
    }
    try {
      return fromJson(JsonFields.parse(json), inputs);
    } catch (InvalidRequestException e) {
      throw e.withMessage(picture + ": " + e.getMessage());
    }
  }

  private static GenerationRecord fromJson(JsonFields json, Inputs inputs) {
    RequestJson reader = new RequestJson(inputs);
    return json.complete(
        new GenerationRecord(
            reader.read(json.object("request")),
            json.text("model"),
            json.objects("adapters").stream()
                .map(a -> a.complete(new AdapterUse(a.text("name"), a.number("scale"))))
                .toList(),
            json.text("device"),
            json.text("element_type"),
            json.objects("passes").stream()
                .map(
                    pass ->
                        pass.complete(
                            new Pass(
                                pass.integer("width"),
                                pass.integer("height"),
                                pass.integer("steps"))))
                .toList(),
            json.flag("decoded_in_tiles"),
            reader.changed()));
  }

  private String toJson() {
    ObjectNode json = JsonNodeFactory.instance.objectNode();
    json.set("request", RequestJson.write(request, false));
    json.put("model", model);
    ArrayNode adapterNodes = json.putArray("adapters");
    adapters.forEach(
        adapter ->
            adapterNodes.addObject().put("name", adapter.name()).put("scale", adapter.scale()));
    json.put("device", device);
    json.put("element_type", elementType);
    ArrayNode passNodes = json.putArray("passes");
    passes.forEach(
        pass ->
            passNodes
                .addObject()
                .put("width", pass.width())
                .put("height", pass.height())
                .put("steps", pass.steps()));
    json.put("decoded_in_tiles", decodedInTiles);
    return RequestJson.text(json);
  }

  /**
   * Returns the record as the texts that a saved picture carries: a few words for people under
   * several keys, and all of it as JSON under the key {@code urae}: {@link
   * GenerationRequest#toJson()} under {@code request}, where pictures and tensors are only named by
   * their SHA-256, and the other components of this record beside it.
   *
   * @return keys and values, in order
   */
  public Map<String, String> asText() {
    Map<String, String> text = new LinkedHashMap<>();
    text.put("Software", "urae");
    if (request.prompts() instanceof TextPrompts words) {
      text.put("prompt", words.prompts().get(0));
      words.secondPrompts().forEach(value -> text.put("prompt_2", value));
    }
    text.put("model", model);
    Pass last = passes.get(passes.size() - 1);
    text.put("width", Integer.toString(last.width()));
    text.put("height", Integer.toString(last.height()));
    request.steps().ifPresent(value -> text.put("steps", Integer.toString(value)));
    request.guidance().ifPresent(value -> text.put("guidance", Double.toString(value)));
    Seeds seeds = request.seeds();
    seeds.values().forEach(seed -> text.put("seed", Long.toUnsignedString(seed)));
    if (!seeds.values().isEmpty()) {
      text.put("image", seeds.part().map(p -> p.first() + " of " + p.of()).orElse("0 of 1"));
    }
    if (request.prompts() instanceof TextPrompts words) {
      words
          .maxSequenceLength()
          .ifPresent(value -> text.put("max_sequence_length", Integer.toString(value)));
    }
    addProfile(text);
    addSampling(text);
    request.start().ifPresent(start -> addStart(start, text));
    request
        .trueGuidance()
        .filter(TrueGuidance::active)
        .ifPresent(
            away -> {
              text.put("negative_prompt", away.negativePrompt(0));
              text.put("true_cfg", Double.toString(away.scale()));
            });
    text.put("vae", decodedInTiles ? "tiles" : "whole");
    if (!adapters.isEmpty()) {
      // One a line, in order: file names may hold commas.
      text.put(
          "adapters",
          adapters.stream().map(AdapterUse::toString).collect(Collectors.joining("\n")));
    }
    text.put("device", device);
    text.put("element_type", elementType);
    text.put(JSON_KEY, toJson());
    return text;
  }

  private void addProfile(Map<String, String> text) {
    Profile.Settings profile = request.profile();
    text.put("profile", profile.choice().name().toLowerCase(Locale.ROOT));
    profile.shift().ifPresent(shift -> text.put("shift", describe(shift)));
    profile.ntkFactor().ifPresent(value -> text.put("ntk_factor", Double.toString(value)));
    profile
        .proportionalAttention()
        .ifPresent(value -> text.put("proportional_attention", value.toString()));
    profile.nativeTokens().ifPresent(value -> text.put("native_tokens", Long.toString(value)));
  }

  private void addSampling(Map<String, String> text) {
    Sampling sampling = request.sampling();
    sampling.sigmas().ifPresent(v -> text.put("sigmas", v.name().toLowerCase(Locale.ROOT)));
    sampling.solver().ifPresent(v -> text.put("solver", v.name().toLowerCase(Locale.ROOT)));
  }

  private void addStart(Start start, Map<String, String> text) {
    if (start instanceof InitialLatents) {
      text.put("start", "latents");
      return;
    }
    if (start instanceof InitialImage initial) {
      text.put("start", "image of " + initial.image().width() + "x" + initial.image().height());
    } else {
      Pass draft = passes.get(0);
      text.put(
          "start",
          "draft of " + draft.width() + "x" + draft.height() + " in " + draft.steps() + " steps");
    }
    text.put("strength", Double.toString(start.strength()));
    text.put("steps_run", Integer.toString(passes.get(passes.size() - 1).steps()));
  }

  private static String describe(TimestepShift shift) {
    if (shift instanceof TimestepShift.Static fixed) {
      return "static " + fixed.shift();
    }
    TimestepShift.Dynamic dynamic = (TimestepShift.Dynamic) shift;
    return (dynamic.exponential() ? "dynamic " : "dynamic without exponential ")
        + dynamic.baseShift()
        + " at "
        + dynamic.baseTokens()
        + " tokens, "
        + dynamic.maxShift()
        + " at "
        + dynamic.maxTokens();
  }
}
