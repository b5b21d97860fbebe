package io.github.urae.adapter;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.urae.adapter.internal.match.AdapterChain;
import io.github.urae.adapter.internal.merge.WeightMerger;
import io.github.urae.flux.model.Component;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import io.github.urae.testkit.TestData;
import io.github.urae.weights.SafetensorsWriter;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.RepetitionInfo;
import org.junit.jupiter.api.io.TempDir;

/**
 * One LoRA, written as many programs would: whatever the names, prefixes, wrappers, endings, types,
 * places of alpha and order, it merges to the same weights. What is right is computed here.
 */
class AdapterRoundTripTest {

  private static final long SEED = System.nanoTime();
  private static final double TOLERANCE = 1e-5;

  @TempDir Path folder;

  @BeforeAll
  static void tellSeed() {
    System.out.println("adapters written in many forms: seed " + SEED);
  }

  /** What the LoRA does to one weight: values that every type holds exactly. */
  private static final class Pair {

    final Component network;
    final String module;
    final int rank;
    final float[] down;
    final float[] up;
    final double alpha;

    Pair(Component network, String module, int rank, float[] down, float[] up, double alpha) {
      this.network = network;
      this.module = module;
      this.rank = rank;
      this.down = down;
      this.up = up;
      this.alpha = alpha;
    }

    int inputs() {
      return down.length / rank;
    }

    int outputs() {
      return up.length / rank;
    }

    double scale() {
      return alpha / rank;
    }
  }

  /** The same, perhaps of several weights, under a name. */
  private record Named(Component network, String module, Pair pair) {}

  private static final List<String> BLOCK_MODULES =
      List.of(
          "transformer_blocks.0.attn.to_q",
          "transformer_blocks.0.attn.to_k",
          "transformer_blocks.0.attn.to_v",
          "transformer_blocks.1.attn.add_q_proj",
          "transformer_blocks.1.attn.add_k_proj",
          "transformer_blocks.1.attn.add_v_proj",
          "transformer_blocks.0.attn.to_out.0",
          "transformer_blocks.1.attn.to_add_out",
          "transformer_blocks.0.ff.net.0.proj",
          "transformer_blocks.0.ff_context.net.2",
          "transformer_blocks.1.norm1.linear",
          "transformer_blocks.1.norm1_context.linear",
          "single_transformer_blocks.2.attn.to_q",
          "single_transformer_blocks.2.attn.to_k",
          "single_transformer_blocks.2.attn.to_v",
          "single_transformer_blocks.2.proj_mlp",
          "single_transformer_blocks.3.proj_out",
          "single_transformer_blocks.0.norm.linear",
          "x_embedder",
          "context_embedder",
          "time_text_embed.timestep_embedder.linear_1",
          "time_text_embed.text_embedder.linear_2",
          "time_text_embed.guidance_embedder.linear_1",
          "proj_out",
          "norm_out.linear");

  private static final List<String> CLIP_MODULES =
      List.of(
          "text_model.encoder.layers.0.self_attn.q_proj",
          "text_model.encoder.layers.1.self_attn.out_proj",
          "text_model.encoder.layers.1.mlp.fc2");

  private static final List<String> T5_MODULES =
      List.of(
          "encoder.block.0.layer.0.SelfAttention.o", "encoder.block.1.layer.1.DenseReluDense.wi_0");

  /** Black Forest Labs' names of what is one module there, too. */
  private static final Map<String, String> BFL =
      Map.ofEntries(
          Map.entry("transformer_blocks.0.attn.to_out.0", "double_blocks.0.img_attn.proj"),
          Map.entry("transformer_blocks.1.attn.to_add_out", "double_blocks.1.txt_attn.proj"),
          Map.entry("transformer_blocks.0.ff.net.0.proj", "double_blocks.0.img_mlp.0"),
          Map.entry("transformer_blocks.0.ff_context.net.2", "double_blocks.0.txt_mlp.2"),
          Map.entry("transformer_blocks.1.norm1.linear", "double_blocks.1.img_mod.lin"),
          Map.entry("transformer_blocks.1.norm1_context.linear", "double_blocks.1.txt_mod.lin"),
          Map.entry("single_transformer_blocks.3.proj_out", "single_blocks.3.linear2"),
          Map.entry("single_transformer_blocks.0.norm.linear", "single_blocks.0.modulation.lin"),
          Map.entry("x_embedder", "img_in"),
          Map.entry("context_embedder", "txt_in"),
          Map.entry("time_text_embed.timestep_embedder.linear_1", "time_in.in_layer"),
          Map.entry("time_text_embed.text_embedder.linear_2", "vector_in.out_layer"),
          Map.entry("time_text_embed.guidance_embedder.linear_1", "guidance_in.in_layer"),
          Map.entry("proj_out", "final_layer.linear"),
          Map.entry("norm_out.linear", "final_layer.adaLN_modulation.1"));

