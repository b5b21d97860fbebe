package io.github.urae.openblas;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.urae.AdapterException;
import io.github.urae.InvalidRequestException;
import io.github.urae.ModelException;
import io.github.urae.adapter.AdapterConversion;
import io.github.urae.adapter.AdapterSpec;
import io.github.urae.adapter.CheckpointMerger;
import io.github.urae.adapter.internal.match.AdapterChain;
import io.github.urae.adapter.internal.match.AdapterOptions;
import io.github.urae.flux.model.Component;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import io.github.urae.testkit.TestData;
import io.github.urae.weights.SafetensorsFile;
import io.github.urae.weights.SafetensorsWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AdapterConversionTest {

  private static final AdapterSpec LORA = AdaptedDemo.LORA;
  private static final AdapterSpec MINOR = AdaptedDemo.MINOR;

  @TempDir Path folder;

  private AdapterConversion.Builder conversion(Path model, AdapterSpec... chain) {
    return AdapterConversion.builder()
        .model(model)
        .adapters(List.of(chain))
        .output(folder.resolve("converted.safetensors"));
  }

  private AdapterSpec converted(AdapterSpec... chain) throws IOException {
    Path file = folder.resolve("converted.safetensors");
    AdapterConversion.Report report =
        conversion(AdaptedDemo.CHECKPOINT, chain).output(file).writeLowRank();
    assertThat(report.weights()).isEqualTo(20);
    assertThat(report.largestResidual()).isLessThan(1e-6);
    return new AdapterSpec(file, 1);
  }

  private static void assertSameEffect(
      AdapterChain expected, AdapterChain actual, AdaptedDemo model) throws IOException {
    assertThat(actual.changedWeights(Component.TRANSFORMER))
        .isEqualTo(expected.changedWeights(Component.TRANSFORMER));
    for (String weight : expected.changedWeights(Component.TRANSFORMER)) {
      float[] of = model.merge(expected, weight);
      float[] is = model.merge(actual, weight);
      assertThat(TestData.largestDifference(of, is)).as(weight).isLessThan(1e-6);
    }
  }

  @Test
  void hasTheEffectOfTheChainInTheRecordedForm() throws IOException {
    AdapterSpec converted = converted(LORA, MINOR);
    try (AdaptedDemo model = new AdaptedDemo();
        SafetensorsFile file = SafetensorsFile.open(converted.path());
        SafetensorsFile recorded = SafetensorsFile.open(AdaptedDemo.CONVERSION.path())) {
      assertThat(file.tensors().keySet())
          .containsExactlyInAnyOrderElementsOf(recorded.tensors().keySet());
      recorded
          .tensors()
          .forEach(
              (name, info) -> assertThat(file.tensors().get(name).shape()).isEqualTo(info.shape()));
      String key = "transformer.transformer_blocks.0.attn.to_q.lora_A.weight";
      assertThat(file.tensors().get(key).shape()).isEqualTo(Shape.of(48, 128));
      assertSameEffect(model.chain(LORA, MINOR), model.chain(converted), model);
    }
  }

  /** LoKr with a factor of low rank, fused and not, and LoHa: products of two matrices, too. */
  @Test
  void productsOfOtherKindsThatAreOfLowRank() throws IOException {
    Path file = folder.resolve("kinds.safetensors");
    Random random = new Random(17);
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    String qkv = "diffusion_model.double_blocks.0.img_attn.qkv.";
    tensors.put(qkv + "lokr_w1", noise(random, 6, 4));
    tensors.put(qkv + "lokr_w2_a", noise(random, 64, 3));
    tensors.put(qkv + "lokr_w2_b", noise(random, 3, 32));
    tensors.put(qkv + "alpha", Tensor.ofFloats(new float[] {2}));
    String v = "lora_unet_transformer_blocks_1_attn_to_v.";
    tensors.put(v + "lokr_w1_a", noise(random, 8, 2));
    tensors.put(v + "lokr_w1_b", noise(random, 2, 8));
    tensors.put(v + "lokr_w2_a", noise(random, 2, 16));
    tensors.put(v + "lokr_w2_b", noise(random, 2, 16));
    tensors.put(v + "lokr_t2", noise(random, 2, 2));
    String out = "lora_unet_transformer_blocks_1_attn_to_out_0.";
    for (int i = 1; i <= 2; i++) {
      tensors.put(out + "hada_w" + i + "_a", noise(random, 128, 3));
      tensors.put(out + "hada_w" + i + "_b", noise(random, 3, 128));
    }
    SafetensorsWriter.write(file, Map.of(), tensors);
    AdapterSpec kinds = new AdapterSpec(file, 0.75);
    AdapterSpec converted = converted(LORA, kinds, MINOR);
    try (AdaptedDemo model = new AdaptedDemo()) {
      assertSameEffect(model.chain(LORA, kinds, MINOR), model.chain(converted), model);
    }
  }

  private static Tensor noise(Random random, int rows, int columns) {
    float[] values = new float[rows * columns];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (0.1 * random.nextGaussian());
    }
    return Tensor.ofFloats(values, rows, columns);
  }

  @ParameterizedTest
  @ValueSource(strings = {"lokr", "full", "decomposed", "peft_bias"})
  void changesThatAreNoneOfLowRank(String name) {
    AdapterSpec other = new AdapterSpec(TestData.path("adapters/" + name + ".safetensors"), 1);
    assertThatThrownBy(() -> conversion(AdaptedDemo.CHECKPOINT, LORA, other, MINOR).writeLowRank())
        .isInstanceOf(AdapterException.class)
        .hasMessageContainingAll(other.path().toString(), "none of low rank", "urae merge");
    assertThat(folder.resolve("converted.safetensors")).doesNotExist();
  }

  /** The components are those of the weight after DoRA and whatever else comes before. */
  @Test
  void minorComponentsAfterChangesOfOtherKinds() throws IOException {
    List<AdapterSpec> before =
        Stream.of("peft_dora", "full", "decomposed")
            .map(name -> new AdapterSpec(TestData.path("adapters/" + name + ".safetensors"), 1))
            .toList();
    Path merged = folder.resolve("merged");
    CheckpointMerger.builder()
        .model(AdaptedDemo.CHECKPOINT)
        .adapter(LORA.path())
        .adapters(before)
        .elementType(ElementType.F32)
        .output(merged)
        .write();
    List<AdapterSpec> all = new ArrayList<>(List.of(LORA));
    all.addAll(before);
    all.add(MINOR);
    String weight = "transformer_blocks.0.attn.to_q.weight";
    try (AdaptedDemo model = new AdaptedDemo();
        AdaptedDemo base = new AdaptedDemo(merged)) {
      float[] expected = base.merge(base.chain(new AdapterOptions(false, true), MINOR), weight);
      float[] actual = model.merge(model.chain(all.toArray(AdapterSpec[]::new)), weight);
      assertThat(TestData.largestDifference(expected, actual)).isLessThan(1e-5);
    }
  }

  @Test
  void scalesAndAlphasAreInTheMatrices() throws IOException {
    AdapterSpec half = new AdapterSpec(LORA.path(), 0.5);
    AdapterSpec quarter = new AdapterSpec(MINOR.path(), 0.25);
    AdapterSpec converted = converted(half, quarter);
    try (AdaptedDemo model = new AdaptedDemo()) {
      assertSameEffect(model.chain(half, quarter), model.chain(converted), model);
    }
  }

  @Test
  void isRefusedOnAnotherCheckpointAndBesideItsParts() throws IOException {
    AdapterSpec converted = converted(LORA, MINOR);
    Path other = folder.resolve("other");
    CheckpointMerger.builder()
        .model(AdaptedDemo.CHECKPOINT)
        .adapters(List.of(AdaptedDemo.LORA))
        .output(other)
        .write();
    assertThatThrownBy(
            () -> conversion(other, converted, MINOR).output(folder.resolve("x")).writeLowRank())
        .isInstanceOf(AdapterException.class)
        .hasMessageContainingAll(converted.path().toString(), "fingerprint", "anew");
    try (AdaptedDemo model = new AdaptedDemo()) {
      for (AdapterSpec[] chain : new AdapterSpec[][] {{LORA, converted}, {converted, LORA}}) {
        assertThatThrownBy(() -> model.chain(chain))
            .isInstanceOf(AdapterException.class)
            .hasMessageContainingAll(
                converted.path().toString(), "contains", LORA.path().toString());
      }
    }
  }

  /** The same weights in float32 and in one file are the same checkpoint. */
  @Test
  void isAcceptedOnTheSameCheckpointInAnotherForm() throws IOException {
    AdapterSpec converted = converted(LORA, MINOR);
    Path wide = folder.resolve("wide");
    CheckpointMerger.builder()
        .model(AdaptedDemo.CHECKPOINT)
        .elementType(ElementType.F32)
        .output(wide)
        .write();
    Path merged = folder.resolve("merged");
    CheckpointMerger.builder().model(wide).adapters(List.of(converted)).output(merged).write();
    assertThat(merged.resolve("transformer")).isDirectory();
  }

  @Test
  void chainsThatDoNotEndInMinorComponents() {
    for (AdapterSpec[] chain : new AdapterSpec[][] {{}, {LORA}}) {
      Path output = folder.resolve("x.safetensors");
      assertThatThrownBy(
              () -> conversion(AdaptedDemo.CHECKPOINT, chain).output(output).writeLowRank())
          .isInstanceOf(AdapterException.class)
          .hasMessageContaining("then one of minor components");
      assertThat(output).doesNotExist();
    }
  }

  /** What training begins with changes nothing: B A takes the place of Bm Am, which it equals. */
  @Test
  void minorComponentsToBeginTrainingWith() throws IOException {
    Path file = folder.resolve("minor.safetensors");
    AdapterConversion.Report report =
        conversion(AdaptedDemo.CHECKPOINT, LORA).output(file).writeMinorComponents(6);
    assertThat(report.weights()).isEqualTo(20);
    AdapterSpec minor = new AdapterSpec(file, 1);
    try (AdaptedDemo model = new AdaptedDemo();
        SafetensorsFile written = SafetensorsFile.open(file);
        SafetensorsFile trained = SafetensorsFile.open(MINOR.path())) {
      assertThat(written.tensors().keySet())
          .containsExactlyInAnyOrderElementsOf(trained.tensors().keySet());
      AdapterChain chain = model.chain(LORA, minor);
      assertThat(chain.adapters().get(1).modules().get(0).change().rank()).isEqualTo(6);
      assertSameEffect(model.chain(LORA), chain, model);
      // They belong on top of the adapter that they were computed on.
      AdapterSpec conversion = AdaptedDemo.CONVERSION;
      assertThatThrownBy(() -> model.chain(conversion, minor))
          .isInstanceOf(AdapterException.class)
          .hasMessageContainingAll(file.toString(), "on top of 1 adapters");
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 129})
  void ranksThatDoNotFit(int rank) {
    Path file = folder.resolve("minor.safetensors");
    assertThatThrownBy(
            () -> conversion(AdaptedDemo.CHECKPOINT).output(file).writeMinorComponents(rank))
        .isInstanceOf(InvalidRequestException.class)
        .hasMessageContainingAll("1 to 128", "found " + rank);
    assertThat(file).doesNotExist();
  }

  @Test
  void foldersThatAreNoCheckpoint() throws IOException {
    Path empty = Files.createDirectory(folder.resolve("empty"));
    assertThatThrownBy(() -> conversion(empty).writeMinorComponents(4))
        .isInstanceOf(ModelException.class)
        .hasMessageContainingAll(empty.toString(), "model_index.json");
  }
}
