package io.github.urae.onnx.internal.session;

import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import io.github.urae.internal.OwnedResources;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Finds out at the first run of a session on a GPU which operators the GPU's provider has left to
 * the processor, and warns of them. The run's profile is the one place where ONNX Runtime tells; it
 * lies in the system's temporary folder until it is read.
 */
final class PlacementCheck implements Closeable {

  private static final Logger LOG = LoggerFactory.getLogger(PlacementCheck.class);

  private final String network;
  private final Path folder;
  private final AtomicBoolean done = new AtomicBoolean();

  private PlacementCheck(String network, Path folder) {
    this.network = network;
    this.folder = folder;
  }

  /** Starts the profile. To be closed after the session. */
  static PlacementCheck start(String network, OrtSession.SessionOptions options)
      throws IOException, OrtException {
    PlacementCheck check = new PlacementCheck(network, Files.createTempDirectory("urae-profile"));
    try {
      options.enableProfiling(check.folder.resolve(network).toString());
      return check;
    } catch (Throwable e) {
      OwnedResources unused = new OwnedResources();
      unused.add(check);
      unused.closeAfter(e);
      throw e;
    }
  }

  /** Ends the profile and warns, at the first call only. */
  void afterRun(OrtSession session) {
    if (done.getAndSet(true)) {
      return;
    }
    try {
      Map<String, Integer> onProcessor =
          KernelPlacement.onProcessor(Path.of(session.endProfiling()));
      if (!onProcessor.isEmpty()) {
        LOG.warn(
            "Of the {}, these operators run on the CPU, not the GPU: {}", network, onProcessor);
      }
    } catch (IOException | OrtException e) {
      LOG.warn("It is not known which operators of the {} run on the CPU", network, e);
    }
  }

  @Override
  public void close() throws IOException {
    List<Path> files;
    try (Stream<Path> listed = Files.list(folder)) {
      files = listed.toList();
    }
    for (Path file : files) {
      Files.delete(file);
    }
    Files.delete(folder);
  }
}
