package io.github.urae.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.urae.AdapterException;
import io.github.urae.CancellationToken;
import io.github.urae.ProgressListener;
import io.github.urae.Stage;
import io.github.urae.adapter.internal.match.AdapterChain;
import io.github.urae.adapter.internal.match.AdapterOptions;
import io.github.urae.adapter.internal.merge.WeightMerger;
import io.github.urae.flux.model.Component;
import io.github.urae.internal.TaskReporter;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import io.github.urae.tensor.internal.Elements;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Every kind of change against plain loops in float64, in chains and alone, and damaged ones. */
class AdapterKindsTest {

  private static final double TOLERANCE = 1e-5;

  private static final String TO_Q = "transformer.transformer_blocks.0.attn.to_q";
  private static final String WEIGHT = "transformer_blocks.0.attn.to_q.weight";
  private static final String BIAS = "transformer_blocks.0.attn.to_q.bias";

  @TempDir Path folder;

  // A plain model of what adapters do

  /** Rows of a module that are rows of a parameter. */
  private record Part(String parameter, int first, int rows) {}

  /** A module as adapters name it, and the parameters that it lies in. */
  private record Module(String name, int outputs, int inputs, List<Part> parts) {}

  private static Module whole(String name, String diffusers, int outputs, int inputs) {
    return new Module(name, outputs, inputs, List.of(new Part(diffusers, 0, outputs)));
  }

  private static final List<Module> MODULES =
      List.of(
          whole(TO_Q, "transformer_blocks.0.attn.to_q", 128, 128),
          whole("lycoris_proj_out", "proj_out", 64, 128),
          whole("diffusion_model.img_in", "x_embedder", 128, 64),
          whole(
              "lora_unet_double_blocks_0_img_mlp_0",
              "transformer_blocks.0.ff.net.0.proj",
              512,
              128),
          new Module(
              "diffusion_model.double_blocks.0.img_attn.qkv",
              384,
              128,
              List.of(
                  new Part("transformer_blocks.0.attn.to_q", 0, 128),
                  new Part("transformer_blocks.0.attn.to_k", 0, 128),
                  new Part("transformer_blocks.0.attn.to_v", 0, 128))),
          new Module(
              "lora_unet_single_blocks_2_linear1",
              896,
              128,
              List.of(
                  new Part("single_transformer_blocks.2.attn.to_q", 0, 128),
                  new Part("single_transformer_blocks.2.attn.to_k", 0, 128),
                  new Part("single_transformer_blocks.2.attn.to_v", 0, 128),
                  new Part("single_transformer_blocks.2.proj_mlp", 0, 512))),
          new Module(
              "lora_unet_final_layer_adaLN_modulation_1",
              256,
              128,
              List.of(new Part("norm_out.linear", 128, 128), new Part("norm_out.linear", 0, 128))));

  /** The parameters of the transformer, as adapters leave them. */
  private static final class PlainModel {

    private final TinyFlux model;
    private final Map<String, double[]> changed = new LinkedHashMap<>();

    PlainModel(TinyFlux model) {
      this.model = model;
    }

    private double[] parameter(String name) throws IOException {
      double[] values = changed.get(name);
      if (values == null) {
        float[] stored = model.transformer().tensor(name).toFloats();
        values = new double[stored.length];
        for (int i = 0; i < stored.length; i++) {
          values[i] = stored[i];
        }
        changed.put(name, values);
      }
      return values;
    }

    double[] gather(Module module, String ending, int columns) throws IOException {
      double[] all = new double[module.outputs * columns];
      int row = 0;
      for (Part part : module.parts) {
        double[] from = parameter(part.parameter + ending);
        System.arraycopy(from, part.first * columns, all, row * columns, part.rows * columns);
        row += part.rows;
      }
      return all;
    }

    void scatter(Module module, String ending, int columns, double[] all) throws IOException {
      int row = 0;
      for (Part part : module.parts) {
        double[] to = parameter(part.parameter + ending);
        System.arraycopy(all, row * columns, to, part.first * columns, part.rows * columns);
        row += part.rows;
      }
    }
  }

