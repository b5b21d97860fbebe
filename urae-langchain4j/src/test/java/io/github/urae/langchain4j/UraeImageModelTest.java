package io.github.urae.langchain4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.langchain4j.data.image.Image;
import dev.langchain4j.model.image.ImageModel;
import dev.langchain4j.model.output.Response;
import io.github.urae.InvalidRequestException;
import io.github.urae.flux.GeneratedImage;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.image.RgbImage;
import io.github.urae.pipeline.FluxPipeline;
import io.github.urae.testkit.TestData;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.Base64;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class UraeImageModelTest {

  private static final String PROMPT = "a red circle on a blue background";

  private static FluxPipeline pipeline;

  @BeforeAll
  static void open() throws IOException {
    pipeline =
        FluxPipeline.builder().model(TestData.checkpoint()).cacheFolder(TestData.CACHE).build();
  }

  @AfterAll
  static void close() throws IOException {
    pipeline.close();
  }

  private static ImageModel model() {
    return UraeImageModel.builder()
        .pipeline(pipeline)
        .settings(request -> request.size(64, 48).steps(2).seed(5))
        .build();
  }

  private static RgbImage picture(Image image) throws IOException {
    assertThat(image.mimeType()).isEqualTo("image/png");
    assertThat(image.url()).isNull();
    byte[] bytes = Base64.getDecoder().decode(image.base64Data());
    return RgbImage.read(new ByteArrayInputStream(bytes), "result");
  }

  private static RgbImage drawn(GenerationRequest request) {
    return pipeline.generate(request).get(0).toRgbImage();
  }

  @Test
  void drawsWhatThePipelineDraws() throws IOException {
    Response<Image> response = model().generate(PROMPT);
    GenerationRequest request =
        GenerationRequest.builder(PROMPT).size(64, 48).steps(2).seed(5).build();
    assertThat(picture(response.content())).isEqualTo(drawn(request));
    List<?> requests = (List<?>) response.metadata().get(UraeImageModel.REQUESTS);
    assertThat(drawn(GenerationRequest.fromJson((String) requests.get(0))))
        .isEqualTo(drawn(request));
  }

  @Test
  void drawsSeveral() throws IOException {
    Response<List<Image>> response = model().generate(PROMPT, 2);
    List<GeneratedImage> expected =
        pipeline.generate(
            GenerationRequest.builder(PROMPT)
                .size(64, 48)
                .steps(2)
                .seed(5)
                .imagesPerPrompt(2)
                .build());
    assertThat(response.content()).hasSize(2);
    for (int i = 0; i < 2; i++) {
      assertThat(picture(response.content().get(i))).isEqualTo(expected.get(i).toRgbImage());
    }
    assertThat((List<?>) response.metadata().get(UraeImageModel.REQUESTS)).hasSize(2);
    assertThatThrownBy(() -> model().generate(PROMPT, 0))
        .isInstanceOf(InvalidRequestException.class);
  }

  @Test
  void editsBeginWithAPicture() throws IOException {
    Image start = model().generate(PROMPT).content();
    Response<Image> edited = model().edit(start, "a green star");
    assertThat(picture(edited.content()))
        .isEqualTo(
            drawn(
                GenerationRequest.builder("a green star")
                    .size(64, 48)
                    .steps(2)
                    .seed(5)
                    .initialImage(picture(start), 0.6)
                    .build()));
    Image inAddress = Image.builder().url("data:image/png;base64," + start.base64Data()).build();
    assertThat(picture(model().edit(inAddress, "a green star").content()))
        .isEqualTo(picture(edited.content()));
    ImageModel open =
        UraeImageModel.builder().pipeline(pipeline).settings(r -> r.steps(1)).strength(1).build();
    RgbImage wide = picture(open.edit(start, PROMPT).content());
    // 64x48 at the native area of 128x128 is 147.8x110.9.
    assertThat(wide).hasToString("144x112 pixels");
  }

  @Test
  void whatCannotBeEditedIsRefused() {
    Image start = model().generate(PROMPT).content();
    assertRefused("start.image", Image.builder().url("http://localhost/a.png").build());
    for (String address : new String[] {"file:///etc/hosts", "data:image/png,AAAA", "data:,"}) {
      assertRefused("start.image", Image.builder().url(address).build());
    }
    assertRefused("start.image", Image.builder().build());
    assertRefused("start.image", Image.builder().base64Data("*").build());
    assertRefused("start.image", Image.builder().base64Data("AAAA").build());
    assertThatThrownBy(() -> model().edit(start, start, PROMPT))
        .isInstanceOfSatisfying(
            InvalidRequestException.class, e -> assertThat(e.parameter()).hasValue("mask"));
    assertThatThrownBy(() -> UraeImageModel.builder().build())
        .isInstanceOf(NullPointerException.class);
  }

  private static void assertRefused(String parameter, Image image) {
    assertThatThrownBy(() -> model().edit(image, PROMPT))
        .isInstanceOfSatisfying(
            InvalidRequestException.class, e -> assertThat(e.parameter()).hasValue(parameter));
  }
}
