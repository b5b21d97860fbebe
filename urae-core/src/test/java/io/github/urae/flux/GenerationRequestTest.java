package io.github.urae.flux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.urae.InvalidRequestException;
import io.github.urae.flux.arithmetic.TimestepShift;
import io.github.urae.image.RgbImage;
import io.github.urae.tensor.Tensor;
import java.util.List;
import java.util.OptionalInt;
import java.util.Random;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class GenerationRequestTest {

  private static final String PROMPT = "ein roter Kreis, ü 日本 🙂\n\"second\" line";

  private static GenerationRequest.Builder full() {
    return GenerationRequest.builder(List.of(PROMPT, ""))
        .secondPrompts("another", "")
        .maxSequenceLength(256)
        .size(1024, 512)
        .steps(7)
        .guidance(3.1)
        .seed(1, 2, 3, -1)
        .imagesPerPrompt(2)
        .batchSize(3)
        .profile(
            Profile.Settings.of(Profile.Choice.ULTRA)
                .withShift(new TimestepShift.Dynamic(0.5, 1.15, 256, 4096))
                .withNtkFactor(1.0 / 3)
                .withProportionalAttention(false)
                .withNativeTokens(1L << 40))
        .coarseToFine(new CoarseToFine(0.1, OptionalInt.of(2)))
        .trueGuidance(new TrueGuidance(List.of("a", "b"), 1.5))
        .vaeTiling(VaeTiling.OFF);
  }

  private static RgbImage picture(int seed) {
    return RgbImage.of(17, 9, new Random(seed).ints(17 * 9, 0, 1 << 24).toArray());
  }

  private static Tensor tensor(int seed, long... dimensions) {
    int count = 1;
    for (long dimension : dimensions) {
      count *= (int) dimension;
    }
    float[] values = new float[count];
    Random random = new Random(seed);
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return Tensor.ofFloats(values, dimensions);
  }

  static Stream<GenerationRequest> requests() {
    PromptEmbeddings embeddings = new PromptEmbeddings(tensor(1, 2, 3), tensor(2, 2, 4, 5));
    return Stream.of(
        GenerationRequest.builder("a").build(),
        full().build(),
        full().seeds(Seeds.RANDOM).build(),
        GenerationRequest.builder("a").seeds(Seeds.of(9).only(2, 4)).build(),
        GenerationRequest.builder("a").initialImage(picture(1), 0.25).build(),
        GenerationRequest.builder("a").latents(tensor(3, 1, 12, 64)).build(),
        GenerationRequest.builder("a")
            .profile(Profile.Settings.AUTO.withShift(new TimestepShift.Static(3)))
            .trueGuidance("b", 1)
            .build(),
        GenerationRequest.builder(embeddings).imagesPerPrompt(3).seed(1).build());
  }

  @ParameterizedTest
  @MethodSource("requests")
  void jsonThereAndBack(GenerationRequest request) {
    GenerationRequest read = GenerationRequest.fromJson(request.toJson());
    assertThat(read).isEqualTo(request).hasSameHashCodeAs(request);
    assertThat(read.toJson()).isEqualTo(request.toJson());
    assertThat(read.toBuilder().build()).isEqualTo(request);
    assertThat(read.toString()).isEqualTo(request.toString()).hasSizeLessThan(1200);
  }

  @Test
  void moreImagesThanCanBeCountedAreRefused() {
    GenerationRequest.Builder request =
        GenerationRequest.builder(List.of("a", "b")).imagesPerPrompt(1 << 30);
    assertThatThrownBy(request::build)
        .isInstanceOf(InvalidRequestException.class)
        .hasMessageContaining("images: expected at most 65536");
  }

  @Test
  void aNegativePromptAloneHasADefaultScale() {
    GenerationRequest request =
        GenerationRequest.fromJson(
            "{\"version\":1,\"prompts\":[\"a\"],\"true_guidance\":{\"negative_prompts\":[\"b\"]}}");
    TrueGuidance away = request.trueGuidance().orElseThrow();
    assertThat(away).isEqualTo(new TrueGuidance(List.of("b"), TrueGuidance.DEFAULT_SCALE));
    assertThat(away.active()).isTrue();
  }

  @Test
  void everySettingMakesAnotherRequest() {
    List<Consumer<GenerationRequest.Builder>> changes =
        List.of(
            r -> r.prompts(List.of("a", "c")),
            r -> r.secondPrompts("x", ""),
            r -> r.maxSequenceLength(255),
            r -> r.width(1040),
            r -> r.height(1024),
            r -> r.steps(8),
            r -> r.guidance(3.2),
            r -> r.seed(1, 2, 3, 4),
            r -> r.seed(1),
            r -> r.batchSize(2),
            r -> r.profile(Profile.Choice.AUTO),
            r -> r.initialImage(picture(1), 0.5),
            r -> r.latents(tensor(1, 4, 2, 64)),
            r -> r.trueGuidance("a", 1.5),
            r -> r.vaeTiling(VaeTiling.ON));
    for (Consumer<GenerationRequest.Builder> change : changes) {
      GenerationRequest.Builder other = full();
      change.accept(other);
      assertThat(other.build()).isNotEqualTo(full().build());
    }
    assertThat(full().initialImage(picture(1), 0.5).build())
        .isEqualTo(full().initialImage(picture(1), 0.5).build())
        .isNotEqualTo(full().initialImage(picture(2), 0.5).build())
        .isNotEqualTo(full().initialImage(picture(1), 0.6).build());
    assertThat(full().latents(tensor(1, 4, 2, 64)).build())
        .isEqualTo(full().latents(tensor(1, 4, 2, 64)).build())
        .isNotEqualTo(full().latents(tensor(2, 4, 2, 64)).build())
        .isNotEqualTo(full().latents(tensor(1, 4, 4, 32)).build());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "/steps | `\"4\"` | steps: expected an integer below 2^31, found \"4\"",
        "/steps | 4.5 | steps: expected an integer",
        "/steps | 4294967296 | steps: expected an integer",
        "/steps | null | steps: expected an integer",
        "/guidance | 1e999 | guidance: expected a finite number",
        "/guidance | true | guidance: expected a finite number",
        "/prompts | `\"a\"` | prompts: expected an array of strings",
        "/prompts | [1] | prompts: expected an array of strings",
        "/seeds | [18446744073709551616] | seed: expected a whole number of -2^63 to 2^64 - 1",
        "/seeds | [1.5] | seeds: expected an array of whole numbers",
        "/profile/choice | `\"ULTRA\"` | profile.choice: expected one of [auto, standard, ultra]",
        "/profile/shift/kind | `\"other\"` | profile.shift.kind: expected one of",
        "/profile/shift | 3 | profile.shift: expected a JSON object",
        "/profile/shift/more | 3 | profile.shift.more: not known",
        "/profile/proportional_attention | 1 | profile.proportional_attention: expected true",
        "/start/kind | `\"noise\"` | start.kind: expected one of",
        "/start/strength | 2 | strength: expected a number above 0",
        "/true_guidance/scale | `\"x\"` | true_guidance.scale: expected a finite number",
        "/version | 2 | version: expected 1",
        "/listener | 1 | listener: not known"
      })
  void wrongJsonIsRefusedByKey(String pointer, String value, String message) throws Exception {
    ObjectMapper mapper = new ObjectMapper();
    ObjectNode json = (ObjectNode) mapper.readTree(full().build().toJson());
    int last = pointer.lastIndexOf('/');
    ((ObjectNode) json.at(pointer.substring(0, last)))
        .set(pointer.substring(last + 1), mapper.readTree(value.equals("1e999") ? "0" : value));
    String text = json.toString();
    if (value.equals("1e999")) {
      text = text.replace("\"guidance\":0", "\"guidance\":1e999");
    }
    String wrong = text;
    InvalidRequestException refused =
        assertThrows(
            InvalidRequestException.class, () -> GenerationRequest.fromJson(wrong), message);
    assertThat(refused).hasMessageContaining(message);
    assertThat(refused.parameter()).hasValue(pointer.substring(1).replace('/', '.'));
  }

  @Test
  void whatIsNoJsonIsRefused() {
    String json = full().build().toJson();
    for (String text :
        List.of(
            "",
            "[]",
            "nonsense",
            json.substring(1),
            json + "{}",
            json.replace("\"steps\":7", "\"steps\":7,\"steps\":8"),
            "[".repeat(100_000))) {
      assertThatThrownBy(() -> GenerationRequest.fromJson(text))
          .isInstanceOf(InvalidRequestException.class)
          .hasMessageContaining("request: ");
    }
    assertThatThrownBy(() -> GenerationRequest.fromJson("{\"version\":1}"))
        .isInstanceOf(InvalidRequestException.class)
        .hasMessage("prompts: missing");
    InvalidRequestException noObject =
        assertThrows(InvalidRequestException.class, () -> GenerationRequest.fromJson("[]"));
    assertThat(noObject.parameter()).isEmpty();
  }

  @Test
  void aMessageThatSaysMoreIsAboutTheSameParameter() {
    InvalidRequestException first = InvalidRequestException.of("steps", "steps: found 0");
    InvalidRequestException more = first.withMessage("a.png: steps: found 0");
    assertThat(more).hasMessage("a.png: steps: found 0").hasCause(first);
    assertThat(more.parameter()).hasValue("steps");
  }

  @Test
  void picturesAndTensorsInJsonAreChecked() {
    String image = GenerationRequest.builder("a").initialImage(picture(1), 0.5).build().toJson();
    assertRefused(image.replace("\"png\":\"", "\"png\":\"*"), "start.image.png: expected base 64");
    assertRefused(image.replace("\"png\":\"", "\"png\":\"AAAA"), "start.image.png: expected a");
    assertRefused(image.replace("\"width\":17", "\"width\":18"), "start.image.width: expected");
    String latents = GenerationRequest.builder("a").latents(tensor(1, 1, 2, 64)).build().toJson();
    assertRefused(latents.replace("[1,2,64]", "[1,3,64]"), "start.latents.shape: expected");
    assertRefused(
        latents.replace("[1,2,64]", "[2147483647,2147483647,2147483647]"),
        "start.latents.shape: expected");
    assertRefused(latents.replace("[1,2,64]", "[1,-2,64]"), "shape: expected an array");
    assertRefused(latents.replace("F32", "F16"), "start.latents.dtype: expected");
  }

  @Test
  void whatIsOnlyNamedMustBeGiven() {
    String named = GenerationRequest.builder("a").initialImage(picture(1), 0.5).build().toString();
    assertRefused(named, "start.image: only named here (17x9 pixels, SHA-256 ");
    String latents = GenerationRequest.builder("a").latents(tensor(1, 1, 2, 64)).build().toString();
    assertRefused(latents, "start.latents: only named here (float32 [1, 2, 64], SHA-256 ");
  }

  private static void assertRefused(String json, String message) {
    assertThatThrownBy(() -> GenerationRequest.fromJson(json))
        .isInstanceOf(InvalidRequestException.class)
        .hasMessageContaining(message);
  }

  @Test
  void oneImageOfABatchIsARequestOfItsOwn() {
    GenerationRequest second = full().build().image(2);
    assertThat(second.images()).isEqualTo(1);
    assertThat(second.prompts())
        .isEqualTo(new TextPrompts(List.of(""), List.of(""), OptionalInt.of(256)));
    assertThat(second.seeds()).isEqualTo(Seeds.of(3));
    assertThat(second.trueGuidance()).hasValue(new TrueGuidance(List.of("b"), 1.5));
    GenerationRequest shared = full().seed(7).build();
    assertThat(shared.image(3).seeds()).hasToString("7 (3 of 4)");
    assertThat(shared.image(3).image(0)).isEqualTo(shared.image(3));
    Tensor latents = tensor(1, 4, 2, 64);
    assertThat(full().latents(latents).build().image(1).start())
        .hasValue(new InitialLatents(TensorContent.row(latents, 1)));
    assertThatThrownBy(() -> shared.image(4)).isInstanceOf(IndexOutOfBoundsException.class);
  }

  @ParameterizedTest
  @CsvSource({
    "0, 0",
    "-1, 18446744073709551615",
    "18446744073709551615, 18446744073709551615",
    "-9223372036854775808, 9223372036854775808",
    "9223372036854775807, 9223372036854775807"
  })
  void seedsHaveTorchsRange(String text, String written) {
    Seeds seeds = Seeds.of(Seeds.parse(text));
    assertThat(seeds).hasToString(written);
    GenerationRequest request = GenerationRequest.builder("a").seeds(seeds).build();
    assertThat(request.toJson()).contains("\"seeds\":[" + written + "]");
    assertThat(GenerationRequest.fromJson(request.toJson())).isEqualTo(request);
    assertThat(
            GenerationRequest.fromJson(
                request.toJson().replace("[" + written + "]", "[" + text + "]")))
        .isEqualTo(request);
  }

  @Test
  void otherSeedsAreRefused() {
    for (String text :
        List.of(
            "18446744073709551616",
            "-9223372036854775809",
            "1.0",
            "x",
            "",
            "1".repeat(1_000_000))) {
      assertThatThrownBy(() -> Seeds.parse(text))
          .isInstanceOf(InvalidRequestException.class)
          .hasMessageContaining("seed: expected a whole number");
    }
    assertThatThrownBy(() -> Seeds.of(1).only(0, Seeds.MAX_IMAGES + 1))
        .isInstanceOf(InvalidRequestException.class);
    assertThatThrownBy(() -> full().seeds(Seeds.of(1).only(2, 4)).build())
        .isInstanceOf(InvalidRequestException.class)
        .hasMessageContaining("images of one seed: expected 4 from number 2 on, found 4 in all");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "{\"version\":1,\"prompts\":[\"a\"],\"steps\":1e999} | steps",
        "{\"version\":1,\"prompts\":[\"a\"],\"steps\":2147483647} | steps: expected at most 10000",
        "{\"version\":1,\"prompts\":[\"a\"],\"guidance\":1e999} | guidance",
        "{\"version\":1,\"prompts\":[\"a\"],\"images_per_prompt\":2147483647} | images",
        "{\"version\":1,\"prompts\":[\"a\"],\"sigmas\":\"Karras\"} | sigmas",
        "{\"version\":1,\"prompts\":[\"a\"],\"solver\":null} | solver",
        "{\"version\":1,\"prompts\":[\"a\"],\"prompts\":[\"b\"]} | prompts",
        "{\"version\":1,\"prompts\":[\"a\"],\"seeds\":[1e3]} | seeds",
        "{\"version\":1,\"prompts\":[\"a\"],\"start\":{\"kind\":\"coarse_to_fine\",\"strength\":1,\"draft_steps\":2000000000}}"
            + " | draft",
        "{\"version\":1,\"prompts\":[\"a\"],\"nothing\":0} | nothing",
        "[[[[[[[[[[[[[[[[[[[[[[[[ | JSON",
        "{ | JSON",
        "`` | JSON",
      })
  void hostileJson(String json, String named) {
    assertThatThrownBy(() -> GenerationRequest.fromJson(json == null ? "" : json))
        .isInstanceOf(InvalidRequestException.class)
        .hasMessageContaining(named);
  }

  @Test
  void promptsAreBounded() {
    String longest = "a".repeat(TextPrompts.MAX_LENGTH);
    assertThat(GenerationRequest.builder(longest).build().images()).isEqualTo(1);
    String more = longest + "a";
    for (Runnable request :
        List.<Runnable>of(
            () -> GenerationRequest.builder(more).build(),
            () -> GenerationRequest.builder("a").secondPrompts(more).build(),
            () -> GenerationRequest.builder("a").trueGuidance(more, 2).build(),
            () ->
                GenerationRequest.fromJson(
                    "{\"version\":1,\"prompts\":[\"" + "a".repeat(10_000_000) + "\"]}"))) {
      assertThatThrownBy(request::run)
          .isInstanceOf(InvalidRequestException.class)
          .hasMessageContaining("prompt: expected at most 100000 characters");
    }
  }
}