  /** [rows, columns], row-major. */
  private static final class Values {

    private final int rows;
    private final int columns;
    private final double[] of;

    Values(int rows, int columns, double[] of) {
      this.rows = rows;
      this.columns = columns;
      this.of = of;
    }

    Values times(Values right) {
      double[] product = new double[rows * right.columns];
      for (int i = 0; i < rows; i++) {
        for (int k = 0; k < columns; k++) {
          for (int j = 0; j < right.columns; j++) {
            product[i * right.columns + j] += of[i * columns + k] * right.of[k * right.columns + j];
          }
        }
      }
      return new Values(rows, right.columns, product);
    }

    Values turned() {
      double[] turned = new double[of.length];
      for (int i = 0; i < of.length; i++) {
        turned[i % columns * rows + i / columns] = of[i];
      }
      return new Values(/* rows= */ columns, /* columns= */ rows, turned);
    }

    Values kron(Values right) {
      double[] product = new double[of.length * right.of.length];
      int width = columns * right.columns;
      for (int i = 0; i < product.length; i++) {
        int row = i / width;
        int column = i % width;
        product[i] =
            of[row / right.rows * columns + column / right.columns]
                * right.of[row % right.rows * right.columns + column % right.columns];
      }
      return new Values(rows * right.rows, width, product);
    }

    Values hadamard(Values right) {
      double[] product = of.clone();
      for (int i = 0; i < product.length; i++) {
        product[i] *= right.of[i];
      }
      return new Values(rows, columns, product);
    }
  }

  /** Writes random adapters and does what they say. */
  private final class RandomChain {

    private final Random random;
    private final PlainModel plain;
    private AdapterFile file;

    RandomChain(long seed, PlainModel plain) {
      this.random = new Random(seed);
      this.plain = plain;
    }

    AdapterSpec next(int number) throws IOException {
      file = new AdapterFile();
      double[] scales = {1, 1, 0.5, -1, 1.75};
      double scale = scales[random.nextInt(scales.length)];
      List<Module> modules = new ArrayList<>(MODULES);
      Collections.shuffle(modules, random);
      Set<String> names = new HashSet<>();
      for (Module module : modules.subList(0, 1 + random.nextInt(3))) {
        // One file does not change the same rows under two names.
        if (module.parts.stream().noneMatch(part -> names.contains(part.parameter))) {
          module.parts.forEach(part -> names.add(part.parameter));
          change(module, scale);
        }
      }
      if (random.nextInt(3) == 0) {
        norm(scale);
      }
      Path path = folder.resolve("adapter-" + number + ".safetensors");
      file.write(path);
      return new AdapterSpec(path, scale);
    }

    private Values tensor(String key, int rows, int columns) {
      return tensor(key, rows, columns, 0.1, rows, columns);
    }

    /** Stores random values in a random type, and returns what was stored. */
    private Values tensor(String key, int rows, int columns, double size, long... shape) {
      float[] values = new float[rows * columns];
      for (int i = 0; i < values.length; i++) {
        values[i] = (float) (size * random.nextGaussian());
      }
      return stored(key, rows, columns, values, shape);
    }

    private Values stored(String key, int rows, int columns, float[] values, long... shape) {
      ElementType[] types = {
        ElementType.F32, ElementType.F32, ElementType.BF16, ElementType.F16, ElementType.F64
      };
      long[] form =
          random.nextInt(8) == 0 && shape.length == 2
              ? new long[] {shape[0], shape[1], 1, 1}
              : shape;
      Tensor tensor = AdapterFile.rounded(types[random.nextInt(types.length)], values, form);
      file.tensor(key, tensor);
      float[] read = tensor.toFloats();
      double[] doubles = new double[read.length];
      for (int i = 0; i < read.length; i++) {
        doubles[i] = read[i];
      }
      return new Values(rows, columns, doubles);
    }

