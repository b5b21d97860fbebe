package io.github.urae.fuzz;

import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.TextPrompts;
import io.github.urae.internal.NativeLibraries;
import io.github.urae.onnx.internal.tokenizer.ClipTokenizer;
import io.github.urae.onnx.internal.tokenizer.T5Tokenizer;
import io.github.urae.onnx.internal.tokenizer.Tokenizer;
import io.github.urae.testkit.TestData;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Files of tokenizers, up to a few prompts encoded; and prompts. */
final class TokenizerTargets {

  private static final List<String> WORDS =
      List.of(
          "type",
          "model",
          "vocab",
          "merges",
          "unk_id",
          "Unigram",
          "BPE",
          "WordPiece",
          "Precompiled",
          "precompiled_charsmap",
          "normalizer",
          "pre_tokenizer",
          "post_processor",
          "decoder",
          "added_tokens",
          "Metaspace",
          "Sequence",
          "Replace",
          "pattern",
          "Regex",
          "Split",
          "TemplateProcessing",
          "truncation",
          "padding",
          "id",
          "content",
          "special",
          "</s>",
          "<pad>",
          "<|endoftext|>",
          "</w>",
          "model_max_length",
          "pad_token",
          "AddedToken",
          "\u2581",
          "\u2581a",
          "(a+)+$",
          "[",
          "a b",
          "\n",
          "#version: 0.2");

  private static final List<String> PROMPTS =
      List.of(
          "",
          "a cat, on 3 mats",
          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab",
          "\u00e9\u4e2d \ud83d\ude00</s><|endoftext|>");

  private static final int CLIP_TOKENS = 77;
  private static final int T5_TOKENS = 512;

  private TokenizerTargets() {}

  static FuzzTarget clipVocabulary(Path folder) throws IOException {
    return clip(folder, "vocab.json", new JsonMutation(WORDS));
  }

  static FuzzTarget clipMerges(Path folder) throws IOException {
    return clip(folder, "merges.txt", Mutation.BYTES);
  }

  static FuzzTarget clipConfiguration(Path folder) throws IOException {
    return clip(folder, "tokenizer_config.json", new JsonMutation(WORDS));
  }

  static FuzzTarget t5(Path folder) throws IOException {
    return target(folder, "tokenizer_2", "tokenizer.json", new JsonMutation(WORDS));
  }

  static FuzzTarget t5Configuration(Path folder) throws IOException {
    return target(folder, "tokenizer_2", "tokenizer_config.json", new JsonMutation(WORDS));
  }

  private static FuzzTarget clip(Path folder, String name, Mutation mutation) throws IOException {
    return target(folder, "tokenizer", name, mutation);
  }

  private static FuzzTarget target(Path folder, String tokenizer, String name, Mutation mutation)
      throws IOException {
    NativeLibraries.unpackInto(folder.resolve("cache"));
    Path original = TestData.checkpoint().resolve(tokenizer);
    Path copy = Files.createDirectories(folder.resolve(tokenizer));
    try (var files = Files.newDirectoryStream(original)) {
      for (Path file : files) {
        Files.copy(file, copy.resolve(file.getFileName()));
      }
    }
    return new FuzzTarget(
        List.of(Files.readAllBytes(original.resolve(name))),
        mutation,
        bytes -> {
          Files.write(copy.resolve(name), bytes);
          boolean clip = tokenizer.equals("tokenizer");
          try (Tokenizer opened = clip ? ClipTokenizer.open(copy) : T5Tokenizer.open(copy, 1, 0)) {
            for (String prompt : PROMPTS) {
              encode(opened, prompt, clip ? CLIP_TOKENS : T5_TOKENS);
            }
          }
        });
  }

  /** Text through both tokenizers. */
  static FuzzTarget prompt(Path folder) throws IOException {
    NativeLibraries.unpackInto(folder.resolve("cache"));
    Path checkpoint = TestData.checkpoint();
    // Open as long as the process runs.
    Tokenizer clip = ClipTokenizer.open(checkpoint.resolve("tokenizer"));
    Tokenizer t5 = T5Tokenizer.open(checkpoint.resolve("tokenizer_2"), 1, 0);
    return new FuzzTarget(
        PROMPTS.stream().map(prompt -> prompt.getBytes(StandardCharsets.UTF_8)).toList(),
        Mutation.BYTES,
        bytes -> {
          encodeBoth(clip, t5, new String(bytes, StandardCharsets.UTF_8));
          // Halves of surrogate pairs come about only so.
          encodeBoth(clip, t5, new String(bytes, StandardCharsets.UTF_16LE));
          StringBuilder halves = new StringBuilder();
          for (byte part : bytes) {
            halves.append((char) (part < 0 ? 0xd800 + (part & 0x7f) * 16 : part));
          }
          encodeBoth(clip, t5, halves.toString());
        });
  }

  private static void encodeBoth(Tokenizer clip, Tokenizer t5, String text) {
    GenerationRequest request = GenerationRequest.builder(text).build();
    for (String prompt : ((TextPrompts) request.prompts()).prompts()) {
      encode(clip, prompt, CLIP_TOKENS);
      encode(t5, prompt, T5_TOKENS);
    }
  }

  private static void encode(Tokenizer tokenizer, String text, int length) {
    long[] ids = tokenizer.encode(text, length);
    if (ids.length != length) {
      throw new AssertionError("expected " + length + " tokens, found " + ids.length);
    }
    tokenizer.lost(text, length);
  }
}
