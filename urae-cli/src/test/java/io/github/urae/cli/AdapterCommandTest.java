package io.github.urae.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.urae.adapter.Adapter;
import io.github.urae.adapter.AdapterFormat;
import io.github.urae.demo.DemoModel;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Tensor;
import io.github.urae.testkit.TestData;
import io.github.urae.weights.Safetensors;
import io.github.urae.weights.SafetensorsFile;
import io.github.urae.weights.SafetensorsWriter;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Adapters on the command line. */
class AdapterCommandTest {

  private static final String CACHE = Path.of("target", "test-cache").toAbsolutePath().toString();

  @TempDir Path folder;

  private StringWriter out;
  private StringWriter err;

  @BeforeEach
  void clear() {
    out = new StringWriter();
    err = new StringWriter();
  }

  private int run(String... arguments) {
    clear();
    return UraeCommand.run(new PrintWriter(out, true), new PrintWriter(err, true), arguments);
  }

  private int runCached(String... arguments) {
    List<String> all = new ArrayList<>(Arrays.asList(arguments));
    all.addAll(List.of("--cache-dir", CACHE));
    return run(all.toArray(new String[0]));
  }

  private String in(String name) {
    return folder.resolve(name).toString();
  }

  private JsonNode json() throws IOException {
    return new ObjectMapper().readTree(out.toString());
  }

  /** An adapter with one module that small checkpoints do not have. */
  private Path withForeignKeys() throws IOException {
    Path file = folder.resolve("foreign.safetensors");
    try (SafetensorsFile own = SafetensorsFile.open(TestData.adapter2k())) {
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      for (String key : own.tensors().keySet()) {
        tensors.put(key, own.tensor(key));
      }
      String module = "transformer.transformer_blocks.18.attn.to_q";
      tensors.put(module + ".lora_A.weight", Tensor.ofFloats(new float[128], 1, 128));
      tensors.put(module + ".lora_B.weight", Tensor.ofFloats(new float[128], 128, 1));
      SafetensorsWriter.write(file, Map.of(), tensors);
    }
    return file;
  }

  private byte[] draw(String... more) throws IOException {
    List<String> arguments =
        new ArrayList<>(
            List.of("generate", "a star", "--device", "cpu", "--seed", "3", "--steps", "1"));
    arguments.addAll(List.of("--width", "64", "--height", "48", "--quiet"));
    arguments.addAll(List.of("--output", in("a.png"), "--latents-out", in("l.safetensors")));
    arguments.addAll(Arrays.asList(more));
    assertThat(runCached(arguments.toArray(new String[0]))).as(err.toString()).isZero();
    return Files.readAllBytes(folder.resolve("l.safetensors"));
  }

  @Test
  void generateAppliesAdaptersInOrderWithTheirScales() throws IOException {
    byte[] base = draw();
    byte[] with2k = draw("--adapter", "demo:2k");
    assertThat(with2k).isNotEqualTo(base);
    assertThat(draw("--adapter", "demo:2k=0")).isEqualTo(base);
    Path file = DemoModel.unpackInto(Path.of(CACHE)).adapter2k();
    assertThat(draw("--adapter", file.toString(), "--offload", "one-at-a-time")).isEqualTo(with2k);
    assertThat(draw("--adapter", file.toString(), "--residency", "block")).isEqualTo(with2k);
    assertThat(draw("--adapter", file + "=0.5")).isNotEqualTo(with2k).isNotEqualTo(base);
    assertThat(draw("--adapter", "demo:2k", "--adapter", "demo:4k=0.9")).isNotEqualTo(with2k);
    assertThat(run("inspect", in("a.png"), "--json")).isZero();
    assertThat(json().get("settings").get("adapters").textValue())
        .isEqualTo("urae_2k_adapter.safetensors=1.0\nurae_4k_adapter.safetensors=0.9");
  }

  @Test
  void keysThatChangeNothingAreRefusedOrNamed() throws IOException {
    String foreign = withForeignKeys().toString();
    String[] arguments = {
      "generate",
      "a",
      "--steps=1",
      "--width=64",
      "--height=48",
      "--adapter",
      foreign,
      "--output",
      in("a.png"),
      "--quiet"
    };
    assertThat(runCached(arguments)).isEqualTo(1);
    assertThat(err.toString().strip())
        .startsWith("urae: " + foreign)
        .contains("transformer_blocks.18.attn.to_q.lora_A.weight")
        .hasLineCount(1);
    assertThat(Files.exists(folder.resolve("a.png"))).isFalse();
    String[] lenient = Arrays.copyOf(arguments, arguments.length + 1);
    lenient[arguments.length] = "--ignore-unmatched";
    // The library's log names them.
    assertThat(runCached(lenient)).isZero();
  }

