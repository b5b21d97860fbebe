package io.github.urae.training.internal.checkpoint;

import io.github.urae.TrainingException;
import io.github.urae.internal.FileFailure;
import io.github.urae.internal.FileReplacement;
import io.github.urae.tensor.Tensor;
import io.github.urae.weights.SafetensorsFile;
import io.github.urae.weights.SafetensorsWriter;
import java.io.Closeable;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The folder that a training writes to. A checkpoint in it, {@code checkpoint-STEP/}, is whole or
 * not there: it is written under another name, forced to the disk and renamed, and it is renamed
 * before it is deleted. One that replaces another of the same step is whole beside it, as {@code
 * checkpoint-STEP.next}, before that goes: whenever a process is killed, one of them is found. Not
 * thread-safe.
 *
 * <p>In a checkpoint lie the adapter as URAE's scripts name it, which can be used as it is, {@code
 * state.safetensors} with what the optimizer knows, and {@code training.json}.
 */
public final class TrainingFolder {

  /** Name of the adapter at the end of a training. */
  public static final String ADAPTER = "adapter.safetensors";

  private static final String STATE = "state.safetensors";
  private static final String LOCK = ".training";

  /** Ending of a checkpoint that is whole and about to replace another. */
  private static final String NEXT = ".next";

  private static final Pattern CHECKPOINT =
      Pattern.compile("checkpoint-(0|[1-9]\\d{0,17})(" + Pattern.quote(NEXT) + ")?");

  private static final Logger LOG = LoggerFactory.getLogger(TrainingFolder.class);

  /** Beside the tensors of a checkpoint: headers and the record. */
  private static final long MORE_BYTES = 1 << 20;

  private final Path folder;
  private final AdapterLayout layout;

  /**
   * Creates a view of a folder, which need not be there.
   *
   * @param folder where a training writes
   * @param layout what adapters are called
   */
  public TrainingFolder(Path folder, AdapterLayout layout) {
    this.folder = folder;
    this.layout = layout;
  }

  /**
   * What a checkpoint holds.
   *
   * @param record all but tensors
   * @param adapter the adapter's tensors by name
   * @param state the optimizer's tensors by name
   */
  public record Content(
      TrainingRecord record, Map<String, Tensor> adapter, Map<String, Tensor> state) {}

  /**
   * Makes the folder unless it is there.
   *
   * @throws IOException if it cannot be made
   */
  public void create() throws IOException {
    if (Files.exists(folder) && !Files.isDirectory(folder)) {
      throw new NotDirectoryException(folder + ": expected a folder to write to, found a file");
    }
    Files.createDirectories(folder);
    FileReplacement.deleteStalePartials(folder.resolve(ADAPTER));
  }

  /**
   * Keeps other processes and threads from training into the folder.
   *
   * @return to be closed at the end
   * @throws IOException if the file that is locked cannot be made
   * @throws TrainingException if somebody trains there
   */
  public Closeable lock() throws IOException {
    Path file = folder.resolve(LOCK);
    FileChannel channel =
        FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    try {
      if (!isLocked(channel)) {
        throw new TrainingException(
            folder
                + ": another training writes there now; wait for its end, or choose another output"
                + " folder");
      }
    } catch (Throwable e) {
      try (channel) {
        throw e;
      }
    }
    return () -> {
      try (channel) {
        Files.deleteIfExists(file);
      }
    };
  }

  private static boolean isLocked(FileChannel channel) {
    try {
      return channel.tryLock() != null;
    } catch (OverlappingFileLockException e) {
      LOG.debug("this process trains there", e);
      return false;
    } catch (IOException e) {
      // Some network file systems have no locks.
      LOG.debug("no locks here", e);
      return true;
    }
  }

  /**
   * Returns the path of the folder.
   *
   * @return as given
   */
  public Path path() {
    return folder;
  }

  /**
   * Finds the checkpoints.
   *
   * @return folders by their steps, the last one last
   * @throws IOException if the folder cannot be read
   */
  public SortedMap<Long, Path> checkpoints() throws IOException {
    SortedMap<Long, Path> found = new TreeMap<>();
    if (!Files.isDirectory(folder)) {
      return found;
    }
    try (Stream<Path> entries = Files.list(folder)) {
      for (Path entry : (Iterable<Path>) entries::iterator) {
        Matcher name = CHECKPOINT.matcher(entry.getFileName().toString());
        // Nothing else is taken for ours, and so deleted some day.
        if (name.matches() && Files.isRegularFile(entry.resolve(TrainingRecord.NAME))) {
          boolean next = name.group(2) != null;
          found.merge(Long.valueOf(name.group(1)), entry, (one, other) -> next ? one : other);
        }
      }
    }
    return found;
  }

  /**
   * Returns the last checkpoint.
   *
   * @return its folder, or empty if there is none
   * @throws IOException if the folder cannot be read
   */
  public Optional<Path> latest() throws IOException {
    SortedMap<Long, Path> all = checkpoints();
    return all.isEmpty() ? Optional.empty() : Optional.of(all.get(all.lastKey()));
  }

