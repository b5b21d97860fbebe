package io.github.urae.flux.model.internal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.urae.FileFormatException;
import io.github.urae.ModelException;
import io.github.urae.flux.model.Component;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import io.github.urae.testkit.CompVisNames;
import io.github.urae.testkit.TestData;
import io.github.urae.weights.Safetensors;
import io.github.urae.weights.SafetensorsWriter;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The forms in which people hold a network: one and the same to whoever reads it. */
class StoredFormsTest {

  private static final List<String> PREFIXES =
      List.of(
          "",
          "module.",
          "_orig_mod.",
          "module._orig_mod.",
          "model.diffusion_model.",
          "diffusion_model.",
          "transformer.",
          "unet.",
          "text_encoder.",
          "text_encoders.clip_l.transformer.",
          "conditioner.embedders.0.transformer.",
          "te.",
          "first_stage_model.",
          "vae.",
          "model.",
          "anything.else.");

  @TempDir Path folder;

  private static Map<String, Tensor> tensors(TensorSource source) throws IOException {
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    for (String name : source.tensors().keySet()) {
      tensors.put(name, source.tensor(name));
    }
    return tensors;
  }

  private static TensorSource checkpoint(Component network) throws IOException {
    return Safetensors.open(TestData.checkpoint().resolve(network.folder()));
  }

  private static Map<String, Tensor> renamed(
      Map<String, Tensor> tensors, UnaryOperator<String> name) {
    Map<String, Tensor> renamed = new LinkedHashMap<>();
    tensors.forEach((old, tensor) -> renamed.put(name.apply(old), tensor));
    assertThat(renamed).hasSameSizeAs(tensors);
    return renamed;
  }

  private void assertRead(Component network, Map<String, Tensor> stored, String what)
      throws IOException {
    Path file = folder.resolve("stored.safetensors");
    SafetensorsWriter.write(file, Map.of("format", "pt"), stored);
    assertRead(network, file, what);
  }

  private void assertRead(Component network, Path path, String what) throws IOException {
    try (TensorSource expected = checkpoint(network);
        TensorSource found = NetworkWeights.open(path, Flux1.FAMILY, network)) {
      assertThat(found.tensors().keySet()).as(what).containsAll(expected.tensors().keySet());
      for (String name : expected.tensors().keySet()) {
        assertThat(found.tensor(name).shape()).as(name).isEqualTo(expected.tensor(name).shape());
        assertThat(found.tensor(name).data()).as(name).isEqualTo(expected.tensor(name).data());
      }
    }
  }

  private void assertRefused(Component network, Map<String, Tensor> stored, String... parts)
      throws IOException {
    Path file = folder.resolve("refused.safetensors");
    SafetensorsWriter.write(file, Map.of(), stored);
    assertThatThrownBy(() -> NetworkWeights.open(file, Flux1.FAMILY, network).close())
        .isInstanceOf(ModelException.class)
        .hasMessageContaining(file.toString())
        .hasMessageContainingAll(parts);
  }

