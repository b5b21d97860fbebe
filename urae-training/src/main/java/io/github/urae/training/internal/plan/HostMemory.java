package io.github.urae.training.internal.plan;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** How much memory a process may take beside what others have. */
public final class HostMemory {

  private static final Logger LOG = LoggerFactory.getLogger(HostMemory.class);

  private static final Path SYSTEM = Path.of("/proc/meminfo");
  private static final Pattern AVAILABLE = Pattern.compile("MemAvailable:\\s+(\\d{1,15}) kB");

  /** Limits of a container: of version 2 of control groups, then of version 1. */
  private static final List<List<Path>> LIMITS =
      List.of(
          List.of(Path.of("/sys/fs/cgroup/memory.max"), Path.of("/sys/fs/cgroup/memory.current")),
          List.of(
              Path.of("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
              Path.of("/sys/fs/cgroup/memory/memory.usage_in_bytes")));

  private HostMemory() {}

  /**
   * Returns what is free or can be freed, within the limits of a container.
   *
   * @return bytes; empty where the system does not tell
   */
  public static OptionalLong available() {
    OptionalLong system = ofSystem();
    for (List<Path> limit : LIMITS) {
      OptionalLong most = number(limit.get(0));
      if (most.isPresent()) {
        // Pages of files count as used there, though they can be freed.
        long left = most.getAsLong() - Math.min(most.getAsLong(), anonymous(limit.get(1)));
        return system.isPresent() ? OptionalLong.of(Math.min(system.getAsLong(), left)) : system;
      }
    }
    return system;
  }

  private static long anonymous(Path usage) {
    Path statistics = usage.resolveSibling("memory.stat");
    try {
      for (String line : Files.readAllLines(statistics)) {
        if (line.startsWith("anon ") || line.startsWith("total_rss ")) {
          return Long.parseLong(line.substring(line.indexOf(' ') + 1).trim());
        }
      }
    } catch (IOException | NumberFormatException e) {
      LOG.debug("{} does not tell", statistics, e);
    }
    return number(usage).orElse(0);
  }

  private static OptionalLong ofSystem() {
    try {
      Matcher line = AVAILABLE.matcher(Files.readString(SYSTEM));
      return line.find()
          ? OptionalLong.of(Long.parseLong(line.group(1)) * 1024)
          : OptionalLong.empty();
    } catch (IOException e) {
      LOG.debug("{} cannot be read", SYSTEM, e);
      return OptionalLong.empty();
    }
  }

  private static OptionalLong number(Path file) {
    try {
      String text = Files.exists(file) ? Files.readString(file).trim() : "";
      return text.matches("\\d{1,18}")
          ? OptionalLong.of(Long.parseLong(text))
          : OptionalLong.empty();
    } catch (IOException e) {
      LOG.debug("{} cannot be read", file, e);
      return OptionalLong.empty();
    }
  }
}
