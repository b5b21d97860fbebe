package io.github.urae.server.internal.http;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.stream.Stream;

/** Memory that programs could still take. */
final class FreeMemory {

  private static final Path LINUX = Path.of("/proc/meminfo");

  private FreeMemory() {}

  /** Returns bytes. Where Linux tells, what its file caches hold is counted as free. */
  static long bytes() {
    OperatingSystemMXBean system = ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);
    // A container's, where there is one.
    return available()
        .map(bytes -> Math.min(bytes, system.getTotalMemorySize()))
        .orElseGet(system::getFreeMemorySize);
  }

  private static Optional<Long> available() {
    if (!Files.isReadable(LINUX)) {
      return Optional.empty();
    }
    try (Stream<String> lines = Files.lines(LINUX)) {
      return lines
          .filter(line -> line.startsWith("MemAvailable:"))
          .findFirst()
          .map(line -> Long.parseLong(line.replaceAll("\\D", "")) << 10);
    } catch (IOException e) {
      return Optional.empty();
    }
  }
}
