package io.github.urae.server.internal.job;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The adapters that requests may name. A name is compared with what the folder lists and never made
 * a path of. Thread-safe.
 */
public final class AdapterCatalogue {

  private static final Logger LOG = LoggerFactory.getLogger(AdapterCatalogue.class);

  private static final String SUFFIX = ".safetensors";

  private final Optional<Path> folder;
  private final Map<String, Path> bundled;

  /**
   * Creates a catalogue.
   *
   * @param folder of adapters, looked into at every request
   * @param bundled others, by name
   */
  public AdapterCatalogue(Optional<Path> folder, Map<String, Path> bundled) {
    this.folder = folder;
    this.bundled = bundled;
  }

  /** Returns files by name. */
  public Map<String, Path> files() {
    Map<String, Path> files = new TreeMap<>(bundled);
    folder.ifPresent(path -> list(path, files));
    return Collections.unmodifiableMap(files);
  }

  private static void list(Path folder, Map<String, Path> files) {
    try (Stream<Path> entries = Files.list(folder)) {
      entries
          .filter(entry -> !entry.getFileName().toString().startsWith("."))
          .filter(
              entry -> entry.getFileName().toString().endsWith(SUFFIX) || Files.isDirectory(entry))
          .forEach(entry -> files.put(name(entry), entry));
    } catch (IOException | UncheckedIOException e) {
      // It was there when the server was started: what needs none of them is drawn all the same.
      LOG.warn("{}: the folder of adapters cannot be read", folder, e);
    }
  }

  private static String name(Path entry) {
    String name = entry.getFileName().toString();
    return name.endsWith(SUFFIX) ? name.substring(0, name.length() - SUFFIX.length()) : name;
  }
}
