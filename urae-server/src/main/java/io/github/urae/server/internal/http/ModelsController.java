package io.github.urae.server.internal.http;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.urae.flux.model.ModelInfo;
import io.github.urae.pipeline.FluxPipeline;
import org.springframework.http.ResponseEntity;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

/** The one model. */
@RestController
final class ModelsController {

  private final ModelInfo model;

  ModelsController(FluxPipeline pipeline) {
    this.model = pipeline.model();
  }

  @GetMapping("/v1/models")
  ResponseEntity<byte[]> list() {
    ObjectNode list = Json.object().put("object", "list");
    list.putArray("data").add(describe(model.name()));
    return Json.answer(list);
  }

  /** Any name is the model's, as in requests. */
  @GetMapping("/v1/models/{*name}")
  ResponseEntity<byte[]> find() {
    return Json.answer(describe(model.name()));
  }

  private static ObjectNode describe(String name) {
    return Json.object()
        .put("id", name)
        .put("object", "model")
        .put("created", 0)
        .put("owned_by", "urae");
  }
}