    private double alpha(Module module, int rank) {
      if (random.nextBoolean()) {
        return 1;
      }
      float alpha = 1 + random.nextInt(8);
      file.alpha(module.name, alpha);
      return alpha / rank;
    }

    private void change(Module module, double scale) throws IOException {
      double[] before = plain.gather(module, ".weight", module.inputs);
      double[] after = before.clone();
      switch (random.nextInt(6)) {
        case 0 -> add(after, lora(module), scale, module);
        case 1, 2 -> add(after, lokr(module), scale, module);
        case 3 -> add(after, loha(module), scale, module);
        case 4 -> {
          Values difference = tensor(module.name + ".diff", module.outputs, module.inputs);
          addTo(after, difference, scale);
        }
        default -> {
          Values whole = tensor(module.name + ".set_weight", module.outputs, module.inputs);
          move(after, whole.of, scale);
        }
      }
      plain.scatter(module, ".weight", module.inputs, after);
      if (random.nextInt(3) == 0) {
        double[] bias = plain.gather(module, ".bias", 1);
        addTo(bias, tensor(module.name + ".diff_b", module.outputs, 1, 0.1, module.outputs), scale);
        plain.scatter(module, ".bias", 1, bias);
      }
    }

    private void norm(double scale) throws IOException {
      Module norm = whole("n", "transformer_blocks.1.attn.norm_k", 32, 1);
      String[] keys = {
        "lora_unet_double_blocks_1_img_attn_norm_key_norm.w_norm",
        "diffusion_model.double_blocks.1.img_attn.norm.key_norm.scale.diff",
        "transformer.transformer_blocks.1.attn.norm_k.diff"
      };
      double[] values = plain.gather(norm, ".weight", 1);
      addTo(values, tensor(keys[random.nextInt(keys.length)], 32, 1, 0.1, 32), scale);
      plain.scatter(norm, ".weight", 1, values);
    }

    private record Scaled(Values product, double scale) {}

    private Scaled lora(Module module) {
      int rank = 1 + random.nextInt(9);
      boolean peft = random.nextBoolean();
      Values up =
          tensor(module.name + (peft ? ".lora_B.weight" : ".lora_up.weight"), module.outputs, rank);
      Values down =
          tensor(
              module.name + (peft ? ".lora_A.weight" : ".lora_down.weight"), rank, module.inputs);
      return new Scaled(up.times(down), alpha(module, rank));
    }

    private Scaled lokr(Module module) {
      int rows = divisor(module.outputs);
      int columns = divisor(module.inputs);
      int rank = 1 + random.nextInt(3);
      boolean leftWhole = random.nextBoolean();
      boolean rightWhole = random.nextBoolean();
      String name = module.name + ".lokr_w";
      Values left =
          leftWhole
              ? tensor(name + "1", rows, columns)
              : product(name + "1_a", name + "1_b", rows, rank, columns);
      int rightRows = module.outputs / rows;
      int rightColumns = module.inputs / columns;
      Values right;
      if (rightWhole) {
        right = tensor(name + "2", rightRows, rightColumns);
      } else if (random.nextInt(3) == 0) {
        right =
            tucker(
                module.name + ".lokr_t2",
                name + "2_a",
                name + "2_b",
                rightRows,
                rank,
                rightColumns);
      } else {
        right = product(name + "2_a", name + "2_b", rightRows, rank, rightColumns);
      }
      double scale = alpha(module, rank);
      return new Scaled(left.kron(right), leftWhole && rightWhole ? 1 : scale);
    }

    private Scaled loha(Module module) {
      int rank = 1 + random.nextInt(4);
      String name = module.name + ".hada_";
      boolean tucker = random.nextInt(3) == 0;
      Values[] factors = new Values[2];
      for (int i = 0; i < 2; i++) {
        String up = name + "w" + (i + 1) + "_a";
        String down = name + "w" + (i + 1) + "_b";
        factors[i] =
            tucker
                ? tucker(name + "t" + (i + 1), up, down, module.outputs, rank, module.inputs)
                : product(up, down, module.outputs, rank, module.inputs);
      }
      return new Scaled(factors[0].hadamard(factors[1]), alpha(module, rank));
    }

