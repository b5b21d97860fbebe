package io.github.urae.onnx.internal.session;

import com.sun.jna.NativeLibrary;
import com.sun.jna.Platform;
import io.github.urae.internal.NativeLibraries;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
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

  /** Where JNA looks for its own library first, if it is set. */
  private static final String JNA_LIBRARY_PROPERTY = "jna.boot.library.path";

  /**
   * Where JNA keeps its own library (130 KB) from unpacking it to having loaded it, where another
   * class loader has the one from the cache: by default, in the user's home.
   */
  private static final String JNA_FOLDER_PROPERTY = "jna.tmpdir";

  /** Keeps JNA from complaining of that folder where it cannot be written. */
  private static final String JNA_NOT_UNPACKED_PROPERTY = "jna.nounpack";

  /** A variable is the process's. */
  private static boolean done;

  private OnnxTelemetry() {}

  /** Sets the variable unless it is set; must come before the first use of ONNX Runtime. */
  static synchronized void prevent() {
    // On Windows events go to the system's own log, and only until they are switched off.
    if (done || System.getenv(VARIABLE) != null || NativeLibraries.system().equals("win")) {
      return;
    }
    done = true;
    try {
      Object[] arguments = {VARIABLE, "1", 1};
      if (withJna(() -> NativeLibrary.getProcess().getFunction("setenv").invokeInt(arguments))
          != 0) {
        warn("setenv failed");
      }
    } catch (LinkageError e) {
      LOG.debug("JNA cannot be used", e);
      warn(e.getCause() == null ? e.toString() : e.getCause().toString());
    }
  }

  /**
   * Calls native code by way of JNA.
   *
   * @throws LinkageError if JNA, the library or the function is missing
   */
  static <T> T withJna(Supplier<T> call) {
    Path libraries;
    try {
      libraries = jna().unpack();
    } catch (IOException e) {
      LinkageError error = new UnsatisfiedLinkError("JNA's library cannot be unpacked");
      error.initCause(e);
      throw error;
    }
    List<T> result = new ArrayList<>();
    Runnable withUnpacking =
        () ->
            NativeLibraries.withProperty(
                Files.isWritable(libraries) ? JNA_FOLDER_PROPERTY : JNA_NOT_UNPACKED_PROPERTY,
                Files.isWritable(libraries) ? libraries.toString() : "true",
                () -> result.add(call.get()));
    NativeLibraries.withProperty(JNA_LIBRARY_PROPERTY, libraries.toString(), withUnpacking);
    return result.get(0);
  }

  private static NativeLibraries jna() {
    return new NativeLibraries(
        "jna",
        NativeLibrary.class,
        "/com/sun/jna/" + Platform.RESOURCE_PREFIX + "/",
        List.of(System.mapLibraryName("jnidispatch").replace(".dylib", ".jnilib")));
  }

  private static void warn(String reason) {
    LOG.warn(
        "ONNX Runtime may call home, since {} could not be set from here (it takes"
            + " net.java.dev.jna:jna and native access: {}); set it to 1 for the process",
        VARIABLE,
        reason);
  }
}
