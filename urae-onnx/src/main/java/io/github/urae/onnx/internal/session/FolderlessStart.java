package io.github.urae.onnx.internal.session;

import ai.onnxruntime.OrtEnvironment;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Starts ONNX Runtime where there is no temporary folder. Its Java part (1.29, {@code
 * OnnxRuntime.init}) makes an empty folder there and ends with an error where it cannot, though all
 * libraries lie elsewhere. The same steps without that one, on its private methods; where another
 * version has others, nothing is changed and its own error stands.
 */
final class FolderlessStart {

  private static final Logger LOG = LoggerFactory.getLogger(FolderlessStart.class);

  private static final String VERSION_PREFIX = "ORT_API_VERSION_";

  private final Class<?> runtime;

  private FolderlessStart(Class<?> runtime) {
    this.runtime = runtime;
  }

  /** Tells whether the system's temporary folder takes files. */
  static boolean isNeeded() {
    return !Files.isWritable(Path.of(System.getProperty("java.io.tmpdir")));
  }

  /**
   * Does what ONNX Runtime's own start does.
   *
   * @param libraries their folder; they are loaded
   */
  static void start(Path libraries) {
    try {
      FolderlessStart start =
          new FolderlessStart(
              Class.forName(
                  "ai.onnxruntime.OnnxRuntime", true, OrtEnvironment.class.getClassLoader()));
      synchronized (start.runtime) {
        start.run(libraries);
      }
    } catch (InvocationTargetException e) {
      LOG.debug("ONNX Runtime cannot be started without a temporary folder", e.getCause());
    } catch (ReflectiveOperationException | RuntimeException e) {
      LOG.debug("ONNX Runtime has other parts than 1.29, and needs a temporary folder", e);
    }
  }

  private void run(Path libraries) throws ReflectiveOperationException {
    if (field("loaded").getBoolean(null)) {
      return;
    }
    int version =
        Arrays.stream(runtime.getDeclaredFields())
            .map(Field::getName)
            .filter(name -> name.startsWith(VERSION_PREFIX))
            .mapToInt(name -> Integer.parseInt(name.substring(VERSION_PREFIX.length())))
            .max()
            .orElseThrow(NoSuchFieldException::new);
    long api = (long) call("initialiseAPIBase", version);
    if (api == 0) {
      throw new NoSuchFieldException(VERSION_PREFIX + version);
    }
    long training = (long) call("initialiseTrainingAPIBase", api, version);
    Object compiling = call("initialiseCompileAPIBase", api);
    Object providers = call("initialiseProviders", api);
    Object name = call("initialiseVersion");
    field("libraryDirPathProperty").set(null, libraries.toString());
    field("ortApiHandle").set(null, api);
    field("ortTrainingApiHandle").set(null, training);
    field("ortCompileApiHandle").set(null, compiling);
    field("trainingEnabled").set(null, training != 0);
    field("providers").set(null, providers);
    field("version").set(null, name);
    field("loaded").set(null, true);
    LOG.debug("ONNX Runtime {} was started without a temporary folder", name);
  }

  private Object call(String name, Object... arguments) throws ReflectiveOperationException {
    Class<?>[] types =
        Arrays.stream(arguments)
            .map(argument -> argument instanceof Integer ? int.class : long.class)
            .toArray(Class<?>[]::new);
    Method method = runtime.getDeclaredMethod(name, types);
    method.setAccessible(true);
    return method.invoke(null, arguments);
  }

  private Field field(String name) throws NoSuchFieldException {
    Field field = runtime.getDeclaredField(name);
    field.setAccessible(true);
    return field;
  }
}
