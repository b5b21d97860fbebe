package io.github.urae.onnx.internal.tokenizer;

import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import io.github.urae.InferenceException;
import io.github.urae.internal.NativeLibraries;
import java.io.IOException;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Loads the native library of Hugging Face's tokenizers from DJL's jar. DJL's own loader is not
 * used: it looks for GPUs, downloads variants, and writes to the user's home.
 */
public final class TokenizerLibrary {

  private static final Logger LOG = LoggerFactory.getLogger(TokenizerLibrary.class);

  /** A native library is the process's: once loaded, it serves all pipelines. */
  private static boolean loaded;

  private TokenizerLibrary() {}

  /**
   * Begins to load the library beside other work of a start. Who needs it waits for that, and hears
   * of what fails.
   */
  public static void loadAhead() {
    Thread thread =
        new Thread(
            () -> {
              try {
                // The process may end before a thread like this has written a file.
                if (libraries().areUnpacked()) {
                  load();
                }
              } catch (IOException | RuntimeException | LinkageError e) {
                LOG.debug("The tokenizers' library is loaded once more when it is needed", e);
              }
            },
            "urae-tokenizers");
    thread.setDaemon(true);
    thread.start();
  }

  /**
   * Loads the library unless it is loaded.
   *
   * @throws IOException if it cannot be unpacked
   * @throws InferenceException if there is none for this platform, or it cannot be loaded
   */
  static synchronized void load() throws IOException {
    if (loaded) {
      return;
    }
    NativeLibraries libraries = libraries();
    if (!libraries.exist()) {
      throw new InferenceException(
          "the jar ai.djl.huggingface:tokenizers holds nothing for "
              + platform()
              + "; it supports Linux (x86_64, aarch64), macOS (aarch64) and Windows (x86_64)");
    }
    libraries.load(
        folder -> {
          for (String file : files()) {
            System.load(folder.resolve(file).toString());
          }
        });
    loaded = true;
  }

  private static NativeLibraries libraries() {
    return new NativeLibraries(
        "tokenizers", TokenizersLibrary.class, "/native/lib/" + platform() + "/cpu/", files());
  }

  private static String platform() {
    return NativeLibraries.system() + "-" + NativeLibraries.architecture();
  }

  /** In the order in which they depend on each other. */
  private static List<String> files() {
    String library = System.mapLibraryName("tokenizers");
    return NativeLibraries.system().equals("win")
        ? List.of("libwinpthread-1.dll", "libgcc_s_seh-1.dll", "libstdc++-6.dll", library)
        : List.of(library);
  }
}
