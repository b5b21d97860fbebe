package io.github.urae.adapter.internal.format;

import io.github.urae.AdapterException;
import io.github.urae.adapter.AdapterFormat;
import io.github.urae.internal.OwnedResources;
import io.github.urae.internal.Sha256;
import io.github.urae.weights.SafetensorsFile;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * An adapter file, parsed and checked. Thread-safe; owns the mapped file until {@link #close()},
 * which may be called twice.
 */
public final class ParsedAdapter implements Closeable {

  private final SafetensorsFile file;
  private final AdapterFormat format;
  private final List<AdapterModule> modules;
  private final List<String> unknownKeys;

  /** Made when first asked for: a second pass over the file. */
  private String digest;

  private ParsedAdapter(SafetensorsFile file, AdapterParser parser) {
    this.file = file;
    this.format = parser.format();
    this.modules = List.copyOf(parser.modules());
    this.unknownKeys = List.copyOf(parser.unknownKeys());
  }

  /**
   * Opens an adapter.
   *
   * @param path a {@code .safetensors} file
   * @return the adapter; the caller closes it
   * @throws IOException if the file is missing or cannot be read
   * @throws io.github.urae.FileFormatException if it breaks the safetensors format
   * @throws AdapterException if it holds no adapter, one of an unsupported kind, or a damaged one
   */
  public static ParsedAdapter open(Path path) throws IOException {
    OwnedResources opened = new OwnedResources();
    try {
      SafetensorsFile file = opened.add(SafetensorsFile.open(path));
      AdapterParser parser = new AdapterParser(file);
      parser.parse();
      return new ParsedAdapter(file, parser);
    } catch (Throwable e) {
      opened.closeAfter(e);
      throw e;
    }
  }

  /** Returns the file's path, as given. */
  public Path path() {
    return file.path();
  }

  /** Returns the form in which the file is stored. */
  public AdapterFormat format() {
    return format;
  }

  /** Returns the modules that the file changes, in its order; immutable. */
  public List<AdapterModule> modules() {
    return modules;
  }

  /** Returns the keys that belong to no known form; immutable. */
  public List<String> unknownKeys() {
    return unknownKeys;
  }

  /** Returns the file's metadata; immutable. */
  public Map<String, String> metadata() {
    return file.metadata();
  }

  /**
   * Returns what identifies the file's content, wherever it lies. Read once, however often it is
   * asked for.
   *
   * @return as {@link Sha256#nameOfContent}
   * @throws IOException if the file cannot be read
   * @throws io.github.urae.FileFormatException if it was replaced since it was opened
   */
  public synchronized String digest() throws IOException {
    if (digest == null) {
      String read = Sha256.nameOfContent(file.path());
      file.checkUnchanged();
      digest = read;
    }
    return digest;
  }

  @Override
  public void close() throws IOException {
    file.close();
  }
}
