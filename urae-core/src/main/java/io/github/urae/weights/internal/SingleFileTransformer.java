package io.github.urae.weights.internal;

import io.github.urae.ModelException;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.internal.SelectedRows.Range;
import java.nio.file.Path;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A transformer of FLUX.1 in one file with Black Forest Labs' own names, seen through those of
 * diffusers. Fused projections are rows of the stored tensors; the halves of {@code
 * norm_out.linear} are stored the other way round.
 *
 * @see <a
 *     href="https://github.com/huggingface/diffusers/blob/main/scripts/convert_flux_to_diffusers.py">
 *     diffusers: {@code convert_flux_to_diffusers.py}</a>
 */
public final class SingleFileTransformer {

  private static final String MARK = "double_blocks.0.img_attn.qkv.weight";

  /** ComfyUI writes this before the names, beside the other networks of a checkpoint. */
  private static final String PREFIX = "model.diffusion_model.";

  private static final String SWAPPED = "final_layer.adaLN_modulation.1";

  private final Path file;
  private final Map<String, TensorInfo> parameters = new LinkedHashMap<>();
  private final Map<String, TensorInfo> stored = new LinkedHashMap<>();
  private final Set<String> unused = new LinkedHashSet<>();

  /**
   * Tells whether tensors bear Black Forest Labs' names.
   *
   * @param names names of a file's tensors
   * @return whether {@link #parameters} understands them
   */
  public static boolean recognises(Collection<String> names) {
    return names.contains(MARK) || names.contains(PREFIX + MARK);
  }

  /**
   * Finds the parameters.
   *
   * @param file the file, for messages
   * @param tensors the tensors of the file
   * @return its tensors by diffusers' names
   * @throws ModelException if there is no transformer in these names, a quantised one, or tensors
   *     that FLUX.1 does not have
   */
  public static Map<String, TensorInfo> parameters(Path file, Map<String, TensorInfo> tensors) {
    return Collections.unmodifiableMap(new SingleFileTransformer(file, tensors).parameters);
  }

  private SingleFileTransformer(Path file, Map<String, TensorInfo> all) {
    this.file = file;
    boolean prefixed = all.containsKey(PREFIX + MARK);
    if (!recognises(all.keySet())) {
      throw new ModelException(
          file
              + ": expected a FLUX.1 transformer in Black Forest Labs' names, such as '"
              + MARK
              + "', found "
              + (all.isEmpty() ? "no tensor" : "'" + all.keySet().iterator().next() + "'"));
    }
    all.forEach(
        (name, info) -> {
          if (!prefixed) {
            stored.put(name, info);
          } else if (name.startsWith(PREFIX)) {
            stored.put(name.substring(PREFIX.length()), info);
          }
        });
    stored.values().forEach(this::refuseQuantised);
    unused.addAll(stored.keySet());
    map();
    if (!unused.isEmpty()) {
      throw new ModelException(
          file
              + ": tensor '"
              + unused.iterator().next()
              + "': FLUX.1's transformer has none of this name; the file is of another model");
    }
  }

  private void refuseQuantised(TensorInfo info) {
    if (!info.encoding().isPlain()) {
      return;
    }
    String kind =
        switch (info.type()) {
          case F8_E4M3, F8_E5M2 -> "float8";
          case U8, I8, F4, F8_E8M0 -> "quantised";
          default -> null;
        };
    if (kind != null) {
      throw new ModelException(
          file
              + ": tensor '"
              + info.name()
              + "': "
              + kind
              + " single files are not supported; expected BF16, F16 or F32, found "
              + info.type()
              + ": use the bfloat16 file of the same model");
    }
  }

  private void map() {
    linear("img_in", "x_embedder");
    linear("txt_in", "context_embedder");
    embedder("time_in", "timestep_embedder");
    embedder("vector_in", "text_embedder");
    if (stored.containsKey("guidance_in.in_layer.weight")) {
      embedder("guidance_in", "guidance_embedder");
    }
    for (int i = 0; stored.containsKey("double_blocks." + i + ".img_attn.qkv.weight"); i++) {
      doubleBlock("double_blocks." + i + ".", "transformer_blocks." + i + ".");
    }
    for (int i = 0; stored.containsKey("single_blocks." + i + ".linear1.weight"); i++) {
      singleBlock("single_blocks." + i + ".", "single_transformer_blocks." + i + ".");
    }
    linear("final_layer.linear", "proj_out");
    for (String part : List.of(".weight", ".bias")) {
      swapped(SWAPPED + part, "norm_out.linear" + part);
    }
  }

