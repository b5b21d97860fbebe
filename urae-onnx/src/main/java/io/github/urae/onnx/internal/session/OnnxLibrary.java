package io.github.urae.onnx.internal.session;

import ai.onnxruntime.OrtEnvironment;
import io.github.urae.InferenceException;
import io.github.urae.internal.FileFailure;
import io.github.urae.internal.NativeLibraries;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
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
   * jar, and where its classes are another class loader's. After a failure the next call tries
   * again.
   *
   * @throws IOException if they cannot be unpacked
   * @throws InferenceException if they cannot be loaded
   */
  public static synchronized void load() throws IOException {
    if (done) {
      return;
    }
    if (System.getProperty(FOLDER_PROPERTY) == null
        && OrtEnvironment.class.getClassLoader() == OnnxLibrary.class.getClassLoader()
        && libraries(REQUIRED).exist()) {
      unpackAndLoad();
    } else {
      OnnxTelemetry.prevent();
    }
    done = true;
  }

  private static void unpackAndLoad() throws IOException {
    List<String> present = new ArrayList<>();
    for (String library : OPTIONAL) {
      if (libraries(List.of(library)).exist()) {
        present.add(library);
      }
    }
    present.addAll(REQUIRED);
    NativeLibraries libraries = libraries(present);
    if (present.size() == REQUIRED.size()) {
      libraries.load(OnnxLibrary::loadFrom);
    } else if (!libraries.loadUnlessElsewhere(OnnxLibrary::loadFrom)) {
      // What a GPU takes is too large for a copy, and looked for after that would be deleted.
      LOG.debug("Another class loader has the libraries; ONNX Runtime unpacks them itself");
    }
  }

  private static void loadFrom(Path folder) {
    OnnxTelemetry.prevent();
    for (String library : REQUIRED) {
      System.load(folder.resolve(System.mapLibraryName(library)).toString());
    }
    if (FolderlessStart.isNeeded()) {
      FolderlessStart.start(folder);
    }
    try {
      NativeLibraries.withProperty(FOLDER_PROPERTY, folder.toString(), OnnxEngine::environment);
    } catch (ExceptionInInitializerError e) {
      if (e.getCause() instanceof IllegalCallerException denied) {
        throw denied;
      }
      throw notStarted(e);
    }
  }

  private static InferenceException notStarted(ExceptionInInitializerError error) {
    Throwable root = error;
    while (root.getCause() != null) {
      root = root.getCause();
    }
    return new InferenceException(
        root instanceof IOException failure
            ? "ONNX Runtime could not be started: it makes an empty folder in the temporary folder "
                + System.getProperty("java.io.tmpdir")
                + ", which failed ("
                + FileFailure.reason(failure)
                + "); make that folder writable, or start Java with another:"
                + " -Djava.io.tmpdir=DIR"
            : "ONNX Runtime could not be started: " + error.getCause(),
        error);
  }

  private static NativeLibraries libraries(List<String> names) {
    String architecture = NativeLibraries.architecture();
    return new NativeLibraries(
        "onnxruntime",
        OrtEnvironment.class,
        "/ai/onnxruntime/native/"
            + NativeLibraries.system()
            + "-"
            + (architecture.equals("x86_64") ? "x64" : architecture)
            + "/",
        names.stream().map(System::mapLibraryName).toList());
  }
}
