package io.github.urae.adapter;

import io.github.urae.AdapterException;
import io.github.urae.adapter.internal.format.AdapterModule;
import io.github.urae.adapter.internal.format.AdapterParser;
import io.github.urae.internal.OwnedResources;
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

  private final SafetensorsFile file;
  private final AdapterFormat format;
  private final List<AdapterModule> modules;
  private final List<String> unknownKeys;

  private Adapter(
      SafetensorsFile file,
      AdapterFormat format,
      List<AdapterModule> modules,
      List<String> unknownKeys) {
    this.file = file;
    this.format = format;
    this.modules = List.copyOf(modules);
    this.unknownKeys = List.copyOf(unknownKeys);
  }

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
    OwnedResources opened = new OwnedResources();
    try {
      SafetensorsFile file = opened.add(SafetensorsFile.open(path));
      AdapterParser parser = new AdapterParser(file);
      parser.parse();
      return new Adapter(file, parser.format(), parser.modules(), parser.unknownKeys());
    } catch (Throwable e) {
      opened.closeAfter(e);
      throw e;
    }
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
    return file.path();
  }

  /**
   * Returns the form in which the file is stored.
   *
   * @return told by the keys, not by the file's name
   */
  public AdapterFormat format() {
    return format;
  }

  /**
   * Returns the modules that the file changes.
   *
   * @return immutable, in the order of the file
   */
  public List<AdapterModule> modules() {
    return modules;
  }

  /**
   * Returns the keys that belong to no known form.
   *
   * @return immutable; they cannot be applied to any model
   */
  public List<String> unknownKeys() {
    return unknownKeys;
  }

  /**
   * Returns the metadata of the file.
   *
   * @return immutable
   */
  public Map<String, String> metadata() {
    return file.metadata();
  }

  @Override
  public void close() throws IOException {
    file.close();
  }
}
