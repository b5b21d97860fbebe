package io.github.urae.fuzz;

import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/** Inputs that once broke something, kept under {@code inputs/TARGET} in the resources. */
final class StoredInputs {

  private StoredInputs() {}

  /** Returns the inputs of a target by name of the file. */
  static Map<String, byte[]> of(String target) throws IOException {
    URL folder = StoredInputs.class.getResource("inputs/" + target);
    if (folder == null) {
      return Map.of();
    }
    try {
      URI uri = folder.toURI();
      if (uri.getScheme().equals("file")) {
        return read(Path.of(uri));
      }
      try (FileSystem jar = FileSystems.newFileSystem(uri, Map.of())) {
        return read(jar.getPath(uri.getSchemeSpecificPart().replaceFirst(".*!", "")));
      }
    } catch (URISyntaxException e) {
      throw new IOException("no resource: " + folder, e);
    }
  }

  private static Map<String, byte[]> read(Path folder) throws IOException {
    Map<String, byte[]> inputs = new TreeMap<>();
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.toList()) {
        try (InputStream in = Files.newInputStream(file)) {
          inputs.put(file.getFileName().toString(), in.readAllBytes());
        }
      }
    }
    return inputs;
  }
}