  /** OneTrainer's names of parts. */
  private static final Map<String, String> PARTS =
      Map.ofEntries(
          Map.entry("transformer_blocks.0.attn.to_q", "double_blocks.0.img_attn.qkv.0"),
          Map.entry("transformer_blocks.0.attn.to_k", "double_blocks.0.img_attn.qkv.1"),
          Map.entry("transformer_blocks.0.attn.to_v", "double_blocks.0.img_attn.qkv.2"),
          Map.entry("transformer_blocks.1.attn.add_q_proj", "double_blocks.1.txt_attn.qkv.0"),
          Map.entry("transformer_blocks.1.attn.add_k_proj", "double_blocks.1.txt_attn.qkv.1"),
          Map.entry("transformer_blocks.1.attn.add_v_proj", "double_blocks.1.txt_attn.qkv.2"),
          Map.entry("single_transformer_blocks.2.attn.to_q", "single_blocks.2.linear1.0"),
          Map.entry("single_transformer_blocks.2.attn.to_k", "single_blocks.2.linear1.1"),
          Map.entry("single_transformer_blocks.2.attn.to_v", "single_blocks.2.linear1.2"),
          Map.entry("single_transformer_blocks.2.proj_mlp", "single_blocks.2.linear1.3"));

  /** Names of what several weights are together, and those weights. */
  private static final List<Map.Entry<List<String>, List<String>>> FUSED =
      List.of(
          Map.entry(
              List.of(
                  "double_blocks.0.img_attn.qkv",
                  "transformer_blocks.0.attn.to_qkv",
                  "blocks.0.attn.a_to_qkv"),
              BLOCK_MODULES.subList(0, 3)),
          Map.entry(
              List.of(
                  "double_blocks.1.txt_attn.qkv",
                  "transformer_blocks.1.attn.to_added_qkv",
                  "blocks.1.attn.b_to_qkv"),
              BLOCK_MODULES.subList(3, 6)),
          Map.entry(
              List.of("single_blocks.2.linear1", "single_blocks.2.to_qkv_mlp"),
              BLOCK_MODULES.subList(12, 16)),
          Map.entry(
              List.of("single_blocks.2.linear1_qkv", "single_transformer_blocks.2.attn.to_qkv"),
              BLOCK_MODULES.subList(12, 15)));

  private static final Map<Component, List<String>> DOTTED =
      Map.of(
          Component.TRANSFORMER,
          List.of(
              "",
              "transformer.",
              "diffusion_model.",
              "model.diffusion_model.",
              "unet.",
              "base_model.model.",
              "base_model.model.transformer.",
              "module.",
              "transformer.module.",
              "_orig_mod.",
              "transformer._orig_mod.",
              "diffusion_model._orig_mod.module.",
              "base_model.model._orig_mod."),
          Component.TEXT_ENCODER,
          List.of("text_encoder.", "text_encoders.clip_l.transformer.", "clip_l.", ""),
          Component.TEXT_ENCODER_2,
          List.of("text_encoder_2.", "text_encoders.t5xxl.transformer.", "t5.", "t5xxl.", ""));

  private static final Map<Component, List<String>> FLAT =
      Map.of(
          Component.TRANSFORMER,
          List.of(
              "lora_unet_", "lora_transformer_", "lycoris_", "lora_unet__orig_mod_", "lora_unet__"),
          Component.TEXT_ENCODER,
          List.of("lora_te_", "lora_te1_"),
          Component.TEXT_ENCODER_2,
          List.of("lora_te2_", "lora_te3_"));

  private static final List<List<String>> ENDINGS =
      List.of(
          List.of(".lora_A.weight", ".lora_B.weight"),
          List.of(".lora_A.default.weight", ".lora_B.default.weight"),
          List.of(".lora_A.default_0.weight", ".lora_B.default_0.weight"),
          List.of(".lora_A", ".lora_B"),
          List.of(".lora_down.weight", ".lora_up.weight"),
          List.of(".lora.down.weight", ".lora.up.weight"),
          List.of(".lora_linear_layer.down.weight", ".lora_linear_layer.up.weight"));

