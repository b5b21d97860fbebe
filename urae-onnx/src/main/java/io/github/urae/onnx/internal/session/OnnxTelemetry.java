package io.github.urae.onnx.internal.session;

import com.sun.jna.Native;
import com.sun.jna.NativeLibrary;
import com.sun.jna.Platform;
import io.github.urae.internal.UnpackedResource;
import java.io.IOException;
import java.nio.file.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps ONNX Runtime from calling home. Its Linux and macOS builds (seen in 1.29) write a device
 * number and usage events to {@code ~/.cache/Microsoft/DeveloperTools/.onnxruntime}, made to be
 * uploaded. That begins with the process's environment, before {@code setTelemetry(false)} can be
 * called; only the variable {@code ORT_DISABLE_TELEMETRY}, read at that time, prevents it. Java
 * cannot set a variable of its own process, the C library can.
 */
final class OnnxTelemetry {

  private static final Logger LOG = LoggerFactory.getLogger(OnnxTelemetry.class);

  private static final String VARIABLE = "ORT_DISABLE_TELEMETRY";

  /** Where JNA looks for its library first, if it is set; read once a process. */
  private static final String JNA_FOLDER_PROPERTY = "jna.boot.library.path";

  /** A variable is the process's. */
  private static boolean done;

  private OnnxTelemetry() {}

  /**
   * Lets JNA take its library from the cache, where it is unpacked once, rather than unpack it into
   * a folder of its own.
   *
   * @param cacheFolder where it is unpacked, in a folder {@code native}
   * @throws IOException if it cannot be unpacked
   */
  static synchronized void prevent(Path cacheFolder) throws IOException {
    if (isPrevented()) {
      return;
    }
    if (System.getProperty(JNA_FOLDER_PROPERTY) != null) {
      prevent();
      return;
    }
    try {
      Path folder = unpack(cacheFolder);
      System.setProperty(JNA_FOLDER_PROPERTY, folder.toString());
      prevent();
    } catch (LinkageError e) {
      warn(e);
    } finally {
      System.clearProperty(JNA_FOLDER_PROPERTY);
    }
  }

  private static Path unpack(Path cacheFolder) throws IOException {
    String library = System.mapLibraryName("jnidispatch");
    String resource = "/com/sun/jna/" + Platform.RESOURCE_PREFIX + "/" + library;
    Path folder = cacheFolder.resolve("native").resolve("jna-" + Native.VERSION).toAbsolutePath();
    if (Native.class.getResource(resource) != null) {
      UnpackedResource.unpack(Native.class, resource, folder.resolve(library));
    }
    return folder;
  }

  /** Sets the variable unless it is set; must come before the first use of ONNX Runtime. */
  static synchronized void prevent() {
    if (isPrevented()) {
      return;
    }
    done = true;
    try {
      Object[] arguments = {VARIABLE, "1", 1};
      if (NativeLibrary.getProcess().getFunction("setenv").invokeInt(arguments) == 0) {
        return;
      }
      warn(null);
    } catch (LinkageError e) {
      warn(e);
    }
  }

  private static void warn(LinkageError cause) {
    done = true;
    LOG.warn(
        "ONNX Runtime may call home, since {} could not be set from here (it takes"
            + " net.java.dev.jna:jna on the class path); set it to 1 for the process",
        VARIABLE,
        cause);
  }

  /** On Windows events go to the system's own log, and only until they are switched off. */
  private static boolean isPrevented() {
    return done || System.getenv(VARIABLE) != null || System.mapLibraryName("x").endsWith(".dll");
  }
}
