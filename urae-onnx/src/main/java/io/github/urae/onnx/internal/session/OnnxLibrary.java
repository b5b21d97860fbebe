package io.github.urae.onnx.internal.session;

import ai.onnxruntime.OrtEnvironment;
import io.github.urae.internal.UnpackedResource;
import java.io.IOException;
import java.net.JarURLConnection;
import java.net.URL;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Loads ONNX Runtime's native libraries from the cache, where they are unpacked once. ONNX Runtime
 * itself unpacks them anew in every process, into the system's temporary folder: 30 MB, and more
 * than ten times that with CUDA.
 */
public final class OnnxLibrary {

  private static final Logger LOG = LoggerFactory.getLogger(OnnxLibrary.class);

  /** Where ONNX Runtime looks for its libraries, if it is set; read once a process. */
  private static final String FOLDER_PROPERTY = "onnxruntime.native.path";

  private static final String RESOURCES = "/ai/onnxruntime/native/";

  /** In the order in which they depend on each other. */
  private static final List<String> REQUIRED = List.of("onnxruntime", "onnxruntime4j_jni");

  /** Looked for beside the others when a session asks for a GPU. */
  private static final List<String> OPTIONAL =
      List.of("onnxruntime_providers_shared", "onnxruntime_providers_cuda");

  /** A native library is the process's: once loaded, it serves all pipelines. */
  private static boolean done;

  private OnnxLibrary() {}

  /**
   * Loads the libraries unless they are loaded. Leaves it to ONNX Runtime where the system property
   * {@code onnxruntime.native.path} names a folder, on platforms whose libraries are not in the
   * jar, and where another class loader has loaded the same file.
   *
   * @param cacheFolder where they are unpacked, in a folder {@code native}
   * @throws IOException if they cannot be unpacked
   */
  public static synchronized void load(Path cacheFolder) throws IOException {
    OnnxTelemetry.prevent(cacheFolder);
    if (done || System.getProperty(FOLDER_PROPERTY) != null) {
      return;
    }
    done = true;
    String resources = RESOURCES + platform() + "/";
    URL main = resource(resources, REQUIRED.get(0));
    if (main == null || !(main.openConnection() instanceof JarURLConnection jar)) {
      return;
    }
    // Named by content: releases, and builds with and without CUDA, lie beside each other.
    String name = String.format("onnxruntime-%08x", jar.getJarEntry().getCrc());
    Path folder = cacheFolder.resolve("native").resolve(name).toAbsolutePath();
    for (List<String> libraries : List.of(OPTIONAL, REQUIRED)) {
      for (String library : libraries) {
        if (resource(resources, library) != null) {
          String file = System.mapLibraryName(library);
          UnpackedResource.unpack(OrtEnvironment.class, resources + file, folder.resolve(file));
        }
      }
    }
    if (loads(folder)) {
      System.setProperty(FOLDER_PROPERTY, folder.toString());
      try {
        OnnxEngine.environment();
      } finally {
        System.clearProperty(FOLDER_PROPERTY);
      }
    }
  }

  /** A file can be loaded by one class loader only; in a servlet container there may be more. */
  private static boolean loads(Path folder) {
    if (OrtEnvironment.class.getClassLoader() != OnnxLibrary.class.getClassLoader()) {
      return false;
    }
    try {
      for (String library : REQUIRED) {
        System.load(folder.resolve(System.mapLibraryName(library)).toString());
      }
      return true;
    } catch (UnsatisfiedLinkError e) {
      LOG.debug("{} cannot be used, ONNX Runtime unpacks its libraries itself", folder, e);
      return false;
    }
  }

  private static URL resource(String folder, String library) {
    return OrtEnvironment.class.getResource(folder + System.mapLibraryName(library));
  }

  private static String platform() {
    String system = System.getProperty("os.name").toLowerCase(Locale.ROOT);
    String arch = System.getProperty("os.arch");
    String os = system.startsWith("win") ? "win" : system.startsWith("mac") ? "osx" : "linux";
    return os + "-" + (arch.equals("amd64") || arch.equals("x86_64") ? "x64" : arch);
  }
}