  private static final List<ElementType> TYPES =
      List.of(
          ElementType.F32,
          ElementType.F64,
          ElementType.BF16,
          ElementType.F16,
          ElementType.F8_E4M3,
          ElementType.F8_E5M2);

  private enum AlphaForm {
    NONE,
    TENSORS,
    SCALES,
    DIFFUSERS_METADATA,
    PEFT_CONFIG,
    PLAIN_METADATA
  }

  /** One way to write it; grows until the file is written. */
  private final class Writer {

    private final Random random;
    private final List<String> endings;
    private final Map<String, Tensor> tensors = new LinkedHashMap<>();
    private final Map<String, String> metadata = new LinkedHashMap<>();

    Writer(Random random) {
      this.random = random;
      this.endings = one(ENDINGS);
    }

    private <T> T one(List<T> all) {
      return all.get(random.nextInt(all.size()));
    }

    private Tensor tensor(ElementType type, float[] values, long... shape) {
      if (type.byteSize(1) == 1) {
        return ofBytes(type, values, shape);
      }
      return type == ElementType.F32
          ? Tensor.ofFloats(values, shape)
          : AdapterFile.rounded(type, values, shape);
    }

    /** The names of all pairs, fused where that is chosen and the type can hold it. */
    private List<Named> named(List<Pair> pairs, AlphaForm form, ElementType type) {
      Map<String, Pair> left = new LinkedHashMap<>();
      pairs.forEach(pair -> left.put(pair.module, pair));
      List<Named> named = new ArrayList<>();
      for (Map.Entry<List<String>, List<String>> fused : FUSED) {
        if (left.keySet().containsAll(fused.getValue())
            && type.byteSize(1) > 1
            && random.nextBoolean()) {
          List<Pair> parts = fused.getValue().stream().map(left::remove).toList();
          named.add(new Named(Component.TRANSFORMER, one(fused.getKey()), fuse(parts, form)));
        }
      }
      for (Pair pair : left.values()) {
        String module = pair.module;
        int choice = random.nextInt(3);
        if (choice == 0 && BFL.containsKey(module)) {
          named.add(
              new Named(
                  pair.network,
                  BFL.get(module),
                  module.equals("norm_out.linear") ? swapped(pair) : pair));
        } else if (choice == 1 && PARTS.containsKey(module)) {
          named.add(new Named(pair.network, PARTS.get(module), pair));
        } else if (choice == 0 && module.startsWith("text_model.")) {
          named.add(new Named(pair.network, module.substring("text_model.".length()), pair));
        } else {
          named.add(new Named(pair.network, module, pair));
        }
      }
      Collections.shuffle(named, random);
      return named;
    }

    private String name(Named named, boolean flat) {
      if (flat) {
        return one(FLAT.get(named.network()))
            + named.module().replace('.', '_')
            + (random.nextInt(5) == 0 ? "_" : "");
      }
      String module = named.module();
      if (random.nextInt(5) == 0) {
        module = module.replaceFirst("(blocks\\.\\d+\\.)", "$1_orig_mod.");
      }
      return one(DOTTED.get(named.network())) + module;
    }

    void write(List<Pair> pairs, AlphaForm form, ElementType type) {
      boolean flat = form == AlphaForm.TENSORS && random.nextBoolean();
      ObjectNode patterns = new JsonMapper().createObjectNode();
      for (Named named : named(pairs, form, type)) {
        Pair pair = named.pair();
        String name = name(named, flat);
        boolean convolution = random.nextInt(6) == 0;
        put(name + endings.get(0), type, pair.down, pair.rank, pair.inputs(), convolution);
        put(name + endings.get(1), type, pair.up, pair.outputs(), pair.rank, convolution);
        float[] alpha = {(float) pair.alpha};
        switch (form) {
          case TENSORS ->
              tensors.put(
                  name + ".alpha",
                  random.nextBoolean()
                      ? tensor(ElementType.F16, alpha)
                      : tensor(ElementType.F32, alpha, 1));
          case SCALES ->
              tensors.put(
                  name + ".scale", tensor(ElementType.F32, new float[] {(float) pair.scale()}));
          case DIFFUSERS_METADATA -> {
            String module = name.replaceFirst("^transformer\\.", "");
            // Without the sign of the beginning it is a suffix, of other names, too.
            String pattern =
                switch (random.nextInt(module.contains("blocks") ? 3 : 2)) {
                  case 0 -> "^" + module;
                  case 1 -> "^" + module.replace(".", "\\.") + "$";
                  default -> module;
                };
            patterns.put(pattern, pair.alpha);
          }
          default -> {
            // Said once for all.
          }
        }
      }
      describe(pairs, form, patterns);
    }

