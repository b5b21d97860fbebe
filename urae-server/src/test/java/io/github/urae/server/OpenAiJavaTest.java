package io.github.urae.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.core.JsonValue;
import com.openai.core.http.StreamResponse;
import com.openai.errors.BadRequestException;
import com.openai.errors.RateLimitException;
import com.openai.errors.UnauthorizedException;
import com.openai.models.images.ImageEditParams;
import com.openai.models.images.ImageGenStreamEvent;
import com.openai.models.images.ImageGenerateParams;
import com.openai.models.images.ImagesResponse;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.URI;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** OpenAI's own client. */
class OpenAiJavaTest {

  private static RunningServer server;
  private static OpenAIClient client;

  @BeforeAll
  static void start() throws IOException {
    server = RunningServer.start();
    client = client(server, "not-asked-for");
  }

  private static OpenAIClient client(RunningServer of, String key) {
    return OpenAIOkHttpClient.builder().baseUrl(of.url("/v1")).apiKey(key).maxRetries(0).build();
  }

  @AfterAll
  static void stop() throws IOException {
    client.close();
    server.close();
  }

  private static ImageGenerateParams.Builder boat() {
    return ImageGenerateParams.builder()
        .model("gpt-image-1")
        .prompt("a sailing boat on the sea")
        .size(ImageGenerateParams.Size.of("64x48"))
        .putAdditionalBodyProperty("steps", JsonValue.from(4))
        .putAdditionalBodyProperty("seed", JsonValue.from(7));
  }

  private static BufferedImage decoded(String base64) throws IOException {
    return ImageIO.read(new ByteArrayInputStream(Base64.getDecoder().decode(base64)));
  }

  @Test
  void generatesOne() throws IOException {
    ImagesResponse response = client.images().generate(boat().build());
    assertThat(response.data().orElseThrow()).hasSize(1);
    BufferedImage picture = decoded(response.data().get().get(0).b64Json().orElseThrow());
    assertThat(picture.getWidth()).isEqualTo(64);
    assertThat(picture.getHeight()).isEqualTo(48);
    assertThat(response.outputFormat().orElseThrow().asString()).isEqualTo("png");
    assertThat(response.usage().orElseThrow().outputTokens()).isEqualTo(12);
  }

  @Test
  void generatesTwoOfOneSeed() throws IOException {
    ImagesResponse response = client.images().generate(boat().n(2).build());
    assertThat(response.data().orElseThrow()).hasSize(2);
    String first = response.data().get().get(0).b64Json().orElseThrow();
    assertThat(first).isNotEqualTo(response.data().get().get(1).b64Json().orElseThrow());
  }

  @Test
  void streamsPartialPictures() throws IOException {
    List<ImageGenStreamEvent> events = new ArrayList<>();
    try (StreamResponse<ImageGenStreamEvent> stream =
        client.images().generateStreaming(boat().partialImages(2).build())) {
      stream.stream().forEach(events::add);
    }
    assertThat(events).hasSize(3);
    assertThat(events.get(0).asGenerationPartialImage().partialImageIndex()).isZero();
    assertThat(events.get(1).asGenerationPartialImage().partialImageIndex()).isEqualTo(1);
    BufferedImage partial = decoded(events.get(0).asGenerationPartialImage().b64Json());
    assertThat(partial.getWidth()).isEqualTo(64);
    BufferedImage whole = decoded(events.get(2).asGenerationCompleted().b64Json());
    assertThat(whole.getHeight()).isEqualTo(48);
    assertThat(events.get(2).asGenerationCompleted().usage().outputTokens()).isEqualTo(12);
  }

  @Test
  void edits() throws IOException {
    ByteArrayOutputStream picture = new ByteArrayOutputStream();
    ImageIO.write(new BufferedImage(64, 32, BufferedImage.TYPE_INT_RGB), "png", picture);
    ImagesResponse response =
        client
            .images()
            .edit(
                ImageEditParams.builder()
                    .image(new ByteArrayInputStream(picture.toByteArray()))
                    .prompt("the sea at night")
                    .putAdditionalBodyProperty("steps", JsonValue.from(4))
                    .putAdditionalBodyProperty("strength", JsonValue.from(0.5))
                    .build());
    BufferedImage edited = decoded(response.data().orElseThrow().get(0).b64Json().orElseThrow());
    assertThat(edited.getWidth()).isEqualTo(64);
    assertThat(edited.getHeight()).isEqualTo(32);
  }

  @Test
  void errorsNameTheParameter() {
    assertThatThrownBy(
            () ->
                client.images().generate(boat().size(ImageGenerateParams.Size.of("65x48")).build()))
        .isInstanceOfSatisfying(
            BadRequestException.class,
            e -> {
              assertThat(e.param()).hasValue("size");
              assertThat(e.code()).hasValue("invalid_value");
              assertThat(e.type()).hasValue("invalid_request_error");
              assertThat(e.getMessage()).contains("multiples of 16");
            });
  }

  @Test
  void answersLinks() throws IOException {
    ImagesResponse response =
        client
            .images()
            .generate(
                boat().putAdditionalBodyProperty("response_format", JsonValue.from("url")).build());
    String url = response.data().orElseThrow().get(0).url().orElseThrow();
    assertThat(url).startsWith(server.url("/v1/pictures/"));
    assertThat(ImageIO.read(URI.create(url).toURL()).getWidth()).isEqualTo(64);
  }

  @Test
  void listsModels() {
    assertThat(client.models().list().data()).hasSize(1);
  }

  private static ImageGenerateParams endless() {
    return boat()
        .size(ImageGenerateParams.Size.of("256x256"))
        .n(10)
        .putAdditionalBodyProperty("steps", JsonValue.from(200))
        .build();
  }

  @Test
  void closingAStreamCancels() throws IOException {
    try (StreamResponse<ImageGenStreamEvent> stream =
        client.images().generateStreaming(endless().toBuilder().partialImages(3).build())) {
      assertThat(stream.stream().findFirst()).isPresent();
    }
    JsonNode job = JobsTest.json(server.get("/v1/jobs?limit=1")).get("data").get(0);
    assertThat(JobsTest.awaitEnd(server, job.get("id").asText()).get("status").asText())
        .isEqualTo("cancelled");
  }

  @Test
  void aKeyAndAFullQueueAreToldAsOpenAiTellsThem() throws IOException {
    try (RunningServer other =
        RunningServer.start(settings -> settings.apiKey("a-key-of-some-length").maxQueued(1))) {
      OpenAIClient stranger = client(other, "another-key-of-that-length");
      assertThatThrownBy(() -> stranger.images().generate(boat().build()))
          .isInstanceOfSatisfying(
              UnauthorizedException.class, e -> assertThat(e.code()).hasValue("invalid_api_key"));
      stranger.close();

      OpenAIClient known = client(other, "a-key-of-some-length");
      List<StreamResponse<ImageGenStreamEvent>> open = new ArrayList<>();
      assertThatThrownBy(
              () -> {
                // One is drawn, one waits; there may be room for a third until the first is begun.
                for (int i = 0; i < 4; i++) {
                  open.add(known.images().generateStreaming(endless()));
                }
              })
          .isInstanceOfSatisfying(
              RateLimitException.class, e -> assertThat(e.code()).hasValue("queue_full"));
      open.forEach(StreamResponse::close);
      known.close();
    }
  }
}
