package io.github.urae.flux.model.internal;

import io.github.urae.ModelException;
import io.github.urae.flux.model.Component;
import io.github.urae.internal.HuggingFaceCache;
import io.github.urae.internal.InputFile;
import io.github.urae.internal.MistakenFile;
import io.github.urae.weights.internal.gguf.GgufMetadata;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Finds a tokenizer for a model whose files hold none: where the user says, in the model's folder,
 * in the file of T5, where programs keep it that people draw with, and in Hugging Face's cache.
 *
 * <p>Both tokenizers of FLUX.1 are used unchanged by many models, so that a folder of either kind
 * is as good as another.
 */
final class TokenizerSearch {

  private static final String WHOLE = "tokenizer.json";

  /** CLIP marks the ends of words so; tokenizers of language models do not. */
  private static final String END_OF_WORD = "</w>";

  private static final String UNIGRAM = "\"Unigram\"";

  /** T5's has 2.4 MB; those of mT5 and UMT5, with eight times the pieces, more than 16. */
  private static final int MOST_BYTES = 8_000_000;

  private static final int MARK_BYTES = 4;

  /** From a folder that a user names to the tokenizer's. */
  private static final int DEPTH = 4;

  private static final int MOST_FOLDERS = 500;

  /** Where programs keep tokenizers beside their folder of models: ComfyUI, and Forge. */
  private static final List<String> OF_PROGRAMS =
      List.of(
          "comfy/sd1_tokenizer",
          "comfy/text_encoders/t5_tokenizer",
          "backend/huggingface/black-forest-labs/FLUX.1-dev/tokenizer",
          "backend/huggingface/black-forest-labs/FLUX.1-dev/tokenizer_2",
          "backend/huggingface/black-forest-labs/FLUX.1-schnell/tokenizer",
          "backend/huggingface/black-forest-labs/FLUX.1-schnell/tokenizer_2");

  /** From a folder of files to a program's. */
  private static final int STEPS_UP = 3;

  private final Component tokenizer;
  private final HuggingFaceCache cache;

  /**
   * @param tokenizer which of the two
   * @param cache looked into last
   */
  TokenizerSearch(Component tokenizer, HuggingFaceCache cache) {
    this.tokenizer = tokenizer;
    this.cache = cache;
  }

  /**
   * Finds the tokenizer.
   *
   * @param given the folder that a user names, in which it must be; empty for none
   * @param root the folder of a model of files; empty for none
   * @param encoder the folder or file of the text encoder
   * @return a folder, or T5's file if that holds its tokenizer; empty if there is none
   * @throws IOException if a folder cannot be read
   */
  Optional<Path> find(Optional<Path> given, Optional<Path> root, Path encoder) throws IOException {
    if (given.isPresent()) {
      Optional<Path> named = within(given.get(), DEPTH, new int[1]);
      return named.isEmpty() && holdsTokenizer(encoder) ? Optional.of(encoder) : named;
    }
    if (root.isPresent()) {
      Optional<Path> own = within(root.get(), DEPTH, new int[1]);
      if (own.isPresent()) {
        return own;
      }
    }
    List<Path> folders = new ArrayList<>();
    Path around = encoder.toAbsolutePath().normalize().getParent();
    if (around != null) {
      folders.add(around.resolve(tokenizer.folder()));
      folders.add(around);
    }
    if (holdsTokenizer(encoder)) {
      return Optional.of(encoder);
    }
    ofPrograms(root.or(() -> Optional.ofNullable(around)), folders);
    cached(folders);
    for (Path folder : folders) {
      if (isOne(folder)) {
        return Optional.of(folder);
      }
    }
    return Optional.empty();
  }

  /** T5's encoder may be a GGUF file, which llama.cpp writes with the tokenizer. */
  private boolean holdsTokenizer(Path encoder) throws IOException {
    if (tokenizer != Component.TOKENIZER_2 || !Files.isRegularFile(encoder)) {
      return false;
    }
    try (InputStream in = Files.newInputStream(encoder)) {
      if (!MistakenFile.isGguf(in.readNBytes(MARK_BYTES))) {
        return false;
      }
    }
    return GgufMetadata.read(encoder).text("tokenizer.ggml.model").filter("t5"::equals).isPresent();
  }