    private void put(
        String key, ElementType type, float[] values, int rows, int columns, boolean convolution) {
      tensors.put(
          key,
          convolution
              ? tensor(type, values, rows, columns, 1, 1)
              : tensor(type, values, rows, columns));
    }

    private void describe(List<Pair> pairs, AlphaForm form, ObjectNode patterns) {
      ObjectNode settings = new JsonMapper().createObjectNode();
      double alpha = pairs.get(0).alpha;
      switch (form) {
        case DIFFUSERS_METADATA -> {
          String network = random.nextBoolean() ? "transformer." : "";
          settings.put(network + "lora_alpha", 1000);
          settings.set(network + "alpha_pattern", patterns);
          metadata.put("lora_adapter_metadata", settings.toString());
        }
        case PEFT_CONFIG -> {
          settings.put("peft_type", "LORA").put("lora_alpha", alpha);
          try {
            Files.writeString(folder.resolve("adapter_config.json"), settings.toString());
          } catch (IOException e) {
            throw new AssertionError(e);
          }
        }
        case PLAIN_METADATA ->
            metadata.put(
                one(List.of("lora_alpha", "transformer.lora_alpha", "network_alpha", "alpha")),
                one(List.of("", "\"")).isEmpty() ? "" + alpha : "\"" + alpha + "\"");
        default -> {
          // In tensors.
        }
      }
    }

    /** What files hold beside, and FLUX does not use. */
    void addMore() {
      if (random.nextBoolean()) {
        tensors.put(
            "lora_te1_text_projection.lora_down.weight", Tensor.ofFloats(new float[8], 2, 4));
        tensors.put("lora_te1_text_projection.lora_up.weight", Tensor.ofFloats(new float[8], 4, 2));
      }
      if (random.nextBoolean()) {
        tensors.put("bundle_emb.word.t5", Tensor.ofFloats(new float[8], 2, 4));
      }
      metadata.put("ss_network_alpha", "3");
      metadata.put("format", "pt");
    }

    AdapterSpec finish() throws IOException {
      List<String> keys = new ArrayList<>(tensors.keySet());
      Collections.shuffle(keys, random);
      Map<String, Tensor> shuffled = new LinkedHashMap<>();
      keys.forEach(key -> shuffled.put(key, tensors.get(key)));
      Path file = folder.resolve("adapter_model.safetensors");
      SafetensorsWriter.write(file, metadata, shuffled);
      return new AdapterSpec(random.nextBoolean() ? folder : file, 1);
    }
  }

  /** One product for several, of block-diagonal B; what their scales differ by is in it, too. */
  private static Pair fuse(List<Pair> parts, AlphaForm form) {
    int rank = parts.stream().mapToInt(pair -> pair.rank).sum();
    int outputs = parts.stream().mapToInt(Pair::outputs).sum();
    int inputs = parts.get(0).inputs();
    boolean uniform = form == AlphaForm.PEFT_CONFIG || form == AlphaForm.PLAIN_METADATA;
    double alpha = uniform ? parts.get(0).alpha : parts.get(0).scale() * rank;
    float[] down = new float[rank * inputs];
    float[] up = new float[outputs * rank];
    int firstRank = 0;
    int firstRow = 0;
    for (Pair part : parts) {
      System.arraycopy(part.down, 0, down, firstRank * inputs, part.down.length);
      for (int i = 0; i < part.outputs(); i++) {
        for (int k = 0; k < part.rank; k++) {
          up[(firstRow + i) * rank + firstRank + k] =
              (float) (part.up[i * part.rank + k] * (part.scale() / (alpha / rank)));
        }
      }
      firstRank += part.rank;
      firstRow += part.outputs();
    }
    return new Pair(Component.TRANSFORMER, "", rank, down, up, alpha);
  }

  private static Pair swapped(Pair pair) {
    float[] up = new float[pair.up.length];
    int half = up.length / 2;
    System.arraycopy(pair.up, 0, up, half, half);
    System.arraycopy(pair.up, half, up, 0, half);
    return new Pair(pair.network, pair.module, pair.rank, pair.down, up, pair.alpha);
  }

