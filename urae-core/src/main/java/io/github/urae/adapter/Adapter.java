package io.github.urae.adapter;

import io.github.urae.AdapterException;
import io.github.urae.adapter.internal.format.AdapterModule;
import io.github.urae.adapter.internal.format.AdapterParser;
import io.github.urae.adapter.internal.format.ParsedAdapter;
import io.github.urae.tensor.ElementType;
import io.github.urae.weights.SafetensorsFile;
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

  /**
   * The part of an adapter that belongs to one module of a model: a pair of matrices whose product
   * {@code B A} changes the module's weight.
   *
   * @param name the module by the file's own name, without the endings of the keys
   * @param outputs rows of B
   * @param inputs columns of A
   * @param rank rows of A and columns of B
   * @param alpha as stored; equal to the rank where the file has none
   * @param scale what the product is multiplied by: usually alpha / rank
   * @param elementType of A
   */
  public record Module(
      String name,
      long outputs,
      long inputs,
      int rank,
      double alpha,
      double scale,
      ElementType elementType) {}

  /**
   * Opens an adapter.
   *
   * @param path a {@code .safetensors} file in any of the forms of {@link AdapterFormat}
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
   * @param file an open file
   * @return whether some key is one of an adapter, of a supported kind or not; it may be damaged
   */
  public static boolean isAdapter(SafetensorsFile file) {
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
    return parsed.modules().stream().map(Adapter::describe).toList();
  }

  private static Module describe(AdapterModule module) {
    return new Module(
        module.name(),
        module.outputs(),
        module.inputs(),
        module.rank(),
        module.alpha(),
        module.scale(),
        module.down().type());
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
