package io.github.urae.openblas.internal;

import io.github.urae.internal.JavaCppLibraries;
import java.io.IOException;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.openblas.global.openblas;

/** OpenBLAS's native code, loaded once in a process. */
final class NativeLibrary {

  private static boolean loaded;

  private NativeLibrary() {}

  /**
   * Loads the library unless it is loaded.
   *
   * @throws IOException if the folder into which it is unpacked cannot be written
   * @throws LinkageError if a jar is missing
   */
  static synchronized void load() throws IOException {
    if (loaded) {
      return;
    }
    JavaCppLibraries.load(
        "OpenBLAS",
        openblas.class.getClassLoader(),
        () -> {
          Loader.load(openblas.class);
          // JavaCPP's own native part is another jar, and missed only by the first allocation.
          Pointer.free(Pointer.calloc(1, 1));
        });
    loaded = true;
  }
}
