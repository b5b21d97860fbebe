package io.github.urae.server;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.springframework.beans.factory.config.BeanDefinition;
import org.springframework.context.annotation.ClassPathScanningCandidateComponentProvider;
import org.springframework.core.annotation.AnnotatedElementUtils;
import org.springframework.core.type.filter.AnnotationTypeFilter;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RestController;

/** The description of the API, beside what there is. */
class OpenApiTest {

  private static JsonNode description() throws IOException {
    try (InputStream in =
        OpenApiTest.class.getResourceAsStream("/io/github/urae/server/page/openapi.json")) {
      return new ObjectMapper().readTree(in);
    }
  }

  @Test
  void everyRouteIsDescribedAndNoOther() throws Exception {
    Set<String> described = new TreeSet<>();
    description()
        .get("paths")
        .properties()
        .forEach(
            path ->
                path.getValue()
                    .fieldNames()
                    .forEachRemaining(
                        method ->
                            described.add(method.toUpperCase(Locale.ROOT) + " " + path.getKey())));
    assertThat(routes()).isEqualTo(described);
  }

  private static Set<String> routes() throws ClassNotFoundException {
    ClassPathScanningCandidateComponentProvider scanner =
        new ClassPathScanningCandidateComponentProvider(false);
    scanner.addIncludeFilter(new AnnotationTypeFilter(RestController.class));
    Set<String> routes = new TreeSet<>();
    for (BeanDefinition found : scanner.findCandidateComponents("io.github.urae.server")) {
      for (Method method : Class.forName(found.getBeanClassName()).getDeclaredMethods()) {
        RequestMapping mapping =
            AnnotatedElementUtils.findMergedAnnotation(method, RequestMapping.class);
        if (mapping != null && mapping.method().length > 0) {
          Arrays.stream(mapping.path())
              .forEach(path -> routes.add(mapping.method()[0] + " " + plain(path)));
        }
      }
    }
    return routes;
  }

  /** Without patterns: {@code {id:[0-9a-f]{32}}} becomes {@code {id}}. */
  private static String plain(String path) {
    return path.replaceAll("\\{(\\w+):(?:[^{}]|\\{[^{}]*})*}", "{$1}").replace("{*name}", "{name}");
  }

  @Test
  void everyReferenceLeadsSomewhere() throws IOException {
    JsonNode description = description();
    description
        .findValues("$ref")
        .forEach(
            reference ->
                assertThat(description.at(reference.asText().substring(1)).isMissingNode())
                    .as(reference.asText())
                    .isFalse());
  }

  @Test
  void theFieldsOfAGenerationAreTaken() throws IOException {
    try (RunningServer server = RunningServer.start()) {
      JsonNode fields = description().at("/components/schemas/Generation/properties");
      fields
          .fieldNames()
          .forEachRemaining(
              name ->
                  assertThat(
                          server
                              .post("/v1/plan", "{\"prompt\":\"a\",\"" + name + "\":[[]]}")
                              .body())
                      .as(name)
                      .doesNotContain("unknown_parameter"));
      assertThat(server.get("/openapi.json").statusCode()).isEqualTo(200);
    }
  }
}