    private Values product(String up, String down, int rows, int rank, int columns) {
      return tensor(up, rows, rank, 0.3, rows, rank)
          .times(tensor(down, rank, columns, 0.3, rank, columns));
    }

    private Values tucker(String core, String up, String down, int rows, int rank, int columns) {
      return tensor(up, rank, rows)
          .turned()
          .times(tensor(core, rank, rank, 1, rank, rank))
          .times(tensor(down, rank, columns));
    }

    private int divisor(int of) {
      int[] divisors = IntStream.rangeClosed(1, 64).filter(d -> of % d == 0).toArray();
      return divisors[random.nextInt(divisors.length)];
    }

    /** Adds a product, with DoRA or without. */
    private void add(double[] weight, Scaled change, double scale, Module module) {
      int kind = random.nextInt(3);
      if (kind == 0) {
        addTo(weight, change.product, scale * change.scale);
        return;
      }
      boolean ofColumns = kind == 1;
      double[] changed = weight.clone();
      addTo(changed, change.product, change.scale);
      int columns = module.inputs;
      double[] norms = new double[ofColumns ? columns : module.outputs];
      for (int i = 0; i < changed.length; i++) {
        norms[ofColumns ? i % columns : i / columns] += changed[i] * changed[i];
      }
      float[] lengths = new float[norms.length];
      for (int i = 0; i < norms.length; i++) {
        lengths[i] = (float) (Math.sqrt(norms[i]) * (0.8 + 0.4 * random.nextDouble()));
      }
      String[] endings = {
        ".dora_scale",
        ".lora_magnitude_vector",
        ".lora_magnitude_vector.default.weight",
        ".lora_magnitude_vector.weight",
        ".magnitude"
      };
      String key = module.name + (ofColumns ? endings[0] : endings[random.nextInt(endings.length)]);
      Values magnitude =
          ofColumns
              ? stored(key, 1, columns, lengths, 1, columns)
              : random.nextBoolean()
                  ? stored(key, module.outputs, 1, lengths, module.outputs, 1)
                  : stored(key, module.outputs, 1, lengths, module.outputs);
      for (int i = 0; i < changed.length; i++) {
        int index = ofColumns ? i % columns : i / columns;
        changed[i] *= magnitude.of[index] / Math.sqrt(norms[index]);
      }
      move(weight, changed, scale);
    }

    private static void addTo(double[] weight, Values change, double scale) {
      for (int i = 0; i < weight.length; i++) {
        weight[i] += scale * change.of[i];
      }
    }

    private static void move(double[] weight, double[] to, double scale) {
      for (int i = 0; i < weight.length; i++) {
        weight[i] += scale * (to[i] - weight[i]);
      }
    }
  }

  @Test
  void chainsOfAllKindsEqualPlainLoops() throws IOException {
    long first = System.nanoTime();
    double largest = 0;
    for (long seed = first; seed < first + 40; seed++) {
      try (TinyFlux model = new TinyFlux()) {
        PlainModel plain = new PlainModel(model);
        RandomChain random = new RandomChain(seed, plain);
        List<AdapterSpec> specs = new ArrayList<>();
        for (int i = 0; i < 1 + seed % 3; i++) {
          specs.add(random.next(i));
        }
        AdapterChain chain = model.chain(specs.toArray(AdapterSpec[]::new));
        assertThat(chain.changedWeights(Component.TRANSFORMER))
            .as("seed %d", seed)
            .isEqualTo(plain.changed.keySet());
        WeightMerger merger = model.merger(chain, Component.TRANSFORMER);
        for (Map.Entry<String, double[]> entry : plain.changed.entrySet()) {
          double[] expected = entry.getValue();
          float[] merged = merger.mergeToFloats(entry.getKey());
          assertThat(streamed(merger, entry.getKey(), merged.length)).isEqualTo(merged);
          double error = error(expected, merged);
          largest = Math.max(largest, error);
          assertThat(error).as("seed %d, %s", seed, entry.getKey()).isLessThan(TOLERANCE);
        }
      }
    }
    System.out.printf("random chains from seed %d: largest error %.1e%n", first, largest);
  }

