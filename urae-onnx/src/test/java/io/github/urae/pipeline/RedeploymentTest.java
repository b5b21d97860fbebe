package io.github.urae.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.urae.flux.GenerationRequest;
import io.github.urae.testkit.TestData;
import java.io.File;
import java.io.IOException;
import java.lang.ref.WeakReference;
import java.lang.reflect.Field;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is left in a process of an application that was deployed, has drawn, and is gone. */
class RedeploymentTest {

  @TempDir Path cache;

  /**
   * ONNX Runtime's hook keeps class loaders; the program takes it away, which an application
   * cannot, to see that nothing of this library does.
   */
  @Test
  void nothingButOnnxRuntimesHookKeepsAClassLoader() throws Exception {
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--add-opens=java.base/java.lang=ALL-UNNAMED",
                "-Xmx256m",
                "-cp",
                System.getProperty("java.class.path"),
                Container.class.getName(),
                "3",
                TestData.checkpoint().toString(),
                cache.toString())
            .redirectErrorStream(true)
            .start();
    String said =
        new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
    assertThat(process.waitFor()).as(said).isZero();
    assertThat(said.lines().toList())
        .containsSubsequence(
            "threads: []",
            "with the hook: 3",
            "hooks: [ai.onnxruntime.OrtEnvironment$OrtEnvCloser]",
            "without it: 0",
            "new in the cache: []");
  }

  /** Deploys an application several times. */
  static final class Container {

    private static final int PATIENCE = 600;

    private Container() {}

    public static void main(String[] arguments) throws Exception {
      Path cache = Path.of(arguments[2]);
      List<WeakReference<ClassLoader>> loaders = new ArrayList<>();
      Set<String> before = null;
      for (int i = 0; i < Integer.parseInt(arguments[0]); i++) {
        loaders.add(deploy(arguments));
        before = before == null ? files(cache) : before;
      }
      awaitThreads();
      System.gc();
      System.out.println("with the hook: " + alive(loaders));
      System.out.println("hooks: " + removeHooks());
      for (int i = 0; i < PATIENCE && alive(loaders) > 0; i++) {
        System.gc();
        Thread.sleep(100);
      }
      System.out.println("without it: " + alive(loaders));
      Set<String> added = files(cache);
      added.removeAll(before);
      System.out.println("new in the cache: " + added);
    }

    /** Those with nothing to do end after some seconds; two that take longer are hastened. */
    private static void awaitThreads() throws InterruptedException {
      Set<Thread> left = Set.of();
      for (int i = 0; i == 0 || (i < PATIENCE && !left.isEmpty()); i++) {
        Set<Thread> all = Thread.getAllStackTraces().keySet();
        for (Thread thread : all) {
          if (thread.getName().equals("JNA Cleaner")) { // Half a minute.
            thread.interrupt();
          } else if (thread.getName().startsWith("process reaper")) { // Java's, a minute.
            thread.setContextClassLoader(null);
          }
        }
        left =
            all.stream()
                .filter(thread -> thread.getContextClassLoader() instanceof URLClassLoader)
                .collect(Collectors.toSet());
        Thread.sleep(100);
      }
      System.out.println("threads: " + left);
    }

    private static WeakReference<ClassLoader> deploy(String[] arguments) throws Exception {
      List<URL> jars = new ArrayList<>();
      for (String entry : System.getProperty("java.class.path").split(File.pathSeparator, -1)) {
        jars.add(Path.of(entry).toUri().toURL());
      }
      try (URLClassLoader loader =
          new URLClassLoader(jars.toArray(new URL[0]), ClassLoader.getPlatformClassLoader())) {
        Thread.currentThread().setContextClassLoader(loader);
        loader
            .loadClass(Application.class.getName())
            .getMethod("main", String[].class)
            .invoke(null, (Object) arguments);
        return new WeakReference<>(loader);
      } finally {
        Thread.currentThread().setContextClassLoader(Container.class.getClassLoader());
      }
    }

    private static long alive(List<WeakReference<ClassLoader>> loaders) {
      return loaders.stream().filter(loader -> !loader.refersTo(null)).count();
    }

    /** Returns what they were of, Java's own left out. */
    private static Set<String> removeHooks() throws ReflectiveOperationException {
      Field all = Class.forName("java.lang.ApplicationShutdownHooks").getDeclaredField("hooks");
      all.setAccessible(true);
      Set<String> names = new TreeSet<>();
      for (Object entry : List.copyOf(((Map<?, ?>) all.get(null)).keySet())) {
        Thread hook = (Thread) entry;
        if (hook.getClass() == Thread.class) {
          names.add(task(hook).getClass().getName());
          Runtime.getRuntime().removeShutdownHook(hook);
        }
      }
      return names;
    }

    private static Object task(Thread thread) throws ReflectiveOperationException {
      Object holder = thread;
      if (Runtime.version().feature() >= 19) {
        Field fields = Thread.class.getDeclaredField("holder");
        fields.setAccessible(true);
        holder = fields.get(thread);
      }
      Field task = holder.getClass().getDeclaredField(holder == thread ? "target" : "task");
      task.setAccessible(true);
      return task.get(holder);
    }

    private static Set<String> files(Path folder) throws IOException {
      try (Stream<Path> files = Files.walk(folder)) {
        return files
            .map(Path::toString)
            // What was found whole is noted, once a file.
            .filter(name -> !name.endsWith(".checked"))
            .collect(Collectors.toCollection(TreeSet::new));
      }
    }
  }

  /** What is deployed. */
  public static final class Application {

    private Application() {}

    public static void main(String[] arguments) throws Exception {
      try (FluxPipeline pipeline =
          FluxPipeline.builder()
              .model(Path.of(arguments[1]))
              .cacheFolder(Path.of(arguments[2]))
              .build()) {
        pipeline
            .generateAsync(
                GenerationRequest.builder("a star").size(32, 32).steps(1).seed(1).build())
            .get();
      }
    }
  }
}
