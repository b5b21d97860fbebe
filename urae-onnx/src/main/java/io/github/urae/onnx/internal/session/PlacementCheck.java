package io.github.urae.onnx.internal.session;

import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Finds out at the first run of each network on a GPU which operators the GPU's provider has left
 * to the processor, and warns of them. The run's profile is the one place where ONNX Runtime tells.
 * A network that is loaded again, or a block of one, is not looked at again. Thread-safe.
 */
final class PlacementCheck {

  private static final Logger LOG = LoggerFactory.getLogger(PlacementCheck.class);

  private static final String UNKNOWN = "It is not known which operators of the {} run on the CPU";

  private final Path temporary;
  private final Set<String> known = ConcurrentHashMap.newKeySet();

  /**
   * Creates a check of no network yet.
   *
   * @param temporary folder for profiles, for as long as they are read; made when needed
   */
  PlacementCheck(Path temporary) {
    this.temporary = temporary;
  }

  /**
   * Starts the profile of a session unless its network is known.
   *
   * @param network its name
   * @return to be told of a run, and to be closed after the session
   */
  Optional<Profile> start(String network, OrtSession.SessionOptions options) throws OrtException {
    if (known.contains(network)) {
      return Optional.empty();
    }
    Profile profile;
    try {
      Files.createDirectories(temporary);
      profile = new Profile(network, Files.createTempDirectory(temporary, "profile"));
    } catch (IOException e) {
      LOG.warn(UNKNOWN, network, e);
      return Optional.empty();
    }
    try {
      options.enableProfiling(profile.folder.resolve("run").toString());
      return Optional.of(profile);
    } catch (OrtException e) {
      profile.close();
      throw e;
    }
  }

  /** The profile of one session. */
  final class Profile implements AutoCloseable {

    private final String network;
    private final Path folder;
    private final AtomicBoolean read = new AtomicBoolean();

    private Profile(String network, Path folder) {
      this.network = network;
      this.folder = folder;
    }

    /** Ends the profile and warns, at the first call only. A run is as good without it. */
    void afterRun(OrtSession session) {
      if (read.getAndSet(true)) {
        return;
      }
      known.add(network);
      try {
        Map<String, Integer> onProcessor =
            KernelPlacement.onProcessor(Path.of(session.endProfiling()));
        if (!onProcessor.isEmpty()) {
          LOG.warn(
              "Of the {}, these operators run on the CPU, not the GPU: {}", network, onProcessor);
        }
      } catch (IOException | OrtException | RuntimeException e) {
        LOG.warn(UNKNOWN, network, e);
      }
    }

    @Override
    public void close() {
      try (Stream<Path> files = Files.list(folder)) {
        for (Path file : files.toList()) {
          Files.delete(file);
        }
        Files.delete(folder);
      } catch (IOException e) {
        LOG.warn("{} could not be deleted", folder, e);
      }
    }
  }
}