  private static void ofPrograms(Optional<Path> files, List<Path> folders) {
    Path program = files.map(folder -> folder.toAbsolutePath().normalize()).orElse(null);
    for (int i = 0; i < STEPS_UP && program != null; i++) {
      OF_PROGRAMS.stream().map(program::resolve).forEach(folders::add);
      program = program.getParent();
    }
  }

  /** FLUX.1's own first, then what else is of the same vocabulary. */
  private void cached(List<Path> folders) throws IOException {
    List<Path> others = new ArrayList<>();
    for (Path snapshot : cache.snapshots()) {
      String repository = HuggingFaceCache.repository(snapshot).orElse("");
      if (repository.contains("FLUX.1")) {
        folders.add(snapshot.resolve(tokenizer.folder()));
      } else if (tokenizer == Component.TOKENIZER
          ? repository.equals("openai/clip-vit-large-patch14")
          : repository.matches("(google|google-t5)/(flan-)?t5-.*|t5-(small|base|large)")) {
        others.add(snapshot);
      }
    }
    folders.addAll(others);
  }

  private Optional<Path> within(Path folder, int depth, int[] looked) throws IOException {
    Path usual = folder.resolve(tokenizer.folder());
    if (isOne(usual)) {
      return Optional.of(usual);
    }
    if (isOne(folder)) {
      return Optional.of(folder);
    }
    if (depth == 0 || !Files.isDirectory(folder)) {
      return Optional.empty();
    }
    List<Path> below;
    try (Stream<Path> listed = Files.list(folder)) {
      below = listed.filter(Files::isDirectory).filter(Files::isReadable).sorted().toList();
    }
    for (Path inner : below) {
      if (looked[0]++ < MOST_FOLDERS) {
        Optional<Path> found = within(inner, depth - 1, looked);
        if (found.isPresent()) {
          return found;
        }
      }
    }
    return Optional.empty();
  }

  /** Tells whether a folder holds this tokenizer, by its files. */
  private boolean isOne(Path folder) throws IOException {
    Path whole = folder.resolve(WHOLE);
    if (tokenizer == Component.TOKENIZER) {
      return (Files.isRegularFile(folder.resolve("vocab.json"))
              && holds(folder.resolve("merges.txt"), END_OF_WORD))
          || holds(whole, END_OF_WORD);
    }
    return holds(whole, UNIGRAM);
  }

  private static boolean holds(Path file, String mark) throws IOException {
    if (!Files.isRegularFile(file) || Files.size(file) > MOST_BYTES) {
      return false;
    }
    // Every byte is a character.
    return new String(InputFile.read(file, MOST_BYTES), StandardCharsets.ISO_8859_1).contains(mark);
  }

  /**
   * Says what to do where tokenizers are missing.
   *
   * @param tokenizers which ones
   * @param looked where they were looked for
   * @return the exception
   */
  static ModelException missing(List<Component> tokenizers, Path looked) {
    StringBuilder message = new StringBuilder();
    message.append(looked).append(": expected tokenizers, found none of");
    for (Component one : tokenizers) {
      boolean clip = one == Component.TOKENIZER;
      message
          .append(one == tokenizers.get(0) ? " " : ", nor of ")
          .append(clip ? "CLIP" : "T5")
          .append(": put its ")
          .append(clip ? "tokenizer.json (or vocab.json and merges.txt)" : WHOLE)
          .append(" into ")
          .append(looked.resolve(one.folder()))
          .append(", or fetch it into Hugging Face's cache ('hf download ")
          .append(clip ? "openai/clip-vit-large-patch14" : "google-t5/t5-base")
          .append(" tokenizer.json')");
    }
    return new ModelException(
        message
            + "; files of weights do not hold these small files, but every checkpoint of FLUX.1 does:"
            + " a folder that has them may be named, too (--tokenizers DIR, tokenizers(...))");
  }
}
