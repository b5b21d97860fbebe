package io.github.urae.server.internal.http;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.urae.internal.BoundedJson;
import java.io.IOException;
import org.springframework.http.MediaType;
import org.springframework.http.ResponseEntity;

/** JSON out of requests and into answers. */
final class Json {

  private static final int MAX_DEPTH = 16;
  private static final int MAX_TEXT = 1 << 20;

  static final JsonMapper MAPPER =
      JsonMapper.builder(BoundedJson.trees(MAX_DEPTH, MAX_TEXT).build())
          .enable(DeserializationFeature.FAIL_ON_READING_DUP_TREE_KEY)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .disable(StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION)
          .build();

  private Json() {}

  static ObjectNode object() {
    return MAPPER.createObjectNode();
  }

  /** Reads an object. */
  static ObjectNode read(byte[] body) {
    try {
      JsonNode tree = MAPPER.readTree(body);
      if (tree instanceof ObjectNode object) {
        return object;
      }
      throw ApiException.of(400, "invalid_json", "expected a JSON object, found something else");
    } catch (JsonProcessingException e) {
      String where =
          e.getLocation() == null
              ? ""
              : " in line "
                  + e.getLocation().getLineNr()
                  + ", column "
                  + e.getLocation().getColumnNr();
      throw ApiException.of(400, "invalid_json", "the body is not valid JSON" + where);
    } catch (IOException e) {
      throw ApiException.of(400, "invalid_json", "the body is not valid JSON");
    }
  }

  static byte[] bytes(JsonNode tree) {
    try {
      return MAPPER.writeValueAsBytes(tree);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  static ResponseEntity<byte[]> answer(JsonNode tree) {
    return answer(200, tree);
  }

  static ResponseEntity<byte[]> answer(int status, JsonNode tree) {
    return ResponseEntity.status(status).contentType(MediaType.APPLICATION_JSON).body(bytes(tree));
  }
}
