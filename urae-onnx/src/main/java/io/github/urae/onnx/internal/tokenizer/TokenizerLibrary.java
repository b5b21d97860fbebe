package io.github.urae.onnx.internal.tokenizer;

import io.github.urae.InferenceException;
import io.github.urae.internal.UnpackedResource;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Properties;
import java.util.UUID;

/**
 * Loads the native library of Hugging Face's tokenizers from DJL's jar. DJL's own loader is not
 * used: it looks for GPUs, downloads variants, and writes to the user's home.
 */
final class TokenizerLibrary {

  private static final String RESOURCES = "/native/lib/";

  /** A native library is the process's: once loaded, it serves all pipelines. */
  private static boolean loaded;

  private TokenizerLibrary() {}

  /**
   * Loads the library unless it is loaded.
   *
   * @param cacheFolder where it is unpacked, in a folder {@code native}
   * @throws IOException if it cannot be unpacked
   * @throws InferenceException if there is none for this platform, or it cannot be loaded
   */
  static synchronized void load(Path cacheFolder) throws IOException {
    if (loaded) {
      return;
    }
    Path folder = cacheFolder.resolve("native").resolve("tokenizers-" + version());
    try {
      loadFrom(folder);
    } catch (UnsatisfiedLinkError e) {
      if (!String.valueOf(e.getMessage()).contains("already loaded in another classloader")) {
        throw new InferenceException("the tokenizers library could not be loaded: " + e, e);
      }
      // A file can be loaded by one class loader only; in a servlet container there may be more.
      loadFrom(folder.resolve(UUID.randomUUID().toString()));
    }
    loaded = true;
  }

  private static void loadFrom(Path folder) throws IOException {
    for (String library : libraries()) {
      Path file = folder.resolve(library);
      String resource = RESOURCES + platform() + "/cpu/" + library;
      if (TokenizerLibrary.class.getResource(resource) == null) {
        throw missing(resource);
      }
      UnpackedResource.unpack(TokenizerLibrary.class, resource, file);
      System.load(file.toAbsolutePath().toString());
    }
  }

  private static String version() throws IOException {
    Properties properties = new Properties();
    String resource = RESOURCES + "tokenizers.properties";
    try (InputStream in = TokenizerLibrary.class.getResourceAsStream(resource)) {
      if (in == null) {
        throw missing(resource);
      }
      properties.load(in);
    }
    return properties.getProperty("version", "unknown");
  }

  private static String os() {
    String os = System.getProperty("os.name").toLowerCase(Locale.ROOT);
    return os.startsWith("win") ? "win" : os.startsWith("mac") ? "osx" : "linux";
  }

  private static String platform() {
    String arch = System.getProperty("os.arch");
    return os() + "-" + (arch.equals("amd64") ? "x86_64" : arch);
  }

  /** In the order in which they depend on each other. */
  private static List<String> libraries() {
    String library = System.mapLibraryName("tokenizers");
    return os().equals("win")
        ? List.of("libwinpthread-1.dll", "libgcc_s_seh-1.dll", "libstdc++-6.dll", library)
        : List.of(library);
  }

  private static FileNotFoundException missing(String resource) {
    return new FileNotFoundException(
        "the jar ai.djl.huggingface:tokenizers holds no "
            + resource
            + "; it supports Linux (x86_64, aarch64), macOS (aarch64) and Windows (x86_64)");
  }
}
