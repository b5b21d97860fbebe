package io.github.urae.benchmarks;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** What a benchmark ran on. */
final class Machine {

  private Machine() {}

  /** Returns processor, cores, the vector extensions that matter, memory, and Java. */
  static String describe() throws IOException {
    return String.format(
        "%s, %d cores%s, Java %s, ONNX Runtime's own matrix products (MLAS)",
        processor(),
        Runtime.getRuntime().availableProcessors(),
        extensions(),
        System.getProperty("java.version"));
  }

  private static String processor() throws IOException {
    return cpuLine("model name").orElse(System.getProperty("os.arch"));
  }

  private static String extensions() throws IOException {
    List<String> flags = List.of(cpuLine("flags").orElse("").split(" ", -1));
    return Stream.of("avx2", "avx512f", "avx512_bf16", "amx_bf16")
        .filter(flags::contains)
        .map(flag -> ", " + flag)
        .reduce("", String::concat);
  }

  private static Optional<String> cpuLine(String key) throws IOException {
    Path file = Path.of("/proc/cpuinfo");
    if (!Files.exists(file)) {
      return Optional.empty();
    }
    return Files.readAllLines(file).stream()
        .filter(line -> line.startsWith(key))
        .map(line -> line.substring(line.indexOf(':') + 1).strip())
        .findFirst();
  }
}