  private static double error(double[] expected, float[] actual) {
    double error = 0;
    double largest = 0;
    for (int i = 0; i < expected.length; i++) {
      error = Math.max(error, Math.abs(expected[i] - actual[i]));
      largest = Math.max(largest, Math.abs(expected[i]));
    }
    return error / largest;
  }

  private static float[] streamed(WeightMerger merger, String weight, int size) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(size * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    TaskReporter reporter =
        new TaskReporter(
            ProgressListener.NONE, new CancellationToken(), Stage.MERGING, bytes.capacity());
    merger.merge(weight, ElementType.F32, bytes::put, reporter);
    float[] values = new float[size];
    Elements.toFloats(ElementType.F32, bytes.flip(), values, 0, size);
    return values;
  }

  // Single cases

  private AdapterSpec write(AdapterFile file) throws IOException {
    return file.write(folder.resolve("adapter.safetensors"));
  }

  private static AdapterFile pair() {
    return new AdapterFile().pair(TO_Q, 4, 128, 128);
  }

  private float[] merged(AdapterFile file, String weight) throws IOException {
    AdapterSpec spec = write(file);
    try (TinyFlux model = new TinyFlux()) {
      return model.merger(model.chain(spec), Component.TRANSFORMER).mergeToFloats(weight);
    }
  }

  private static float[] stored(String weight) throws IOException {
    try (TinyFlux model = new TinyFlux()) {
      return model.transformer().tensor(weight).toFloats();
    }
  }

  @Test
  void nothingChangesAtScaleZero() throws IOException {
    AdapterSpec spec =
        write(
            pair()
                .noise(TO_Q + ".dora_scale", 1, 128)
                .noise(TO_Q + ".diff_b", 128)
                .noise("transformer.proj_out.weight", 64, 128));
    try (TinyFlux model = new TinyFlux()) {
      WeightMerger merger =
          model.merger(model.chain(new AdapterSpec(spec.path(), 0)), Component.TRANSFORMER);
      for (String weight : List.of(WEIGHT, BIAS, "proj_out.weight")) {
        assertThat(merger.mergeToFloats(weight)).isEqualTo(stored(weight));
      }
    }
  }

  @Test
  void alphaZeroLeavesTheWeightAsItIs() throws IOException {
    assertThat(merged(pair().alpha(TO_Q, 0), WEIGHT)).isEqualTo(stored(WEIGHT));
  }

  /** A row of zeros has no direction that it could be given a length in. */
  @Test
  void aRowOfZerosStaysOne() throws IOException {
    float[] difference = new float[128 * 128];
    float[] weight = stored(WEIGHT);
    for (int i = 0; i < 128; i++) {
      difference[i] = -weight[i];
    }
    float[] ones = new float[128];
    Arrays.fill(ones, 1);
    AdapterSpec zeroed =
        new AdapterFile()
            .values(TO_Q + ".diff", difference, 128, 128)
            .write(folder.resolve("zeroed.safetensors"));
    AdapterSpec dora =
        write(
            new AdapterFile()
                .values(TO_Q + ".lora_A.weight", new float[128], 1, 128)
                .values(TO_Q + ".lora_B.weight", ones, 128, 1)
                .values(TO_Q + ".lora_magnitude_vector", ones, 128));
    try (TinyFlux model = new TinyFlux()) {
      float[] after =
          model.merger(model.chain(zeroed, dora), Component.TRANSFORMER).mergeToFloats(WEIGHT);
      assertThat(Arrays.copyOf(after, 128)).containsOnly(0);
      double length = 0;
      for (int i = 128; i < 256; i++) {
        length += (double) after[i] * after[i];
      }
      assertThat(length).isCloseTo(1, Offset.offset(1e-6));
    }
  }

