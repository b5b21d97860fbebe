package io.github.urae.weights.internal;

import io.github.urae.ModelException;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import io.github.urae.weights.SafetensorsFile;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorLayout;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
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
 * diffusers. Fused projections are views of their rows in the same file; only {@code
 * norm_out.linear}, whose halves are stored the other way round, lies in two pieces.
 *
 * @see <a
 *     href="https://github.com/huggingface/diffusers/blob/main/scripts/convert_flux_to_diffusers.py">
 *     diffusers: {@code convert_flux_to_diffusers.py}</a>
 */
public final class SingleFileTransformer implements TensorSource {

  private static final String MARK = "double_blocks.0.img_attn.qkv.weight";

  /** ComfyUI writes this before the names, beside the other networks of a checkpoint. */
  private static final String PREFIX = "model.diffusion_model.";

  private static final String SWAPPED = "final_layer.adaLN_modulation.1";

  private final PlacedTensors places;
  private final Map<String, TensorInfo> tensors;

  /** Names of the places of the halves, in diffusers' order, by the name of the whole. */
  private final Map<String, List<String>> halves;

  private SingleFileTransformer(
      PlacedTensors places, Map<String, TensorInfo> tensors, Map<String, List<String>> halves) {
    this.places = places;
    this.tensors = tensors;
    this.halves = halves;
  }

  /**
   * Tells whether tensors bear Black Forest Labs' names.
   *
   * @param names names of a file's tensors
   * @return whether {@link #open} can read them
   */
  public static boolean recognises(Collection<String> names) {
    return names.contains(MARK) || names.contains(PREFIX + MARK);
  }

  /**
   * Opens a file.
   *
   * @param file a {@code .safetensors} file
   * @return its tensors by diffusers' names; the caller closes them
   * @throws IOException if the file is missing or cannot be read
   * @throws io.github.urae.FileFormatException if the file breaks the format
   * @throws ModelException if it holds no transformer in these names, a quantised one, or tensors
   *     that FLUX.1 does not have
   */
  public static SingleFileTransformer open(Path file) throws IOException {
    Names names;
    try (SafetensorsFile stored = SafetensorsFile.open(file)) {
      names = new Names(file, stored.tensors());
    }
    return new SingleFileTransformer(
        PlacedTensors.open(names.places.values()),
        Collections.unmodifiableMap(names.tensors),
        names.halves);
  }

  /** Works out where each tensor lies. */
  private static final class Names {

    final Map<String, TensorInfo> places = new LinkedHashMap<>();
    final Map<String, TensorInfo> tensors = new LinkedHashMap<>();
    final Map<String, List<String>> halves = new LinkedHashMap<>();
    private final Path file;
    private final Map<String, TensorInfo> stored = new LinkedHashMap<>();
    private final Set<String> unused = new LinkedHashSet<>();

    Names(Path file, Map<String, TensorInfo> all) {
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
      place(diffusers, info, 0, info.shape().rank() == 0 ? 1 : info.shape().dimension(0));
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
      TensorInfo part = rowsOf(diffusers, info, firstRow, rows);
      places.put(diffusers, part);
      tensors.put(diffusers, part);
    }

    private TensorInfo rowsOf(String name, TensorInfo info, long firstRow, long rows) {
      if (info.shape().rank() == 0) {
        return new TensorInfo(name, info.type(), info.shape(), file, info.offset(), info.length());
      }
      long[] dimensions = info.shape().toArray();
      long rowBytes = dimensions[0] == 0 ? 0 : info.length() / dimensions[0];
      dimensions[0] = rows;
      return new TensorInfo(
          name,
          info.type(),
          Shape.of(dimensions),
          file,
          info.offset() + firstRow * rowBytes,
          rows * rowBytes);
    }

    private void swapped(String original, String diffusers) {
      TensorInfo info = take(original);
      if (info.shape().rank() == 0 || info.shape().dimension(0) % 2 != 0) {
        throw notDivisible(info, 2);
      }
      long half = info.shape().dimension(0) / 2;
      String first = diffusers + " (scale)";
      String second = diffusers + " (shift)";
      places.put(first, rowsOf(first, info, half, half));
      places.put(second, rowsOf(second, info, 0, half));
      halves.put(diffusers, List.of(first, second));
      tensors.put(diffusers, rowsOf(diffusers, info, 0, 2 * half));
    }
  }

  @Override
  public Map<String, TensorInfo> tensors() {
    return tensors;
  }

  @Override
  public Map<String, String> metadata() {
    return places.metadata();
  }

  @Override
  public List<Path> files() {
    return places.files();
  }

  @Override
  public TensorLayout layout(String name) {
    return halves.containsKey(name) ? TensorLayout.SCATTERED : TensorLayout.ROW_MAJOR;
  }

  /** {@inheritDoc} A copy for the two tensors that lie in pieces. */
  @Override
  public Tensor tensor(String name) throws IOException {
    List<String> pieces = halves.get(name);
    if (pieces == null) {
      return places.tensor(name);
    }
    TensorInfo info = tensors.get(name);
    ByteBuffer bytes =
        ByteBuffer.allocateDirect(Math.toIntExact(info.length())).order(ByteOrder.LITTLE_ENDIAN);
    read(name, 0, bytes);
    return Tensor.view(info.type(), info.shape(), bytes.flip(), info.file() + ": " + name);
  }

  @Override
  public void read(String name, long position, ByteBuffer target) throws IOException {
    List<String> pieces = halves.get(name);
    if (pieces == null) {
      places.read(name, position, target);
      return;
    }
    TensorInfo info = tensors.get(name);
    if (position < 0 || position + target.remaining() > info.length()) {
      throw new IllegalArgumentException(
          target.remaining() + " bytes from " + position + " exceed " + info);
    }
    long half = info.length() / 2;
    int limit = target.limit();
    long at = position;
    while (target.position() < limit) {
      int piece = at < half ? 0 : 1;
      long within = at - piece * half;
      int count = (int) Math.min(limit - target.position(), half - within);
      target.limit(target.position() + count);
      places.read(pieces.get(piece), within, target);
      target.limit(limit);
      at += count;
    }
  }

  @Override
  public void checkUnchanged() throws IOException {
    places.checkUnchanged();
  }

  @Override
  public void close() throws IOException {
    places.close();
  }
}
