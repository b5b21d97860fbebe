package io.github.urae.server.internal.http;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.urae.flux.CoarseToFine;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.InitialImage;
import io.github.urae.flux.TextPrompts;
import io.github.urae.flux.TrueGuidance;
import io.github.urae.server.internal.job.AdapterChoice;
import io.github.urae.server.internal.job.Drawing;
import java.util.List;
import java.util.Locale;

/** A drawing in the fields by which it is asked for, to be asked for again. */
final class SettingsJson {

  private SettingsJson() {}

  static ObjectNode of(Drawing drawing) {
    ObjectNode json = of(drawing.request(), drawing.adapters());
    return json.put("model", drawing.model()).put("output_format", drawing.type().id());
  }

  static ObjectNode of(GenerationRequest request, List<AdapterChoice> adapters) {
    ObjectNode json = Json.object();
    if (request.prompts() instanceof TextPrompts words) {
      json.put("prompt", words.prompts().get(0));
    }
    request
        .trueGuidance()
        .filter(TrueGuidance::active)
        .ifPresent(
            away ->
                json.put("negative_prompt", away.negativePrompt(0)).put("true_cfg", away.scale()));
    if (request.width().isPresent() && request.height().isPresent()) {
      json.put("size", request.width().getAsInt() + "x" + request.height().getAsInt());
    }
    json.put("n", request.images());
    request.steps().ifPresent(steps -> json.put("steps", steps));
    request.guidance().ifPresent(guidance -> json.put("guidance", guidance));
    if (!request.seeds().values().isEmpty()) {
      putSeed(json, request.seeds().values().get(0));
    }
    json.put("profile", request.profile().choice().name().toLowerCase(Locale.ROOT));
    request
        .start()
        .ifPresent(
            start -> {
              if (start instanceof CoarseToFine coarse) {
                ObjectNode node =
                    json.putObject("coarse_to_fine").put("strength", coarse.strength());
                coarse.draftSteps().ifPresent(steps -> node.put("draft_steps", steps));
              } else if (start instanceof InitialImage) {
                json.put("strength", start.strength());
              }
            });
    ArrayNode list = json.putArray("adapters");
    adapters.forEach(a -> list.addObject().put("name", a.name()).put("scale", a.scale()));
    return json;
  }

  /** Seeds beyond what JavaScript's numbers hold are written as text. */
  private static void putSeed(ObjectNode json, long seed) {
    if (seed >= 0 && seed < 1L << 53) {
      json.put("seed", seed);
    } else {
      json.put("seed", Long.toUnsignedString(seed));
    }
  }
}
