package io.github.urae.adapter;

import io.github.urae.AdapterException;
import io.github.urae.adapter.internal.format.AdapterModule;
import io.github.urae.adapter.internal.format.AdapterParser;
import io.github.urae.adapter.internal.format.Change;
import io.github.urae.adapter.internal.format.ParsedAdapter;
import io.github.urae.tensor.ElementType;
import io.github.urae.weights.TensorSource;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * An adapter file, parsed and checked, but not yet matched against a model. Immutable and
 * thread-safe; owns the mapped file until {@link #close()}, which may be called twice.
 */
public final class Adapter implements Closeable {

  private final ParsedAdapter parsed;

  private Adapter(ParsedAdapter parsed) {
    this.parsed = parsed;
  }

  /** What is done to a parameter of a model. */
  public enum Kind {
    /** A product {@code B A} of low rank is added. */
    LORA("LoRA"),
    /** A Kronecker product is added, of matrices or of products of low rank. */
    LOKR("LoKr"),
    /** The product of two matrices, element by element, is added, each of low rank. */
    LOHA("LoHa"),
    /** Values are added as they are: to a weight, a bias, or the scale of a normalisation. */
    DIFFERENCE("differences"),
    /** Values are put in the place of those that are there. */
    REPLACEMENT("whole weights"),
    /** The smallest singular components are replaced by a product of low rank. */
    MINOR_COMPONENTS("URAE minor components");

    private final String description;

    Kind(String description) {
      this.description = description;
    }

    /**
     * Returns the kind in words.
     *
     * @return a short description
     */
    public String description() {
      return description;
    }
  }

  /**
   * The part of an adapter that changes one parameter of one module of a model.
   *
   * @param name the module by the file's own name, without the endings of the keys
   * @param parameter {@code weight} or {@code bias}
   * @param kind what is done
   * @param isDora whether the rows or columns of the result are then brought to lengths that the
   *     adapter holds, as DoRA does it
   * @param outputs rows of the change
   * @param inputs columns of the change; 1 for a bias and for the scale of a normalisation
   * @param rank of the products that the change is made of, the larger one of two; 0 without
   * @param alpha as stored; equal to the rank where the file has none or does not use it
   * @param scale what the change is multiplied by: usually alpha / rank
   * @param elementType of the stored values, or of the first factor
   * @param parameters how many values are stored
   */
  public record Module(
      String name,
      String parameter,
      Kind kind,
      boolean isDora,
      long outputs,
      long inputs,
      int rank,
      double alpha,
      double scale,
      ElementType elementType,
      long parameters) {}

  /**
   * Opens an adapter.
   *
   * @param path a {@code .safetensors} file in any of the forms of {@link AdapterFormat}, or a
   *     folder with one
   * @return the adapter; the caller closes it
   * @throws IOException if the file is missing or cannot be read
   * @throws io.github.urae.FileFormatException if it breaks the safetensors format
   * @throws AdapterException if it holds no adapter, one of an unsupported kind, half of a pair,
   *     ranks that differ, or values that are not finite; the message names the key
   */
  public static Adapter open(Path path) throws IOException {
    return new Adapter(ParsedAdapter.open(path));
  }

  /**
   * Tells adapters from other weight files, by the keys.
   *
   * @param file open weights
   * @return whether some key is one of an adapter, of a supported kind or not; it may be damaged
   */
  public static boolean isAdapter(TensorSource file) {
    return file.tensors().keySet().stream().anyMatch(AdapterParser::isAdapterKey);
  }

  /**
   * Returns the file.
   *
   * @return its path, as given
   */
  public Path path() {
    return parsed.path();
  }

  /**
   * Returns the form in which the file is stored.
   *
   * @return told by the keys, not by the file's name
   */
  public AdapterFormat format() {
    return parsed.format();
  }

  /**
   * Returns the modules that the file changes.
   *
   * @return immutable, in the order of the file
   */
  public List<Module> modules() {
    boolean minor = parsed.format() == AdapterFormat.MINOR_COMPONENTS;
    return parsed.modules().stream().map(module -> describe(module, minor)).toList();
  }

  private static Module describe(AdapterModule module, boolean minor) {
    Change change = module.change();
    return new Module(
        module.name(),
        module.parameter().ending(),
        minor ? Kind.MINOR_COMPONENTS : kind(change),
        module.magnitude().isPresent(),
        change.outputs(),
        change.inputs(),
        change.rank(),
        change.alpha(),
        change.scale(),
        change.elementType(),
        change.parameters()
            + module.magnitude().map(magnitude -> magnitude.lengths().rows()).orElse(0L));
  }

  private static Kind kind(Change change) {
    if (change instanceof Change.LowRank) {
      return Kind.LORA;
    }
    if (change instanceof Change.Kronecker) {
      return Kind.LOKR;
    }
    if (change instanceof Change.Hadamard) {
      return Kind.LOHA;
    }
    return change instanceof Change.Difference ? Kind.DIFFERENCE : Kind.REPLACEMENT;
  }

  /**
   * Returns the keys that belong to no known form.
   *
   * @return immutable; they cannot be applied to any model
   */
  public List<String> unknownKeys() {
    return parsed.unknownKeys();
  }

  /**
   * Returns the metadata of the file.
   *
   * @return immutable
   */
  public Map<String, String> metadata() {
    return parsed.metadata();
  }

  @Override
  public void close() throws IOException {
    parsed.close();
  }
}