  /** PEFT's layer multiplies what B gives, bias and all. */
  @Test
  void theBiasOfBIsScaledAsTheProductIs() throws IOException {
    float[] before = stored(BIAS);
    for (String key : List.of(".lora_B.bias", ".lora_B.default.bias")) {
      float[] bias = AdapterFile.noise(128, 3);
      float[] after = merged(pair().alpha(TO_Q, 2).values(TO_Q + key, bias, 128), BIAS);
      for (int i = 0; i < 128; i++) {
        assertThat(after[i]).isEqualTo(before[i] + 0.5f * bias[i]);
      }
    }
  }

  /** PEFT divides alpha by the rank also where LoKr's factors are whole, and says both nearby. */
  @Test
  void wholeFactorsOfPeft() throws IOException {
    AdapterFile file =
        new AdapterFile().noise(TO_Q + ".lokr_w1", 8, 8).noise(TO_Q + ".lokr_w2", 16, 16);
    Path weights = folder.resolve("adapter_model.safetensors");
    file.write(weights);
    assertThat(scaleOf(weights)).isEqualTo(1);
    Path config = folder.resolve("adapter_config.json");
    Files.writeString(config, "{\"peft_type\": \"LOKR\", \"r\": 8, \"alpha\": 2}");
    assertThat(scaleOf(weights)).isEqualTo(0.25);
    Files.writeString(config, "{\"peft_type\": \"LOKR\", \"r\": 0, \"alpha\": 2}");
    assertThatThrownBy(() -> scaleOf(weights))
        .isInstanceOf(AdapterException.class)
        .hasMessageContaining("finite alpha");
  }

  private static double scaleOf(Path file) throws IOException {
    try (Adapter adapter = Adapter.open(file)) {
      return adapter.modules().get(0).scale();
    }
  }

  /** Differences of what is not trained are written, too. */
  @Test
  void zerosAreNoChange() throws IOException {
    String bias = TO_Q + ".lora_B.bias";
    String nowhere = "transformer.nowhere.diff_b";
    try (TinyFlux model = new TinyFlux()) {
      AdapterChain chain =
          model.chain(
              write(
                  pair()
                      .values(bias, new float[128], 128)
                      .values(nowhere, new float[70000], 70000)));
      assertThat(chain.unmatched()).isEmpty();
      assertThat(chain.changedWeights(Component.TRANSFORMER)).containsExactly(WEIGHT);
    }
    assertRefused(
        write(new AdapterFile().values(TO_Q + ".diff", new float[128 * 128], 128, 128)),
        "changes nothing");
  }