  /** Looks up the byte of each value, of which there are few. */
  private static Tensor ofBytes(ElementType type, float[] values, long... shape) {
    ByteBuffer all = ByteBuffer.allocate(256);
    for (int code = 0; code < 256; code++) {
      all.put(code, (byte) code);
    }
    float[] meant = Tensor.view(type, Shape.of(256), all, "all values").toFloats();
    ByteBuffer bytes = ByteBuffer.allocate(values.length);
    for (float value : values) {
      int code = 0;
      while (meant[code] != value) {
        code++;
      }
      bytes.put((byte) code);
    }
    return Tensor.view(type, Shape.of(shape), bytes.flip(), "values of a byte");
  }

  private static float[] values(Random random, int count) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (random.nextInt(15) - 7) / 32f;
    }
    return values;
  }

  private static List<Pair> pairs(TinyFlux model, Random random, AlphaForm form) {
    Map<Component, List<String>> modules = new TreeMap<>();
    modules.put(Component.TRANSFORMER, BLOCK_MODULES);
    if (form == AlphaForm.TENSORS || form == AlphaForm.SCALES || form == AlphaForm.NONE) {
      modules.put(Component.TEXT_ENCODER, CLIP_MODULES);
      modules.put(Component.TEXT_ENCODER_2, T5_MODULES);
    }
    int uniform = 1 << random.nextInt(4);
    List<Pair> pairs = new ArrayList<>();
    modules.forEach(
        (network, names) -> {
          for (String name : names) {
            if (random.nextInt(4) == 0) {
              continue;
            }
            Shape shape = model.weights.get(network).tensors().get(name + ".weight").shape();
            int rank = 1 << random.nextInt(3);
            double alpha =
                switch (form) {
                  case NONE -> rank;
                  case PEFT_CONFIG, PLAIN_METADATA -> uniform;
                  default -> 1 << random.nextInt(4);
                };
            pairs.add(
                new Pair(
                    network,
                    name,
                    rank,
                    values(random, rank * (int) shape.dimension(1)),
                    values(random, rank * (int) shape.dimension(0)),
                    alpha));
          }
        });
    return pairs;
  }

  private static void assertMerged(TinyFlux model, AdapterChain chain, List<Pair> pairs)
      throws IOException {
    for (Component network : Component.adaptable()) {
      TreeSet<String> expected = new TreeSet<>();
      WeightMerger merger = model.merger(chain, network);
      for (Pair pair : pairs) {
        if (pair.network != network) {
          continue;
        }
        String weight = pair.module + ".weight";
        expected.add(weight);
        float[] base = model.weights.get(network).tensor(weight).toFloats();
        float[] sum = new float[base.length];
        for (int i = 0; i < sum.length; i++) {
          double product = 0;
          for (int k = 0; k < pair.rank; k++) {
            product +=
                (double) pair.up[i / pair.inputs() * pair.rank + k]
                    * pair.down[k * pair.inputs() + i % pair.inputs()];
          }
          sum[i] = (float) (base[i] + pair.scale() * product);
        }
        assertThat(TestData.relativeDifference(sum, merger.mergeToFloats(weight)))
            .as(weight)
            .isLessThan(TOLERANCE);
      }
      assertThat(new TreeSet<>(chain.changedWeights(network))).isEqualTo(expected);
    }
  }

  @RepeatedTest(36)
  void whateverTheFormTheWeightsAreTheSame(RepetitionInfo repetition) throws IOException {
    long seed = SEED + repetition.getCurrentRepetition();
    Random random = new Random(seed);
    AlphaForm form =
        AlphaForm.values()[repetition.getCurrentRepetition() % AlphaForm.values().length];
    try (TinyFlux model = new TinyFlux()) {
      List<Pair> pairs = pairs(model, random, form);
      Writer writer = new Writer(random);
      writer.write(pairs, form, TYPES.get(random.nextInt(TYPES.size())));
      if (form == AlphaForm.TENSORS && random.nextBoolean()) {
        // Once more under other names: applied once.
        writer.write(pairs, form, ElementType.F32);
      }
      writer.addMore();
      try (AdapterChain chain = model.chain(writer.finish())) {
        assertMerged(model, chain, pairs);
      }
    } catch (AssertionError | RuntimeException e) {
      throw new AssertionError("seed " + seed + ", " + form, e);
    }
  }
}
