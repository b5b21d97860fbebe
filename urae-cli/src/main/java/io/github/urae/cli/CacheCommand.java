package io.github.urae.cli;

import io.github.urae.ProgressListener;
import io.github.urae.internal.CacheFolder;
import io.github.urae.weights.internal.WeightCache;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

/** {@code urae cache}: what can be done with the cache folder. */
@Command(
    name = "cache",
    description = "Look after the cache folder.",
    mixinStandardHelpOptions = true,
    subcommands = CacheCommand.Verify.class)
final class CacheCommand {

  @ParentCommand UraeCommand urae;

  /** {@code urae cache verify}: reads all derived weights. */
  @Command(
      name = "verify",
      description =
          "Read all converted and merged weights, compare them with their checksums, and delete"
              + " damaged files: they are made again when needed. Exit status 1 if there were any.",
      mixinStandardHelpOptions = true,
      sortOptions = false)
  static final class Verify implements Callable<Integer> {

    @Spec CommandSpec spec;
    @ParentCommand CacheCommand parent;

    @Option(
        names = "--cache-dir",
        paramLabel = "DIR",
        description = "The folder (default: $XDG_CACHE_HOME/urae or ~/.cache/urae).")
    Path cacheDir;

    @Option(names = "--json", description = "Print JSON.")
    boolean json;

    @Override
    public Integer call() throws IOException {
      Path folder = cacheDir == null ? CacheFolder.byDefault() : cacheDir;
      List<WeightCache.Finding> findings =
          new WeightCache(folder, WeightCache.DEFAULT_MAX_BYTES)
              .verify(ProgressListener.NONE, parent.urae.cancellation());
      long damaged = findings.stream().filter(finding -> finding.damage().isPresent()).count();
      if (json) {
        Json.print(
            spec.commandLine().getOut(),
            Map.of("files", findings.stream().map(Verify::asMap).toList()));
      } else {
        for (WeightCache.Finding finding : findings) {
          finding
              .damage()
              .ifPresent(
                  damage ->
                      spec.commandLine()
                          .getErr()
                          .println(
                              damage + (finding.deleted() ? "; deleted" : "; cannot be deleted")));
        }
        spec.commandLine()
            .getOut()
            .println(
                findings.size()
                    + (findings.size() == 1 ? " file, " : " files, ")
                    + (damaged == 0 ? "none" : damaged)
                    + " damaged");
      }
      spec.commandLine().getOut().flush();
      return damaged == 0 ? ExitCode.OK : ExitCode.SOFTWARE;
    }

    private static Map<String, Object> asMap(WeightCache.Finding finding) {
      Map<String, Object> map = new LinkedHashMap<>();
      map.put("file", finding.file().toString());
      map.put("bytes", finding.bytes());
      finding.damage().ifPresent(damage -> map.put("damage", damage));
      map.put("deleted", finding.deleted());
      return map;
    }
  }
}