  /** Eight bits, as adapters for eight-bit checkpoints have them. */
  @ParameterizedTest
  @CsvSource({"F8_E4M3", "F8_E5M2"})
  void valuesOfEightBits(ElementType type) throws IOException {
    byte[] bytes = new byte[128 * 128];
    Random random = new Random(7);
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) (random.nextInt(40) | (random.nextBoolean() ? 0x80 : 0));
    }
    Tensor difference = Tensor.view(type, Shape.of(128, 128), ByteBuffer.wrap(bytes), "bytes");
    float[] added = difference.toFloats();
    float[] before = stored(WEIGHT);
    float[] after = merged(new AdapterFile().tensor(TO_Q + ".diff", difference), WEIGHT);
    for (int i = 0; i < after.length; i++) {
      assertThat(after[i]).isEqualTo(before[i] + added[i]);
    }
  }

  /** Large enough for several pieces and blocks, and for columns that go through all of them. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void columnsAreMeasuredBeforeAnyOfThemChanges(boolean twice) throws IOException {
    AdapterFile file =
        new AdapterFile()
            .noise("lora_unet_single_blocks_2_linear1.lokr_w1", 7, 8)
            .noise("lora_unet_single_blocks_2_linear1.lokr_w2", 128, 16)
            .values("lora_unet_single_blocks_2_linear1.dora_scale", ones(128), 1, 128);
    AdapterSpec spec = write(file);
    try (TinyFlux model = new TinyFlux()) {
      AdapterChain chain = twice ? model.chain(spec, spec) : model.chain(spec);
      double[] squares = new double[128];
      for (String name : List.of("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp")) {
        float[] part =
            model
                .merger(chain, Component.TRANSFORMER)
                .mergeToFloats("single_transformer_blocks.2." + name + ".weight");
        for (int i = 0; i < part.length; i++) {
          squares[i % 128] += (double) part[i] * part[i];
        }
      }
      for (double square : squares) {
        assertThat(square).isCloseTo(1, Offset.offset(1e-5));
      }
    }
  }

  private static float[] ones(int count) {
    float[] ones = new float[count];
    Arrays.fill(ones, 1);
    return ones;
  }

  // What is refused

  private static void assertRefused(AdapterSpec spec, String... parts) throws IOException {
    try (TinyFlux model = new TinyFlux()) {
      for (AdapterOptions options :
          List.of(AdapterOptions.STRICT, new AdapterOptions(true, true))) {
        assertThatThrownBy(() -> model.chain(options, spec))
            .isInstanceOf(AdapterException.class)
            .hasMessageContaining(spec.path().toString())
            .hasMessageContainingAll(parts);
      }
    }
  }

  /** Without what is not known, a plain update would be merged in silence. */
  @ParameterizedTest
  @ValueSource(
      strings = {"magnitude_vector", "lora_mid.weight", "lora_C.weight", "m", "lora_magnitudes"})
  void aPartThatIsNotKnown(String ending) throws IOException {
    assertRefused(write(pair().noise(TO_Q + "." + ending, 4, 4)), TO_Q + "." + ending);
  }

  @Test
  void aMagnitudeThatDoesNotFitOrStandsAlone() throws IOException {
    for (long[] shape : new long[][] {{127}, {1, 129}, {128, 128}, {0}, {2, 1}}) {
      assertRefused(
          write(pair().noise(TO_Q + ".dora_scale", shape)),
          TO_Q + ".dora_scale",
          "DoRA's magnitude",
          Shape.of(shape).toString());
    }
    assertRefused(
        write(new AdapterFile().noise(TO_Q + ".lora_magnitude_vector", 128)),
        TO_Q + ".lora_magnitude_vector",
        "without the update");
  }

  @Test
  void aFactorThatIsMissing() throws IOException {
    String name = TO_Q + ".lokr_w";
    assertRefused(write(new AdapterFile().noise(name + "1", 8, 8)), name + "1", "missing");
    assertRefused(
        write(new AdapterFile().noise(name + "1", 8, 8).noise(name + "2_a", 16, 2)),
        name + "2_a",
        "missing");
    assertRefused(
        write(new AdapterFile().noise(TO_Q + ".hada_w1_a", 128, 2)),
        TO_Q + ".hada_w1_a",
        "missing");
    assertRefused(
        write(
            new AdapterFile()
                .noise(TO_Q + ".hada_w1_a", 128, 2)
                .noise(TO_Q + ".hada_w1_b", 2, 128)
                .noise(TO_Q + ".hada_w2_a", 128, 2)),
        TO_Q + ".hada_w2_a",
        "missing");
  }

  @Test
  void twoKindsOfProductsAtOnce() throws IOException {
    assertRefused(
        write(pair().noise(TO_Q + ".lokr_w1", 8, 8).noise(TO_Q + ".lokr_w2", 16, 16)),
        "two kinds at once");
    assertRefused(
        write(
            new AdapterFile()
                .noise(TO_Q + ".lokr_w1", 8, 8)
                .noise(TO_Q + ".lokr_w2", 16, 16)
                .noise(TO_Q + ".lokr_w2_a", 16, 2)),
        TO_Q + ".lokr_w2",
        "whole and as a product");
  }

  @Test
  void shapesThatDoNotFit() throws IOException {
    assertRefused(
        write(new AdapterFile().noise(TO_Q + ".lokr_w1", 8, 8).noise(TO_Q + ".lokr_w2", 16, 15)),
        "[128, 120]",
        "[128, 128]");
    assertRefused(
        write(
            new AdapterFile()
                .noise(TO_Q + ".hada_w1_a", 128, 2)
                .noise(TO_Q + ".hada_w1_b", 2, 128)
                .noise(TO_Q + ".hada_w2_a", 128, 2)
                .noise(TO_Q + ".hada_w2_b", 2, 127)),
        "one shape");
    assertRefused(
        write(
            new AdapterFile()
                .noise(TO_Q + ".lokr_w1", 8, 8)
                .noise(TO_Q + ".lokr_w2_a", 3, 16)
                .noise(TO_Q + ".lokr_w2_b", 2, 16)
                .noise(TO_Q + ".lokr_t2", 2, 2)),
        TO_Q + ".lokr_t2");
    assertRefused(write(new AdapterFile().noise(TO_Q + ".diff", 128, 127)), TO_Q + ".diff");
    assertRefused(write(pair().noise(TO_Q + ".diff_b", 127)), TO_Q + ".diff_b", "[128, 1]");
    assertRefused(
        write(pair().noise("transformer.proj_out.weight", 64, 64)), "transformer.proj_out.weight");
  }

  /** Sizes of nothing, whose product no number holds. */
  @Test
  void emptyFactors() throws IOException {
    long huge = 1L << 40;
    assertRefused(
        write(
            new AdapterFile()
                .values(TO_Q + ".lokr_w1", new float[0], huge, 0)
                .values(TO_Q + ".lokr_w2", new float[0], huge, 0)),
        TO_Q + ".lokr_w");
  }

  @Test
  void valuesThatAreNotFinite() throws IOException {
    assertRefused(
        write(
            new AdapterFile()
                .values(TO_Q + ".lokr_w1", concat(ones(63), Float.NEGATIVE_INFINITY), 8, 8)
                .noise(TO_Q + ".lokr_w2", 16, 16)),
        TO_Q + ".lokr_w1",
        "not finite");
    assertRefused(
        write(pair().values(TO_Q + ".diff_b", concat(ones(127), Float.NaN), 128)),
        TO_Q + ".diff_b",
        "not finite");
    assertRefused(
        write(pair().values(TO_Q + ".magnitude", concat(ones(127), Float.NaN), 128)),
        TO_Q + ".magnitude",
        "not finite");
  }

  private static float[] concat(float[] values, float last) {
    float[] longer = Arrays.copyOf(values, values.length + 1);
    longer[values.length] = last;
    return longer;
  }

  @Test
  void wholeWeightsAloneAreNoAdapter() throws IOException {
    assertRefused(write(new AdapterFile().noise(WEIGHT, 128, 128)), "holds no adapter");
  }

  @Test
  void theConfigurationSpeaksOfMagnitudesThatAreNotThere() throws IOException {
    assertRefused(
        write(pair().metadata("lora_adapter_metadata", "{\"transformer.use_dora\": true}")),
        "DoRA");
  }

  @Test
  void aDifferenceOfABiasThatTheModelLacks() throws IOException {
    String key = "text_encoder_2.encoder.block.0.layer.0.SelfAttention.q.diff_b";
    AdapterSpec spec = write(pair().noise(key, 96));
    try (TinyFlux model = new TinyFlux()) {
      assertThatThrownBy(() -> model.chain(spec))
          .isInstanceOf(AdapterException.class)
          .hasMessageContaining(key);
      assertThat(model.chain(new AdapterOptions(true, false), spec).unmatched()).hasSize(1);
    }
  }
}