  /**
   * Reads what a checkpoint says of itself.
   *
   * @param checkpoint its folder
   * @return the record
   * @throws IOException if it cannot be read
   * @throws io.github.urae.FileFormatException if it is none
   */
  public static TrainingRecord record(Path checkpoint) throws IOException {
    return TrainingRecord.read(checkpoint.resolve(TrainingRecord.NAME));
  }

  /** Takes the tensors of a checkpoint, which are mapped and end with the call. */
  @FunctionalInterface
  public interface Restoring {

    /**
     * Takes them.
     *
     * @param adapter the adapter's
     * @param state the optimizer's
     * @throws IOException if they cannot be read
     */
    void restore(Map<String, Tensor> adapter, Map<String, Tensor> state) throws IOException;
  }

  /**
   * Opens a checkpoint's tensors.
   *
   * @param checkpoint its folder
   * @param restoring takes them
   * @throws IOException if they cannot be read
   * @throws TrainingException if the checkpoint is of another stage
   */
  public void read(Path checkpoint, Restoring restoring) throws IOException {
    Path adapter = checkpoint.resolve(layout.file());
    if (!Files.exists(adapter)) {
      throw new TrainingException(
          checkpoint
              + ": has no "
              + layout.file()
              + "; expected a checkpoint of the same stage: lora or minor");
    }
    try (SafetensorsFile weights = SafetensorsFile.open(adapter);
        SafetensorsFile state = SafetensorsFile.open(checkpoint.resolve(STATE))) {
      restoring.restore(tensors(weights), tensors(state));
    }
  }

  private static Map<String, Tensor> tensors(SafetensorsFile file) throws IOException {
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    for (String name : file.tensors().keySet()) {
      tensors.put(name, file.tensor(name));
    }
    return tensors;
  }

  /**
   * Writes a checkpoint, replacing one of the same step.
   *
   * @param content what it holds
   * @return its folder
   * @throws IOException if it cannot be written; what was there is as it was
   */
  public Path save(Content content) throws IOException {
    Path target = folder.resolve("checkpoint-" + content.record().step());
    long bytes = MORE_BYTES;
    for (Tensor tensor : content.adapter().values()) {
      bytes += tensor.byteSize();
    }
    for (Tensor tensor : content.state().values()) {
      bytes += tensor.byteSize();
    }
    FileFailure.checkSpace(folder, target.toString(), bytes);
    Path next = folder.resolve(target.getFileName() + NEXT);
    if (Files.exists(next, LinkOption.NOFOLLOW_LINKS)) {
      // A process was killed while it replaced.
      if (Files.exists(target, LinkOption.NOFOLLOW_LINKS)) {
        FileReplacement.discard(next);
      } else {
        Files.move(next, target);
      }
    }
    if (Files.exists(target, LinkOption.NOFOLLOW_LINKS)) {
      FileReplacement.createFolder(next, place -> write(content, place));
      Path replaced = FileReplacement.temporarySibling(target);
      Files.move(target, replaced);
      Files.move(next, target);
      FileReplacement.discard(replaced);
    } else {
      FileReplacement.createFolder(target, place -> write(content, place));
    }
    forceFolder();
    return target;
  }

  private void write(Content content, Path place) throws IOException {
    SafetensorsWriter.write(place.resolve(layout.file()), Map.of(), content.adapter());
    SafetensorsWriter.write(place.resolve(STATE), Map.of(), content.state());
    content.record().write(place.resolve(TrainingRecord.NAME));
  }

  /** A rename is on the disk when its folder is; not every system can be asked for that. */
  private void forceFolder() {
    try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
      channel.force(true);
    } catch (IOException e) {
      LOG.debug("{} cannot be forced to the disk", folder, e);
    }
  }

  /**
   * Deletes all but the last checkpoints up to a step. Those of later steps, which are there when a
   * training goes on from an earlier one, neither go nor count: the one of this step would be the
   * oldest.
   *
   * @param keep how many stay, at least 1
   * @param step the training's
   * @throws IOException if one cannot be deleted
   */
  public void prune(int keep, long step) throws IOException {
    SortedMap<Long, Path> all = checkpoints().headMap(step + 1);
    while (all.size() > keep) {
      Path oldest = all.remove(all.firstKey());
      Path dropped = FileReplacement.temporarySibling(oldest);
      Files.move(oldest, dropped);
      FileReplacement.discard(dropped);
      FileReplacement.discard(folder.resolve(oldest.getFileName() + NEXT));
    }
  }

  /**
   * Writes the adapter of a training that is done.
   *
   * @param adapter its tensors by name
   * @return the file
   * @throws IOException if it cannot be written
   */
  public Path saveAdapter(Map<String, Tensor> adapter) throws IOException {
    Path file = folder.resolve(ADAPTER);
    SafetensorsWriter.write(file, Map.of(), adapter);
    forceFolder();
    return file;
  }
}