  @ParameterizedTest
  @CsvSource({
    "demo:4k, put that one before this",
    "/nonexistent/lora.safetensors, /nonexistent/lora.safetensors: no such file",
    "demo:2k=NaN, expected a finite scale"
  })
  void adaptersThatCannotBeUsed(String adapter, String message) throws IOException {
    for (String[] arguments :
        new String[][] {
          {"generate", "a", "--adapter", adapter, "--output", in("a.png")},
          {"merge", "--adapter", adapter, "--output", in("merged")},
          {"minor-components", "--adapter", adapter, "--output", in("m.safetensors")},
          {
            "convert-adapter",
            "--base-adapter",
            adapter,
            "--adapter",
            "demo:4k",
            "--output",
            in("c.safetensors")
          }
        }) {
      assertThat(runCached(arguments)).as(arguments[0]).isEqualTo(1);
      assertThat(err.toString().strip())
          .as(arguments[0])
          .startsWith("urae: ")
          .contains(message)
          .hasLineCount(1);
    }
    try (Stream<Path> left = Files.list(folder)) {
      assertThat(left).isEmpty();
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "merge",
        "merge --adapter demo:2k",
        "merge --output x",
        "merge --adapter demo:2k --output x --dtype f8",
        "quantise --to q8_0",
        "quantise --to q4_k --output x",
        "convert-adapter --adapter demo:4k --output x",
        "convert-adapter --base-adapter demo:2k --output x",
        "minor-components",
        "minor-components --output x --rank 0",
        "minor-components --output x --rank many",
        "generate a --offload sometimes",
        "generate a --precision float8",
        "generate a --adapter"
      })
  void wrongUsageEndsWithTwo(String line) {
    assertThat(run(line.split(" ", -1))).isEqualTo(2);
    assertThat(err.toString()).contains("urae");
  }

  @Test
  void mergesIntoANewCheckpoint() throws IOException {
    Path merged = folder.resolve("merged");
    assertThat(runCached("merge", "--adapter", "demo:2k", "--output", merged.toString())).isZero();
    assertThat(out.toString()).isEqualToIgnoringNewLines(merged.toString());
    assertThat(err.toString()).contains("adapters 1, seconds ");
    try (TensorSource weights = Safetensors.open(merged.resolve("transformer"))) {
      assertThat(weights.tensors().values()).allMatch(t -> t.type() == ElementType.BF16);
    }
    assertThat(run("inspect", merged.toString())).isZero();
    assertThat(out.toString()).contains("FLUX.1 checkpoint");

    assertThat(runCached("merge", "--adapter", "demo:2k", "--output", merged.toString()))
        .isEqualTo(1);
    assertThat(err.toString()).contains("expected a folder that is not there yet");

    Path float32 = folder.resolve("float32");
    assertThat(
            runCached(
                "merge",
                "--adapter=demo:2k",
                "--adapter=demo:4k=0.5",
                "--dtype=f32",
                "--json",
                "--output=" + float32))
        .isZero();
    assertThat(json().get("output").textValue()).isEqualTo(float32.toString());
    assertThat(json().get("adapters").intValue()).isEqualTo(2);
    assertThat(json().get("unmatched")).isEmpty();
    assertThat(err.toString()).isEmpty();
    try (TensorSource weights = Safetensors.open(float32.resolve("transformer"))) {
      assertThat(weights.tensors().values()).allMatch(t -> t.type() == ElementType.F32);
    }
    draw("--model", float32.toString());
  }

  @Test
  void quantisesIntoAFileThatDraws() throws IOException {
    String file = in("own.gguf");
    assertThat(runCached("quantise", "--to", "q8_0", "--adapter", "demo:2k", "--output", file))
        .isZero();
    assertThat(out.toString()).isEqualToIgnoringNewLines(file);
    assertThat(err.toString()).contains("adapters 1, encoding Q8_0, bytes ");
    assertThat(run("inspect", file)).isZero();
    draw("--transformer", file);
    String int8 = in("own.safetensors");
    assertThat(runCached("quantise", "--to", "int8", "--output", int8)).isZero();
    assertThat(run("inspect", int8)).isZero();
    assertThat(out.toString()).contains("INT8: 52");
    draw("--transformer", int8);
    assertThat(run("quantise", "--to", "int8", "--output", file)).isEqualTo(1);
    assertThat(err.toString()).contains(".safetensors", "q8_0");
    assertThat(run("quantise", "--to", "q8_0", "--output", int8)).isEqualTo(1);
    assertThat(err.toString()).contains(".gguf");
  }

