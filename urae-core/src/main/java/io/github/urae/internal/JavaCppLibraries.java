package io.github.urae.internal;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Native libraries that JavaCPP unpacks and loads, all of a process in one folder: beside what
 * {@link NativeLibraries} unpacks, unless the application has told JavaCPP otherwise.
 */
public final class JavaCppLibraries {

  /** Where JavaCPP unpacks native libraries; its own default is under the user's home. */
  private static final String CACHE_PROPERTY = "org.bytedeco.javacpp.cachedir";

  /**
   * Bounds on the process's memory, by default one and four times the Java heap's, at which JavaCPP
   * collects garbage and then refuses. Mapped weights count there, and nothing of ours waits for a
   * collection to be freed.
   */
  private static final List<String> BOUNDS =
      List.of("org.bytedeco.javacpp.maxbytes", "org.bytedeco.javacpp.maxphysicalbytes");

  private JavaCppLibraries() {}

  /**
   * Loads a library. What was unpacked before is compared with the jars first.
   *
   * @param name of the library, for messages
   * @param jars finds the native libraries in their jars
   * @param load lets JavaCPP load
   * @throws IOException if the folder cannot be written
   * @throws LinkageError if a jar is missing
   */
  public static synchronized void load(String name, ClassLoader jars, Runnable load)
      throws IOException {
    Path folder = NativeLibraries.folder().resolve("javacpp");
    if (System.getProperty(CACHE_PROPERTY) == null) {
      // JavaCPP keeps the first folder that it is told of, and takes one of its own choice where
      // that cannot be written.
      CacheFolder.create(folder);
      if (!Files.isWritable(folder)) {
        throw new AccessDeniedException(
            folder.toString(), null, name + " cannot be unpacked; " + CacheFolder.WAY_OUT);
      }
      UnpackedJars.check(folder, jars);
    }
    Runnable withFolder =
        () -> NativeLibraries.withProperty(CACHE_PROPERTY, folder.toString(), load);
    NativeLibraries.withProperty(
        BOUNDS.get(0), "0", () -> NativeLibraries.withProperty(BOUNDS.get(1), "0", withFolder));
  }
}
