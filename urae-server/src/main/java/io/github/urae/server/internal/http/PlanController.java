package io.github.urae.server.internal.http;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.urae.flux.GenerationPlan;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.model.ModelInfo;
import io.github.urae.pipeline.FluxPipeline;
import io.github.urae.server.ServerSettings;
import io.github.urae.server.internal.job.JobQueue;
import jakarta.servlet.http.HttpServletRequest;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import org.springframework.http.ResponseEntity;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RestController;

/** Tells what a picture takes before it is drawn. */
@RestController
final class PlanController {

  /** Parts of the sides that are tried where a picture does not fit. */
  private static final List<Double> SMALLER = List.of(0.75, 0.5, 0.375, 0.25, 0.125);

  private final Bodies bodies;
  private final OrderReader reader;
  private final FluxPipeline pipeline;
  private final JobQueue queue;
  private final ServerSettings settings;

  PlanController(
      Bodies bodies,
      OrderReader reader,
      FluxPipeline pipeline,
      JobQueue queue,
      ServerSettings settings) {
    this.bodies = bodies;
    this.reader = reader;
    this.pipeline = pipeline;
    this.queue = queue;
    this.settings = settings;
  }

  /** Takes what a generation takes, and draws nothing. */
  @PostMapping("/v1/plan")
  ResponseEntity<byte[]> plan(HttpServletRequest request) throws IOException {
    GenerationRequest wanted = reader.generation(bodies.json(request)).drawing().request();
    GenerationPlan plan = pipeline.plan(wanted);
    long memory = settings.memoryLimit().orElseGet(FreeMemory::bytes);
    ObjectNode json = describe(plan);
    json.put("memory_bytes", memory)
        .put("fits", plan.peakBytes() <= memory)
        .put("queued", queue.waiting())
        .put("running", queue.running());
    ArrayNode phases = json.putArray("phases");
    for (GenerationPlan.Phase phase : plan.phases()) {
      ObjectNode node =
          phases
              .addObject()
              .put("stage", phase.stage().id())
              .put("component", phase.component().id())
              .put("draft", phase.ofDraft())
              .put("flops", phase.flops())
              .put("peak_bytes", phase.peakBytes());
      node.put("seconds", queue.speed().seconds(plan, phase.flops()).orElse(null));
    }
    json.set(
        "would_fit",
        plan.peakBytes() <= memory
            ? null
            : smaller(wanted, memory).map(this::describe).orElse(null));
    return Json.answer(json);
  }

  private ObjectNode describe(GenerationPlan plan) {
    return Json.object()
        .put("size", plan.width() + "x" + plan.height())
        .put("steps", plan.steps())
        .put("text_tokens", plan.textTokens())
        .put("image_tokens", plan.imageTokens())
        .put("tiled", plan.tiled())
        .put("flops", plan.flops())
        .put("peak_bytes", plan.peakBytes())
        .put("seconds", queue.speed().seconds(plan, plan.flops()).orElse(null));
  }

  private Optional<GenerationPlan> smaller(GenerationRequest wanted, long memory) {
    ModelInfo model = pipeline.model();
    int multiple = model.latents().pixelsPerToken();
    return SMALLER.stream()
        .map(
            part ->
                pipeline.plan(
                    wanted.toBuilder()
                        .size(
                            scaled(wanted.width().orElseThrow(), part, multiple),
                            scaled(wanted.height().orElseThrow(), part, multiple))
                        .build()))
        .filter(plan -> plan.peakBytes() <= memory)
        .findFirst();
  }

  private static int scaled(int side, double part, int multiple) {
    return multiple * Math.max(1, (int) (side * part / multiple));
  }
}