  /** Two transformers in a folder are no model, but what there is can be told. */
  @Test
  void inspectsAFolderThatIsNotOneModel() throws IOException {
    Path models = Files.createDirectories(folder.resolve("models/unet"));
    Path file = TestData.path("quantised/files/flux-tiny-Q4_0.gguf");
    Files.copy(file, models.resolve("one.gguf"));
    Files.copy(file, models.resolve("two.gguf"));
    assertThat(run("inspect", in("models"))).as(err.toString()).isZero();
    assertThat(out.toString())
        .contains("not one model", "expected one file of the transformer", "--transformer")
        .contains("one.gguf:", "two.gguf:", "Q4_0", "2 double and 4 single blocks");
    assertThat(run("inspect", in("models"), "--json")).isZero();
  }

  /** A part of other sizes than the bundled model has needs a model that the rest is taken from. */
  @Test
  void partsThatDoNotFitTheBundledModelNeedAnother() throws IOException {
    for (String other : List.of("flux-wide-K.gguf", "flux-mini-diffusers-Q4_0.gguf")) {
      String file = TestData.path("quantised/files/" + other).toString();
      assertThat(runCached("generate", "a", "--transformer", file)).isEqualTo(1);
      assertThat(err.toString())
          .contains("no --model is given", "bundled small model", "--model", "--text-encoder-2");
    }
  }

  @Test
  void mergesWhatMatchesIfToldSo() throws IOException {
    String foreign = withForeignKeys().toString();
    assertThat(runCached("merge", "--adapter", foreign, "--output", in("m"))).isEqualTo(1);
    assertThat(folder.resolve("m")).doesNotExist();
    assertThat(
            runCached(
                "merge", "--adapter", foreign, "--output", in("m"), "--ignore-unmatched", "--json"))
        .isZero();
    assertThat(json().get("unmatched")).hasSize(2);
    assertThat(err.toString()).contains("the model has no such part", "change nothing");
  }

  @Test
  void convertsTwoAdaptersIntoOneThatDrawsTheSame() throws IOException {
    Path converted = folder.resolve("48.safetensors");
    assertThat(
            runCached(
                "convert-adapter",
                "--model",
                TestData.checkpoint().toString(),
                "--base-adapter",
                TestData.adapter2k().toString(),
                "--adapter",
                TestData.adapter4k().toString(),
                "--output",
                converted.toString(),
                "--json"))
        .isZero();
    assertThat(json().get("weights").intValue()).isEqualTo(20);
    assertThat(json().get("largest residual").doubleValue()).isLessThan(1e-4);
    try (Adapter adapter = Adapter.open(converted)) {
      assertThat(adapter.format()).isEqualTo(AdapterFormat.PEFT);
      assertThat(adapter.modules()).hasSize(20).allMatch(m -> m.rank() == 48);
    }
    assertThat(
            runCached(
                "generate",
                "a",
                "--model",
                TestData.checkpoint().toString(),
                "--adapter",
                TestData.adapter2k().toString(),
                "--adapter",
                converted.toString(),
                "--output",
                in("a.png")))
        .isEqualTo(1);
    assertThat(err.toString()).contains("contains").contains("already");
    draw("--model", TestData.checkpoint().toString(), "--adapter", converted.toString());
    assertThat(
            runCached(
                "convert-adapter",
                "--base-adapter=demo:4k",
                "--adapter=demo:2k",
                "--output=" + in("x.safetensors")))
        .isEqualTo(1);
  }

  @Test
  void computesMinorComponents() throws IOException {
    Path minor = folder.resolve("minor.safetensors");
    assertThat(
            runCached(
                "minor-components",
                "--adapter",
                "demo:2k",
                "--rank",
                "4",
                "--output",
                minor.toString()))
        .isZero();
    assertThat(out.toString()).isEqualToIgnoringNewLines(minor.toString());
    assertThat(err.toString()).contains("weights 20, rank 4, largest residual ");
    try (Adapter adapter = Adapter.open(minor)) {
      assertThat(adapter.format()).isEqualTo(AdapterFormat.MINOR_COMPONENTS);
      assertThat(adapter.modules()).hasSize(20).allMatch(m -> m.rank() == 4);
    }
    assertThat(runCached("minor-components", "--output", "/nonexistent/m.safetensors"))
        .isEqualTo(1);
    assertThat(err.toString()).contains("no such folder");
    assertThat(runCached("minor-components", "--rank=129", "--output", in("n.safetensors")))
        .isEqualTo(1);
    assertThat(err.toString().strip()).contains("expected 1 to 128").hasLineCount(1);
  }

