package io.github.urae.onnx.internal.session;

import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtLoggingLevel;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps ONNX Runtime's environment until the process is gone. Its Java part (1.29, {@code
 * OrtEnvironment.OrtEnvCloser}) releases the environment in a shutdown hook, which runs while
 * networks still run on threads that Java does not wait for, and those crash the process. The
 * environment counts its references (ONNX Runtime, {@code ort_env.cc}): one more, never released,
 * and that hook frees nothing.
 *
 * <p>The C function that gives a reference is in reach through a private method of {@link
 * OrtEnvironment}; a hook of our own that must run before that other one is not, since all run at
 * once.
 */
final class EnvironmentHold {

  private static final Logger LOG = LoggerFactory.getLogger(EnvironmentHold.class);

  private static final boolean HELD = take();

  private EnvironmentHold() {}

  /**
   * Holds the environment from the first call on.
   *
   * @return whether it is held; not with an ONNX Runtime that hides what this takes
   */
  static boolean isHeld() {
    return HELD;
  }

  private static boolean take() {
    try {
      OrtEnvironment environment = OrtEnvironment.getEnvironment();
      Class<?> runtime =
          Class.forName(
              "ai.onnxruntime.OnnxRuntime", true, environment.getClass().getClassLoader());
      Field api = runtime.getDeclaredField("ortApiHandle");
      api.setAccessible(true);
      Method create =
          OrtEnvironment.class.getDeclaredMethod(
              "createHandle", long.class, int.class, String.class);
      create.setAccessible(true);
      Object handle =
          create.invoke(
              null,
              api.getLong(null),
              OrtLoggingLevel.ORT_LOGGING_LEVEL_WARNING.getValue(),
              OrtEnvironment.DEFAULT_NAME);
      LOG.debug("Holding ONNX Runtime's environment {}", handle);
      return true;
    } catch (ReflectiveOperationException | RuntimeException e) {
      LOG.debug("A process that ends while networks run may crash", e);
      return false;
    }
  }
}
