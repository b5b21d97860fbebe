package io.github.urae.openblas;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.urae.AdapterException;
import io.github.urae.CancellationToken;
import io.github.urae.InvalidRequestException;
import io.github.urae.ModelException;
import io.github.urae.ProgressListener;
import io.github.urae.adapter.AdapterConversion;
import io.github.urae.adapter.AdapterOptions;
import io.github.urae.adapter.AdapterSpec;
import io.github.urae.adapter.CheckpointMerger;
import io.github.urae.adapter.internal.match.AdapterChain;
import io.github.urae.flux.model.Component;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.testkit.TestData;
import io.github.urae.weights.SafetensorsFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AdapterConversionTest {

  private static final AdapterSpec LORA = AdaptedDemo.LORA;
  private static final AdapterSpec MINOR = AdaptedDemo.MINOR;

  @TempDir Path folder;

  private static AdapterConversion conversion(Path model) {
    return new AdapterConversion(
        model,
        AdapterOptions.STRICT,
        TestData.CACHE,
        new ProgressListener() {},
        new CancellationToken());
  }

  private AdapterSpec converted(AdapterSpec... chain) throws IOException {
    Path file = folder.resolve("converted.safetensors");
    AdapterConversion.Report report =
        conversion(AdaptedDemo.CHECKPOINT).toLowRank(List.of(chain), file);
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
    new CheckpointMerger(
            AdaptedDemo.CHECKPOINT,
            List.of(AdaptedDemo.LORA),
            AdapterOptions.STRICT,
            Optional.empty(),
            TestData.CACHE,
            new ProgressListener() {},
            new CancellationToken())
        .mergeTo(other);
    assertThatThrownBy(
            () -> conversion(other).toLowRank(List.of(converted, MINOR), folder.resolve("x")))
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
    new CheckpointMerger(
            AdaptedDemo.CHECKPOINT,
            List.of(),
            AdapterOptions.STRICT,
            Optional.of(ElementType.F32),
            TestData.CACHE,
            new ProgressListener() {},
            new CancellationToken())
        .mergeTo(wide);
    Path merged = folder.resolve("merged");
    new CheckpointMerger(
            wide,
            List.of(converted),
            AdapterOptions.STRICT,
            Optional.empty(),
            TestData.CACHE,
            new ProgressListener() {},
            new CancellationToken())
        .mergeTo(merged);
    assertThat(merged.resolve("transformer")).isDirectory();
  }

  @Test
  void chainsThatDoNotEndInMinorComponents() {
    for (List<AdapterSpec> chain : List.of(List.<AdapterSpec>of(), List.of(LORA))) {
      Path output = folder.resolve("x.safetensors");
      assertThatThrownBy(() -> conversion(AdaptedDemo.CHECKPOINT).toLowRank(chain, output))
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
        conversion(AdaptedDemo.CHECKPOINT).minorComponents(List.of(LORA), 6, file);
    assertThat(report.weights()).isEqualTo(20);
    AdapterSpec minor = new AdapterSpec(file, 1);
    try (AdaptedDemo model = new AdaptedDemo();
        SafetensorsFile written = SafetensorsFile.open(file);
        SafetensorsFile trained = SafetensorsFile.open(MINOR.path())) {
      assertThat(written.tensors().keySet())
          .containsExactlyInAnyOrderElementsOf(trained.tensors().keySet());
      AdapterChain chain = model.chain(LORA, minor);
      assertThat(chain.adapters().get(1).modules().get(0).rank()).isEqualTo(6);
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
            () -> conversion(AdaptedDemo.CHECKPOINT).minorComponents(List.of(), rank, file))
        .isInstanceOf(InvalidRequestException.class)
        .hasMessageContainingAll("1 to 128", "found " + rank);
    assertThat(file).doesNotExist();
  }

  @Test
  void foldersThatAreNoCheckpoint() throws IOException {
    Path empty = Files.createDirectory(folder.resolve("empty"));
    assertThatThrownBy(
            () -> conversion(empty).minorComponents(List.of(), 4, folder.resolve("x.safetensors")))
        .isInstanceOf(ModelException.class)
        .hasMessageContainingAll(empty.toString(), "'transformer'");
  }
}