  @Test
  void inspectsAdaptersOfOtherKinds() throws IOException {
    String kinds = TestData.path("adapters/decomposed.safetensors").toString();
    assertThat(runCached("inspect", kinds, "--json")).isZero();
    assertThat(json().get("format").textValue())
        .isEqualTo("DoRA and LoHa with DoRA and LoKr with DoRA, kohya names");
    assertThat(json().get("modules by kind").get("DoRA").intValue()).isEqualTo(2);
    assertThat(json().get("modules by rank").get("2").intValue()).isEqualTo(2);

    String full = TestData.path("adapters/full.safetensors").toString();
    assertThat(runCached("inspect", full, "--json")).isZero();
    assertThat(json().get("format").textValue()).isEqualTo("differences, kohya names");
    assertThat(json().get("modules").toString())
        .contains("lora_unet_img_in.bias: [128, 1], differences");
  }

  @Test
  void inspectsAnAdapter() throws IOException {
    assertThat(runCached("inspect", TestData.adapter2k().toString(), "--json")).isZero();
    assertThat(json().get("kind").textValue()).isEqualTo("adapter");
    assertThat(json().get("format").textValue()).isEqualTo("LoRA, PEFT names");
    assertThat(json().get("modules by rank").get("16").intValue()).isEqualTo(20);
    assertThat(json().get("modules by alpha").get("16.0").intValue()).isEqualTo(20);
    assertThat(json().get("modules")).hasSize(20);
    assertThat(json().has("weights changed")).isFalse();

    assertThat(runCached("inspect", "demo:4k", "--model", "demo:model")).isZero();
    assertThat(out.toString())
        .contains("format: URAE minor components")
        .contains("needs: the adapter")
        .contains("  transformer: 20");

    String foreign = withForeignKeys().toString();
    assertThat(runCached("inspect", foreign, "--model", "demo:model", "--json")).isZero();
    assertThat(json().get("would not apply")).hasSize(2);
    assertThat(json().get("weights changed").get("transformer").intValue()).isEqualTo(20);
  }

  @Test
  void inspectsAFolderWithAnAdapter() throws IOException {
    String peft = TestData.path("public-cases/peft_folder").toString();
    assertThat(run("inspect", peft, "--json")).as(err.toString()).isZero();
    assertThat(json().get("kind").asText()).isEqualTo("adapter");
    assertThat(json().get("modules by alpha").get("16.0").asInt()).isEqualTo(1);
  }

  @Test
  void inspectTellsWhatAFileIsThatItDoesNotTake() throws IOException {
    assertThat(run("inspect", TestData.path("public-cases/lora.gguf").toString())).isEqualTo(1);
    assertThat(err.toString()).contains("found a GGUF file without any");
    Path pickle = TestData.path("public-cases/pytorch_lora_weights.bin");
    assertThat(run("inspect", pickle.toString())).isEqualTo(1);
    assertThat(err.toString()).contains("found a PyTorch pickle");
    Path renamed = folder.resolve("download");
    Files.copy(TestData.adapter2k(), renamed);
    assertThat(run("inspect", renamed.toString())).as(err.toString()).isZero();
  }

  @Test
  void inspectSaysWhenAnAdapterDoesNotFit() throws IOException {
    Path other = folder.resolve("other.safetensors");
    SafetensorsWriter.write(
        other,
        Map.of(),
        Map.of(
            "unet.down.attn.to_q.lora_A.weight", Tensor.ofFloats(new float[8], 1, 8),
            "unet.down.attn.to_q.lora_B.weight", Tensor.ofFloats(new float[8], 8, 1)));
    assertThat(runCached("inspect", other.toString(), "--model", "demo:model")).isZero();
    assertThat(out.toString()).contains("does not fit: ").contains("made for another one");
    SafetensorsWriter.write(
        other, Map.of(), Map.of("a.lora_A.weight", Tensor.ofFloats(new float[8], 1, 8)));
    assertThat(run("inspect", other.toString())).isEqualTo(1);
    assertThat(err.toString()).contains("the other half of the pair is missing");
    SafetensorsWriter.write(other, Map.of(), Map.of("a.weight", Tensor.ofFloats(new float[8], 8)));
    assertThat(run("inspect", other.toString())).isZero();
    assertThat(out.toString()).contains("kind: safetensors");
  }
}