  private void embedder(String original, String diffusers) {
    linear(original + ".in_layer", "time_text_embed." + diffusers + ".linear_1");
    linear(original + ".out_layer", "time_text_embed." + diffusers + ".linear_2");
  }

  private void doubleBlock(String original, String diffusers) {
    for (boolean image : new boolean[] {true, false}) {
      String side = original + (image ? "img_" : "txt_");
      String attn = diffusers + "attn.";
      String projection = image ? "to_%s" : "add_%s_proj";
      fused(
          side + "attn.qkv",
          3,
          attn + String.format(projection, "q"),
          attn + String.format(projection, "k"),
          attn + String.format(projection, "v"));
      String norm = attn + (image ? "norm_" : "norm_added_");
      whole(side + "attn.norm.query_norm.scale", norm + "q.weight");
      whole(side + "attn.norm.key_norm.scale", norm + "k.weight");
      linear(side + "attn.proj", attn + (image ? "to_out.0" : "to_add_out"));
      String feedForward = diffusers + (image ? "ff" : "ff_context");
      linear(side + "mlp.0", feedForward + ".net.0.proj");
      linear(side + "mlp.2", feedForward + ".net.2");
      linear(side + "mod.lin", diffusers + (image ? "norm1" : "norm1_context") + ".linear");
    }
  }

  private void singleBlock(String original, String diffusers) {
    String attn = diffusers + "attn.";
    // Queries, keys and values of the width of the input, then four times as many rows.
    fused(
        original + "linear1",
        7,
        attn + "to_q",
        attn + "to_k",
        attn + "to_v",
        diffusers + "proj_mlp");
    linear(original + "linear2", diffusers + "proj_out");
    whole(original + "norm.query_norm.scale", attn + "norm_q.weight");
    whole(original + "norm.key_norm.scale", attn + "norm_k.weight");
    linear(original + "modulation.lin", diffusers + "norm.linear");
  }

  private void linear(String original, String diffusers) {
    whole(original + ".weight", diffusers + ".weight");
    whole(original + ".bias", diffusers + ".bias");
  }

  private void whole(String original, String diffusers) {
    TensorInfo info = take(original);
    parameters.put(
        diffusers,
        new TensorInfo(
            diffusers, info.encoding(), info.shape(), info.file(), info.offset(), info.length()));
  }

  private TensorInfo take(String original) {
    TensorInfo info = stored.get(original);
    if (info == null) {
      throw new ModelException(file + ": expected a tensor '" + original + "', found none");
    }
    unused.remove(original);
    return info;
  }

  /** Rows in equal parts; the last target takes all that are left. */
  private void fused(String original, int parts, String... targets) {
    for (String suffix : List.of(".weight", ".bias")) {
      TensorInfo info = take(original + suffix);
      long rows = info.shape().rank() == 0 ? 0 : info.shape().dimension(0);
      if (rows == 0 || rows % parts != 0) {
        throw notDivisible(info, parts);
      }
      for (int i = 0; i < targets.length; i++) {
        long first = rows / parts * i;
        long end = i == targets.length - 1 ? rows : first + rows / parts;
        place(targets[i] + suffix, info, first, end - first);
      }
    }
  }

  private ModelException notDivisible(TensorInfo info, int parts) {
    return new ModelException(
        file
            + ": tensor '"
            + info.name()
            + "': expected rows of "
            + parts
            + " equal parts, found shape "
            + info.shape());
  }

  private void place(String diffusers, TensorInfo info, long firstRow, long rows) {
    parameters.put(diffusers, SelectedRows.of(info, diffusers, new Range(firstRow, rows)));
  }

  private void swapped(String original, String diffusers) {
    TensorInfo info = take(original);
    if (info.shape().rank() == 0 || info.shape().dimension(0) % 2 != 0) {
      throw notDivisible(info, 2);
    }
    long half = info.shape().dimension(0) / 2;
    parameters.put(
        diffusers, SelectedRows.of(info, diffusers, new Range(half, half), new Range(0, half)));
  }
}
