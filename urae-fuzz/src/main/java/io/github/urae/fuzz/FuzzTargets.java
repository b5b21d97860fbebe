package io.github.urae.fuzz;

import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** All targets by name. */
final class FuzzTargets {

  /** Makes a target. */
  private interface Opening {
    FuzzTarget open(Path folder) throws IOException;
  }

  private static final Map<String, Opening> TARGETS = new LinkedHashMap<>();

  static {
    TARGETS.put("safetensors", WeightTargets::safetensors);
    TARGETS.put("gguf", WeightTargets::gguf);
    TARGETS.put("index", WeightTargets::index);
    TARGETS.put("adapter", WeightTargets::adapter);
    TARGETS.put("merge", WeightTargets::merge);
    TARGETS.put("model-index", ConfigurationTargets::modelIndex);
    TARGETS.put("scheduler", ConfigurationTargets::scheduler);
    TARGETS.put("transformer-config", ConfigurationTargets::transformer);
    TARGETS.put("clip-config", ConfigurationTargets::clip);
    TARGETS.put("t5-config", ConfigurationTargets::t5);
    TARGETS.put("vae-config", ConfigurationTargets::vae);
    TARGETS.put("preview-factors", ConfigurationTargets::previewFactors);
    TARGETS.put("clip-vocabulary", TokenizerTargets::clipVocabulary);
    TARGETS.put("clip-merges", TokenizerTargets::clipMerges);
    TARGETS.put("clip-tokenizer-config", TokenizerTargets::clipConfiguration);
    TARGETS.put("t5-tokenizer", TokenizerTargets::t5);
    TARGETS.put("t5-tokenizer-config", TokenizerTargets::t5Configuration);
    TARGETS.put("prompt", TokenizerTargets::prompt);
    TARGETS.put("onnx-transformer", GraphTargets::transformer);
    TARGETS.put("onnx-text-encoder", GraphTargets::textEncoder);
    TARGETS.put("session-transformer", GraphTargets::transformerSession);
    TARGETS.put("session-text-encoder", GraphTargets::textEncoderSession);
    TARGETS.put("start-image", PictureTargets::startImage);
    TARGETS.put("picture-texts", PictureTargets::pictureTexts);
    TARGETS.put("picture-settings", PictureTargets::settings);
    TARGETS.put("request", PictureTargets::request);
  }

  private FuzzTargets() {}

  static Set<String> names() {
    return TARGETS.keySet();
  }

  /** Makes a target that works in a folder of its own, which is there and empty. */
  static FuzzTarget open(String name, Path folder) throws IOException {
    Opening opening = TARGETS.get(name);
    if (opening == null) {
      throw new IllegalArgumentException(
          "no target " + name + "; there are " + List.copyOf(names()));
    }
    return opening.open(folder);
  }
}
