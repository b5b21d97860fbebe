package io.github.urae.openblas.internal;

import io.github.urae.internal.CacheFolder;
import io.github.urae.internal.NativeLibraries;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.openblas.global.openblas;

/** OpenBLAS's native code, loaded once in a process. */
final class NativeLibrary {

  /** Where JavaCPP unpacks native libraries; its own default is under the user's home. */
  private static final String CACHE_PROPERTY = "org.bytedeco.javacpp.cachedir";

  private static boolean loaded;

  private NativeLibrary() {}

  /**
   * Loads the library unless it is loaded. JavaCPP unpacks it, beside what {@link NativeLibraries}
   * unpacks unless the application has told JavaCPP otherwise; what is there is compared with the
   * jars first.
   *
   * @throws IOException if that folder cannot be written
   * @throws LinkageError if a jar is missing
   */
  static synchronized void load() throws IOException {
    if (loaded) {
      return;
    }
    Path folder = NativeLibraries.folder().resolve("javacpp");
    if (System.getProperty(CACHE_PROPERTY) == null) {
      // JavaCPP keeps the first folder that it is told of, and takes one of its own choice where
      // that cannot be written.
      CacheFolder.create(folder);
      if (!Files.isWritable(folder)) {
        throw new AccessDeniedException(
            folder.toString(), null, "OpenBLAS cannot be unpacked; " + CacheFolder.WAY_OUT);
      }
    }
    if (System.getProperty(CACHE_PROPERTY) == null) {
      UnpackedLibraries.check(folder);
    }
    NativeLibraries.withProperty(
        CACHE_PROPERTY,
        folder.toString(),
        () -> {
          Loader.load(openblas.class);
          // JavaCPP's own native part is another jar, and missed only by the first allocation.
          Pointer.free(Pointer.calloc(1, 1));
        });
    loaded = true;
  }
}
