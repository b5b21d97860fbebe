package io.github.urae.adapter.internal.match;

import io.github.urae.adapter.internal.format.Parameter;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.ModelFamily;
import io.github.urae.flux.model.internal.ParameterTable;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Finds the parameters that a module of an adapter changes, by whatever names its trainer uses:
 * diffusers' own, those of Black Forest Labs' code (where several projections are one module), or
 * either with underscores for dots, as kohya writes them.
 *
 * @see <a
 *     href="https://github.com/huggingface/diffusers/blob/main/src/diffusers/loaders/lora_conversion_utils.py">
 *     diffusers: {@code lora_conversion_utils}</a>
 */
final class ModuleTargets {

  /**
   * Rows of a module's output that are rows of a weight.
   *
   * @param moduleRow first row in the module
   * @param weightRow first row in the weight
   * @param rows how many
   */
  record Rows(Component network, TensorInfo weight, long moduleRow, long weightRow, long rows) {}

  private static final String PROCESSOR = "_processor_";
  private static final String OLD_SUFFIX = "_lora";

  /** Where CLIP keeps everything, unless it was written by transformers 5. */
  private static final String CLIP_PREFIX = "text_model.";

  /** Names of CLIP's projections in old diffusers' adapters. */
  private static final Map<String, String> CLIP_PROJECTIONS =
      Map.of("q_proj", "to_q", "k_proj", "to_k", "v_proj", "to_v", "out_proj", "to_out");

  /** T5's embedding, which two names share. */
  private static final List<String> T5_EMBEDDINGS = List.of("shared", "encoder.embed_tokens");

  private final ModuleNames names;
  private final Map<Component, TensorSource> model;
  private final Map<Component, Map<Parameter, Map<String, List<Rows>>>> targets =
      new EnumMap<>(Component.class);

  /** Learns the names of a model's weights. */
  ModuleTargets(ModelFamily family, Map<Component, TensorSource> model) {
    this.names = new ModuleNames(family.adapters());
    this.model = model;
    model.forEach(
        (network, weights) -> {
          for (TensorInfo tensor : weights.tensors().values()) {
            addOwnName(network, tensor);
          }
        });
    if (model.containsKey(Component.TRANSFORMER)) {
      addNamesOf(family.names());
      family.adapters().aliases().forEach(this::addNamesOf);
    }
  }

  private void addOwnName(Component network, TensorInfo tensor) {
    if (!isMatrixOrVector(tensor)) {
      return;
    }
    List<Rows> whole = List.of(new Rows(network, tensor, 0, 0, rows(tensor)));
    for (Parameter parameter : Parameter.values()) {
      String ending = "." + parameter.ending();
      if (tensor.name().endsWith(ending)) {
        String module = tensor.name().substring(0, tensor.name().length() - ending.length());
        for (String name : namesOf(network, module)) {
          add(network, parameter, name, whole);
          addPath(network, name + ending, whole);
        }
      }
    }
  }

  /** Returns a module's name in diffusers or transformers, and others that they had or have. */
  private static Set<String> namesOf(Component network, String module) {
    Set<String> names = new LinkedHashSet<>(List.of(module));
    switch (network) {
      case TRANSFORMER -> {
        if (module.endsWith(".to_out.0")) {
          names.add(module.substring(0, module.length() - ".0".length()));
        }
      }
      case TEXT_ENCODER -> {
        String flat =
            module.startsWith(CLIP_PREFIX) ? module.substring(CLIP_PREFIX.length()) : module;
        names.add(flat);
        names.add(CLIP_PREFIX + flat);
        CLIP_PROJECTIONS.forEach(
            (name, old) -> {
              if (flat.endsWith(".self_attn." + name)) {
                String renamed = flat.substring(0, flat.length() - name.length()) + old;
                names.add(renamed);
                names.add(CLIP_PREFIX + renamed);
              }
            });
      }
      case TEXT_ENCODER_2 -> {
        if (T5_EMBEDDINGS.contains(module)) {
          names.addAll(T5_EMBEDDINGS);
        }
      }
      default -> {
        // Adapters change no other.
      }
    }
    return names;
  }

  /** Returns the rows of a module's parameter; empty if the model has no such parameter. */
  Optional<List<Rows>> find(String module, Parameter parameter) {
    for (ModuleNames.Reading reading : names.readings(module)) {
      for (String name : spellings(reading.module())) {
        for (Component network : targets.keySet()) {
          if (reading.network().map(network::equals).orElse(true)) {
            List<Rows> rows =
                targets
                    .get(network)
                    .getOrDefault(parameter, Map.of())
                    .getOrDefault(name, List.of());
            if (!rows.isEmpty()) {
              return Optional.of(rows);
            }
          }
        }
      }
    }
    return Optional.empty();
  }

