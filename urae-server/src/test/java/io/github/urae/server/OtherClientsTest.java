package io.github.urae.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.langchain4j.data.image.Image;
import dev.langchain4j.model.openai.OpenAiImageModel;
import dev.langchain4j.model.output.Response;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.Base64;
import java.util.List;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.springframework.ai.image.ImageGeneration;
import org.springframework.ai.image.ImagePrompt;
import org.springframework.ai.openai.OpenAiImageOptions;

/** LangChain4j's and Spring AI's clients of OpenAI. */
class OtherClientsTest {

  private static RunningServer server;

  @BeforeAll
  static void start() throws IOException {
    server = RunningServer.start();
  }

  @AfterAll
  static void stop() throws IOException {
    server.close();
  }

  private static BufferedImage decoded(String base64) throws IOException {
    return ImageIO.read(new ByteArrayInputStream(Base64.getDecoder().decode(base64)));
  }

  @Test
  void langChainGenerates() throws IOException {
    OpenAiImageModel model =
        OpenAiImageModel.builder()
            .baseUrl(server.url("/v1"))
            .apiKey("not-asked-for")
            .modelName("gpt-image-1")
            .size("64x48")
            .maxRetries(0)
            .build();
    Response<Image> one = model.generate("the sea");
    assertThat(decoded(one.content().base64Data()).getWidth()).isEqualTo(64);
    Response<List<Image>> two = model.generate("the sea", 2);
    assertThat(two.content()).hasSize(2);
  }

  @Test
  void langChainIsToldOfErrors() {
    OpenAiImageModel model =
        OpenAiImageModel.builder()
            .baseUrl(server.url("/v1"))
            .apiKey("not-asked-for")
            .modelName("gpt-image-1")
            .size("65x48")
            .maxRetries(0)
            .build();
    assertThatThrownBy(() -> model.generate("the sea")).hasMessageContaining("multiples of 16");
  }

  private static org.springframework.ai.openai.OpenAiImageModel spring(String size) {
    return org.springframework.ai.openai.OpenAiImageModel.builder()
        .options(
            OpenAiImageOptions.builder()
                .baseUrl(server.url("/v1"))
                .apiKey("not-asked-for")
                .model("gpt-image-1")
                .width(64)
                .height(48)
                .size(size)
                .maxRetries(0)
                .build())
        .build();
  }

  @Test
  void springGenerates() throws IOException {
    List<ImageGeneration> pictures =
        spring("64x48")
            .call(new ImagePrompt("the sea", OpenAiImageOptions.builder().n(2).build()))
            .getResults();
    assertThat(pictures).hasSize(2);
    assertThat(decoded(pictures.get(0).getOutput().getB64Json()).getHeight()).isEqualTo(48);
  }

  @Test
  void springIsToldOfErrors() {
    assertThatThrownBy(() -> spring("65x48").call(new ImagePrompt("the sea")))
        .hasMessageContaining("multiples of 16");
  }
}
