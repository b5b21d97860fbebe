package io.github.urae.adapter.internal.format;

import io.github.urae.AdapterException;
import io.github.urae.adapter.AdapterFormat;
import io.github.urae.internal.OwnedResources;
import io.github.urae.internal.Sha256;
import io.github.urae.weights.SafetensorsFile;
import java.io.Closeable;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * An adapter file, parsed and checked. Thread-safe; owns the mapped file until {@link #close()},
 * which may be called twice.
 */
public final class ParsedAdapter implements Closeable {

  private final SafetensorsFile file;
  private final Optional<AdapterConfig> config;
  private final AdapterFormat format;
  private final List<AdapterModule> modules;
  private final List<String> unknownKeys;

  /** Made when first asked for: a second pass over the file. */
  private String digest;

  private ParsedAdapter(
      SafetensorsFile file, Optional<AdapterConfig> config, AdapterParser parser) {
    this.file = file;
    this.config = config;
    this.format = parser.format();
    this.modules = List.copyOf(parser.modules());
    this.unknownKeys = List.copyOf(parser.unknownKeys());
  }

  /**
   * Opens an adapter.
   *
   * @param path a {@code .safetensors} file, or a folder with one adapter
   * @return the adapter; the caller closes it
   * @throws IOException if the file is missing or cannot be read
   * @throws io.github.urae.FileFormatException if it breaks the safetensors format
   * @throws AdapterException if it holds no adapter, one of an unsupported kind, or a damaged one
   */
  public static ParsedAdapter open(Path path) throws IOException {
    OwnedResources opened = new OwnedResources();
    try {
      SafetensorsFile file = opened.add(SafetensorsFile.open(AdapterFolder.fileIn(path)));
      Optional<AdapterConfig> config = AdapterConfig.beside(file.path());
      AdapterParser parser = new AdapterParser(file, config);
      parser.parse();
      return new ParsedAdapter(file, config, parser);
    } catch (Throwable e) {
      opened.closeAfter(e);
      throw e;
    }
  }

  /** Returns the file's path: as given, or in the folder that was given. */
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
   * Returns what identifies the adapter, wherever it lies: the content of its file, and of PEFT's
   * configuration where one belongs to it. Read once, however often it is asked for.
   *
   * @return as {@link Sha256#nameOfContent}, for a file without a configuration
   * @throws IOException if the file cannot be read
   * @throws io.github.urae.FileFormatException if it was replaced since it was opened
   */
  public synchronized String digest() throws IOException {
    if (digest == null) {
      String read = Sha256.nameOfContent(file.path());
      file.checkUnchanged();
      digest = config.map(beside -> with(beside, read)).orElse(read);
    }
    return digest;
  }

  private static String with(AdapterConfig config, String content) {
    MessageDigest both = Sha256.start();
    both.update(content.getBytes(StandardCharsets.UTF_8));
    both.update(config.digest().getBytes(StandardCharsets.UTF_8));
    return Sha256.name(both);
  }

  @Override
  public void close() throws IOException {
    file.close();
  }
}