  /**
   * Attention processors of old diffusers: {@code attn.processor.to_q_lora} for {@code attn.to_q}.
   */
  private static List<String> spellings(String module) {
    if (!module.endsWith(OLD_SUFFIX) && !module.contains(PROCESSOR)) {
      return List.of(module);
    }
    String plain = module.replace(PROCESSOR, "_");
    return List.of(
        module,
        plain.endsWith(OLD_SUFFIX)
            ? plain.substring(0, plain.length() - OLD_SUFFIX.length())
            : plain);
  }

  /** Returns what a key is for, if it is for a known part that nothing reads. */
  Optional<String> unused(String key) {
    return names.unused(key);
  }

  /** Returns the weight that a minor component's module belongs to, in URAE's names. */
  Optional<List<Rows>> findMinor(String module) {
    String attention = module.replace(".processor.to_", ".to_");
    return find(attention.endsWith(".to_out") ? attention + ".0" : attention, Parameter.WEIGHT);
  }

  private static long rows(TensorInfo weight) {
    return weight.shape().dimension(0);
  }

  private static boolean isMatrixOrVector(TensorInfo tensor) {
    return tensor.shape().rank() == 1 || tensor.shape().rank() == 2;
  }

  private void add(Component network, Parameter parameter, String module, List<Rows> rows) {
    targets
        .computeIfAbsent(network, n -> new EnumMap<>(Parameter.class))
        .computeIfAbsent(parameter, p -> new HashMap<>())
        .putIfAbsent(ModuleNames.plain(module), rows);
  }

  /**
   * Adds a parameter by its full name, as if it were the weight of a module: ComfyUI puts the
   * endings of changes behind any name.
   */
  private void addPath(Component network, String path, List<Rows> rows) {
    add(network, Parameter.WEIGHT, path, rows);
  }

  private void addNamesOf(ParameterTable table) {
    for (ParameterTable.Entry entry : table.entries()) {
      int block = 0;
      while (addModule(entry.in(block)) && entry.isInBlocks()) {
        block++;
      }
    }
  }

  /** A piece of a module: its first share there, and its rows in the weight. */
  private record Placed(int first, TensorInfo weight, long weightRow, long rows) {}

  /** Adds a module whose output is those of several weights, unless the model lacks one of them. */
  private boolean addModule(ParameterTable.Entry entry) {
    boolean found = false;
    for (Map.Entry<String, String> names : entry.parameters().entrySet()) {
      for (Parameter parameter : Parameter.values()) {
        if (names.getValue().equals(parameter.ending())) {
          List<Rows> rows = rowsOf(entry, "." + parameter.ending());
          if (!rows.isEmpty()) {
            add(Component.TRANSFORMER, parameter, entry.module(), rows);
            addPath(Component.TRANSFORMER, entry.module() + "." + names.getKey(), rows);
            found |= parameter == Parameter.WEIGHT;
          }
        }
      }
    }
    return found;
  }

  /**
   * Returns the rows of a module's parameter; empty if the model has no such block or parameter.
   */
  private List<Rows> rowsOf(ParameterTable.Entry entry, String ending) {
    Map<String, TensorInfo> weights = model.get(Component.TRANSFORMER).tensors();
    Map<String, Long> sharesOf = new HashMap<>();
    for (ParameterTable.Piece piece : entry.pieces()) {
      TensorInfo weight = weights.get(piece.module() + ending);
      if (weight == null || !isMatrixOrVector(weight)) {
        return List.of(); // No such block, or no guidance embedding.
      }
      sharesOf.merge(piece.module(), (long) piece.count(), Long::sum);
    }
    List<Placed> placed = new ArrayList<>();
    Map<String, Long> next = new HashMap<>();
    for (ParameterTable.Piece piece : entry.pieces()) {
      TensorInfo weight = weights.get(piece.module() + ending);
      long count = rows(weight) * piece.count() / sharesOf.get(piece.module());
      long weightRow = next.merge(piece.module(), count, Long::sum) - count;
      placed.add(new Placed(piece.first(), weight, weightRow, count));
    }
    placed.sort(Comparator.comparingInt(Placed::first));
    List<Rows> rows = new ArrayList<>();
    long moduleRow = 0;
    for (Placed part : placed) {
      rows.add(
          new Rows(Component.TRANSFORMER, part.weight(), moduleRow, part.weightRow(), part.rows()));
      moduleRow += part.rows();
    }
    return rows;
  }
}