  /** As {@code torch.compile} and others wrap single modules. */
  private static String wrapped(Random random, String name) {
    String[] parts = name.split("\\.", -1);
    int at = random.nextInt(parts.length);
    String wrapper =
        List.of("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
            .get(random.nextInt(3));
    List<String> all = new ArrayList<>(List.of(parts));
    all.add(at, wrapper);
    return String.join(".", all);
  }

  @Test
  void anythingMayStandBeforeAndBetween() throws IOException {
    long seed = System.nanoTime();
    Random random = new Random(seed);
    for (Component network : Component.networks()) {
      try (TensorSource source = checkpoint(network)) {
        Map<String, Tensor> own = tensors(source);
        for (String prefix : PREFIXES) {
          boolean wrap = random.nextBoolean();
          Map<String, Tensor> stored =
              renamed(own, name -> prefix + (wrap ? wrapped(random, name) : name));
          if (random.nextBoolean() && !prefix.isEmpty() && !prefix.contains("module")) {
            stored.put("somebody.elses.bias", Tensor.ofFloats(new float[1], 1));
          }
          assertRead(network, stored, network + " after " + prefix + ", seed " + seed);
        }
      }
    }
  }

  @Test
  void clipWithoutItsModule() throws IOException {
    try (TensorSource source = checkpoint(Component.TEXT_ENCODER)) {
      Map<String, Tensor> flat = renamed(tensors(source), n -> n.replace("text_model.", ""));
      for (String prefix : PREFIXES) {
        Map<String, Tensor> stored = renamed(flat, prefix::concat);
        stored.put(
            "vision_model.embeddings.patch_embedding.weight", Tensor.ofFloats(new float[1], 1));
        stored.put("logit_scale", Tensor.ofFloats(new float[1], 1));
        assertRead(Component.TEXT_ENCODER, stored, prefix);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "text_encoder_2.", "module.", "text_encoders.t5xxl.transformer."})
  void t5WithOneOrTwoOfItsTables(String prefix) throws IOException {
    try (TensorSource source = checkpoint(Component.TEXT_ENCODER_2)) {
      Map<String, Tensor> own = tensors(source);
      own.remove("encoder.embed_tokens.weight");
      Map<String, Tensor> stored = renamed(own, prefix::concat);
      assertRead(Component.TEXT_ENCODER_2, stored, "shared");
      Tensor table = stored.remove(prefix + "shared.weight");
      for (String name : List.of("encoder.embed_tokens.weight", "decoder.embed_tokens.weight")) {
        Map<String, Tensor> tied = new LinkedHashMap<>(stored);
        tied.put(prefix + name, table);
        assertRead(Component.TEXT_ENCODER_2, tied, name);
        tied.put(prefix + "shared.weight", table);
        tied.put(prefix + "decoder.block.0.layer.0.SelfAttention.q.weight", table);
        tied.put(prefix + "lm_head.weight", table);
        assertRead(Component.TEXT_ENCODER_2, tied, "both");
      }
      Map<String, Tensor> stack = renamed(stored, n -> n.replace("encoder.", ""));
      stack.put(prefix.replace("encoder.", "") + "embed_tokens.weight", table);
      assertRead(Component.TEXT_ENCODER_2, stack, "the stack alone");
    }
  }

  private static String oldAttention(String name) {
    return name.replace("attentions.0.to_q", "attentions.0.query")
        .replace("attentions.0.to_k", "attentions.0.key")
        .replace("attentions.0.to_v", "attentions.0.value")
        .replace("attentions.0.to_out.0", "attentions.0.proj_attn");
  }

  @Test
  void olderNamesOfAutoencoders() throws IOException {
    try (TensorSource source = checkpoint(Component.VAE_DECODER)) {
      Map<String, Tensor> own = tensors(source);
      for (String prefix : List.of("", "first_stage_model.", "vae.", "_orig_mod.")) {
        for (List<UnaryOperator<String>> names :
            List.of(
                List.<UnaryOperator<String>>of(StoredFormsTest::oldAttention),
                List.<UnaryOperator<String>>of(CompVisNames::of))) {
          Map<String, Tensor> stored = renamed(own, name -> prefix + names.get(0).apply(name));
          for (Component half : List.of(Component.VAE_DECODER, Component.VAE_ENCODER)) {
            assertRead(half, stored, prefix + names);
            assertRead(half, convolved(stored), prefix + names);
          }
        }
      }
      Map<String, Tensor> decoder = renamed(own, CompVisNames::of);
      decoder.keySet().removeIf(name -> name.startsWith("encoder."));
      SafetensorsWriter.write(folder.resolve("half.safetensors"), Map.of(), decoder);
      try (TensorSource half =
          NetworkWeights.open(
              folder.resolve("half.safetensors"), Flux1.FAMILY, Component.VAE_DECODER)) {
        assertThat(half.tensors()).containsKey("decoder.up_blocks.3.resnets.0.conv1.weight");
      }
    }
  }

  /** Attention as a convolution of one pixel. */
  private static Map<String, Tensor> convolved(Map<String, Tensor> tensors) {
    Map<String, Tensor> convolved = new LinkedHashMap<>(tensors);
    convolved.replaceAll(
        (name, tensor) ->
            tensor.shape().rank() == 2
                ? Tensor.view(
                    tensor.type(),
                    Shape.of(tensor.shape().dimension(0), tensor.shape().dimension(1), 1, 1),
                    tensor.data(),
                    name)
                : tensor);
    return convolved;
  }

  @Test
  void severalNetworksInOneFileAreNotGuessed() throws IOException {
    try (TensorSource source = checkpoint(Component.TRANSFORMER)) {
      Map<String, Tensor> own = tensors(source);
      Map<String, Tensor> two = renamed(own, "one."::concat);
      two.putAll(renamed(own, "two."::concat));
      assertRefused(Component.TRANSFORMER, two, "several", "one.", "two.");
      Map<String, Tensor> averaged = renamed(own, "model.diffusion_model."::concat);
      Tensor noise = Tensor.ofFloats(new float[1], 1);
      own.keySet().forEach(name -> averaged.put("ema." + name, noise));
      assertRead(Component.TRANSFORMER, averaged, "EMA");
    }
  }

  @Test
  void otherNetworksAreRefusedByName() throws IOException {
    Tensor any = Tensor.ofFloats(new float[1], 1);
    try (TensorSource source = checkpoint(Component.TRANSFORMER)) {
      Map<String, Tensor> chroma = tensors(source);
      chroma.put("distilled_guidance_layer.in_proj.weight", any);
      assertRefused(Component.TRANSFORMER, chroma, "Chroma");
      assertRefused(Component.TEXT_ENCODER_2, tensors(source), "a transformer", "--transformer");
    }
    try (TensorSource clip = checkpoint(Component.TEXT_ENCODER);
        TensorSource t5 = checkpoint(Component.TEXT_ENCODER_2);
        TensorSource vae = checkpoint(Component.VAE_DECODER)) {
      assertRefused(Component.TRANSFORMER, tensors(clip), "CLIP's text encoder", "text_encoder/");
      assertRefused(Component.TEXT_ENCODER, tensors(t5), "found T5", "text_encoder_2/");
      assertRefused(Component.TRANSFORMER, tensors(vae), "an autoencoder", "vae/");
    }
    Map.ofEntries(
            Map.entry("double_stream_modulation_img.lin.weight", "FLUX.2"),
            Map.entry("joint_blocks.0.x_block.attn.qkv.weight", "Stable Diffusion 3"),
            Map.entry("model.diffusion_model.input_blocks.0.0.weight", "Stable Diffusion"),
            Map.entry("transformer_blocks.0.attn.to_q.lora_A.weight", "--adapter"),
            Map.entry("redux_up.weight", "Redux"),
            Map.entry("controlnet_blocks.0.weight", "ControlNet"),
            Map.entry("double_blocks.0.img_attn_qkv.weight", "HunyuanVideo"))
        .forEach(
            (name, kind) -> {
              try {
                assertRefused(Component.TRANSFORMER, Map.of(name, any), kind, "'" + name + "'");
              } catch (IOException e) {
                throw new AssertionError(e);
              }
            });
  }

  @ParameterizedTest
  @CsvSource({
    "x.weight.absmax, bitsandbytes",
    "x.SCB, bitsandbytes",
    "x.weight._data, quanto",
    "x.weight:qdata, torchao",
    "x.wscales, Nunchaku",
    "x.qzeros, GPTQ",
    "x.weight_scale_2, NVFP4"
  })
  void quantisedWeightsAreRefusedByName(String name, String kind) throws IOException {
    Map<String, Tensor> stored = Map.of(name, Tensor.ofFloats(new float[1], 1));
    for (Component network : Component.networks()) {
      assertRefused(network, stored, kind, "'" + name + "'", "bfloat16");
    }
  }

  private Path sharded(String index, String first, String second, boolean tied) throws IOException {
    Path target = Files.createDirectories(folder.resolve("sharded"));
    try (TensorSource source = checkpoint(Component.TEXT_ENCODER_2)) {
      Map<String, Tensor> one = tensors(source);
      Map<String, Tensor> two = new LinkedHashMap<>();
      StringBuilder map = new StringBuilder("\uFEFF{\"metadata\": {}, \"weight_map\": {");
      for (String name : List.copyOf(one.keySet())) {
        boolean inFirst = name.hashCode() % 2 == 0;
        if (!inFirst) {
          two.put(name, one.remove(name));
        }
        map.append('"')
            .append(name)
            .append("\": \"")
            .append(inFirst ? first : second)
            .append("\",");
      }
      if (tied) {
        map.append("\"encoder.embed_tokens.weight\": \"" + first + "\",");
      }
      map.setLength(map.length() - 1);
      SafetensorsWriter.write(target.resolve(first), Map.of(), one);
      SafetensorsWriter.write(target.resolve(second), Map.of(), two);
      Files.writeString(target.resolve(index), map + "}}");
    }
    return target;
  }

  @ParameterizedTest
  @CsvSource({
    "model.safetensors.index.json, model-",
    "model.safetensors.index.fp16.json, model.fp16-",
    "diffusion_pytorch_model.safetensors.index.bf16.json, diffusion_pytorch_model.bf16-",
    "diffusion_pytorch_model.safetensors.bf16.index.json, diffusion_pytorch_model.bf16-",
    "model.safetensors.index.ema.json, model.ema-",
    "t5xxl.safetensors.index.json, t5xxl-"
  })
  void shardsOfVariants(String index, String name) throws IOException {
    Path first = Path.of(name + "00001-of-00002.safetensors");
    Path second = Path.of(name + "00002-of-00002.safetensors");
    Path target = sharded(index, first.toString(), second.toString(), true);
    assertRead(Component.TEXT_ENCODER_2, target, index);
    assertRead(Component.TEXT_ENCODER_2, target.resolve(index), index);
    Path file = target.resolve(second);
    Path aside = folder.resolve("aside");
    Files.move(file, aside);
    assertMissing(target, file.toString(), index, "lists it");
    Files.move(aside, file);
    Files.delete(target.resolve(index));
    assertMissing(
        target, "looks like shard 1 of 2", "there: [1, 2]", "the index", "missing", "download");
  }

  private static void assertMissing(Path path, String... parts) {
    assertThatThrownBy(
            () -> NetworkWeights.open(path, Flux1.FAMILY, Component.TEXT_ENCODER_2).close())
        .isInstanceOf(NoSuchFileException.class)
        .hasMessageContainingAll(parts);
  }

  @Test
  void oneOfSeveralVariants() throws IOException {
    Path target = Files.createDirectories(folder.resolve("variants"));
    try (TensorSource source = checkpoint(Component.TEXT_ENCODER_2)) {
      Map<String, Tensor> own = tensors(source);
      Map<String, Tensor> other = Map.of("other", Tensor.ofFloats(new float[1], 1));
      String[] order = {"model.ema", "model.fp16", "model.fp32", "model.bf16", "model"};
      for (String name : order) {
        Path file = target.resolve(name + ".safetensors");
        SafetensorsWriter.write(file, Map.of(), own);
        assertRead(Component.TEXT_ENCODER_2, target, name);
        Files.delete(file);
        SafetensorsWriter.write(file, Map.of(), other);
      }
    }
    for (String name : List.of("model", "model.bf16", "model.fp16", "model.fp32")) {
      Files.delete(target.resolve(name + ".safetensors"));
    }
    Files.copy(target.resolve("model.ema.safetensors"), target.resolve("model.x.safetensors"));
    assertThatThrownBy(
            () -> NetworkWeights.open(target, Flux1.FAMILY, Component.TEXT_ENCODER_2).close())
        .isInstanceOf(FileFormatException.class)
        .hasMessageContainingAll("variants [ema, x]", "name one of");
  }

  @ParameterizedTest
  @CsvSource({
    "model_fp16.onnx, exports are read as model.onnx",
    "pytorch_model.bin, pickle",
    "model.safetensors.incomplete, not finished",
    "config.json, [config.json]"
  })
  void foldersWithoutSafetensorsSayWhatTheyHold(String name, String message) throws IOException {
    assertMissing(folder, "empty");
    Files.write(folder.resolve(name), new byte[9]);
    assertMissing(folder, name, message);
  }
}
