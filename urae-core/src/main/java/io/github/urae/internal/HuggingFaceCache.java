package io.github.urae.internal;

import io.github.urae.FileFormatException;
import io.github.urae.ModelException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Finds models and adapters by their ids in Hugging Face's download cache, as its own programs have
 * filled it. Nothing is downloaded; messages name the command that would.
 *
 * <p>An id is {@code ORG/NAME}, with {@code @REVISION} for a branch, tag or commit other than
 * {@code main}; an adapter's file follows a colon. A file or folder of that name wins over an id.
 *
 * @see <a href="https://huggingface.co/docs/hub/local-cache">Hugging Face: the local cache</a>
 */
public final class HuggingFaceCache {

  private static final String REPOSITORY_PREFIX = "models--";
  private static final String SEPARATOR = "--";
  private static final String MAIN = "main";
  private static final String WEIGHTS_SUFFIX = ".safetensors";

  /** The names that PEFT and diffusers give an adapter: these are meant, whatever else is there. */
  public static final List<String> ADAPTER_NAMES =
      List.of("adapter_model.safetensors", "pytorch_lora_weights.safetensors");

  private static final String PART = "[A-Za-z0-9][\\w.-]*";
  private static final Pattern ID =
      Pattern.compile(
          "(?<repository>%s/%s)(@(?<revision>%s(/%s)*))?(:(?<file>.+))?"
              .formatted(PART, PART, PART, PART));

  private static final Pattern COMMIT = Pattern.compile(PART);
  private static final int MAX_REFERENCE_BYTES = 1024;

  private final Path hub;

  private HuggingFaceCache(Path hub) {
    this.hub = hub;
  }

  /**
   * Finds the cache where Hugging Face's programs would: {@code HF_HUB_CACHE}, else {@code hub} in
   * {@code HF_HOME}, in {@code huggingface} of {@code XDG_CACHE_HOME}, or in {@code
   * .cache/huggingface} of the home. The folder need not exist.
   *
   * @param environment the variables; an empty one counts as missing
   * @param home the user's home
   * @return the cache
   */
  public static HuggingFaceCache in(Map<String, String> environment, Path home) {
    return new HuggingFaceCache(
        folder(environment, "HF_HUB_CACHE", home)
            .or(() -> folder(environment, "HF_HOME", home).map(base -> base.resolve("hub")))
            .or(
                () ->
                    folder(environment, "XDG_CACHE_HOME", home)
                        .map(base -> base.resolve("huggingface").resolve("hub")))
            .orElseGet(() -> home.resolve(".cache").resolve("huggingface").resolve("hub")));
  }

  private static Optional<Path> folder(Map<String, String> environment, String name, Path home) {
    String value = environment.getOrDefault(name, "");
    if (value.isEmpty()) {
      return Optional.empty();
    }
    return Optional.of(value.startsWith("~/") ? home.resolve(value.substring(2)) : Path.of(value));
  }

  /**
   * Finds the cache of this process.
   *
   * @return the cache
   */
  public static HuggingFaceCache ofThisProcess() {
    return in(System.getenv(), Path.of(System.getProperty("user.home")));
  }

  /**
   * Finds a model.
   *
   * @param text a file or folder, or {@code ORG/NAME[@REVISION]}
   * @return as given, or the snapshot's folder
   * @throws NoSuchFileException if neither is there
   * @throws IOException if the cache cannot be read
   */
  public Path model(String text) throws IOException {
    Optional<Path> given = existing(text);
    if (given.isPresent()) {
      return given.get();
    }
    Matcher id = ID.matcher(text);
    if (!id.matches() || id.group("file") != null) {
      throw new NoSuchFileException(
          text, null, "no such file or folder, and no id of a model (ORG/NAME)");
    }
    return snapshot(text, id);
  }

  /**
   * Finds a model, or one file of it.
   *
   * @param text a file or folder, or {@code ORG/NAME[@REVISION][:FILE]}
   * @return as given, or the snapshot's folder, or the file in it
   * @throws NoSuchFileException if none is there
   * @throws IOException if the cache cannot be read
   */
  public Path modelOrFile(String text) throws IOException {
    Matcher id = ID.matcher(text);
    if (existing(text).isPresent() || !id.matches() || id.group("file") == null) {
      return model(text);
    }
    Path snapshot = snapshot(text, id);
    Path file = snapshot.resolve(id.group("file")).normalize();
    if (!file.startsWith(snapshot) || !Files.exists(file)) {
      throw new NoSuchFileException(text, null, "not in " + snapshot + hint(id));
    }
    return file;
  }

  /**
   * Lists what is in the cache.
   *
   * @return of each repository of a model the snapshot that would be taken, by its name; none if
   *     there is no cache
   * @throws IOException if the cache cannot be read
   */
  public List<Path> snapshots() throws IOException {
    if (!Files.isDirectory(hub)) {
      return List.of();
    }
    List<Path> snapshots = new ArrayList<>();
    try (Stream<Path> entries = Files.list(hub)) {
      for (Path entry : entries.sorted().toList()) {
        if (entry.getFileName().toString().startsWith(REPOSITORY_PREFIX)) {
          try {
            snapshots.add(snapshot(entry));
          } catch (ModelException | FileFormatException e) {
            // Of no use, which whoever names it is told.
          }
        }
      }
    }
    return snapshots;
  }

  /**
   * Finds an adapter.
   *
   * @param text a file, or {@code ORG/NAME[@REVISION]:FILE}; the file's name may be left out where
   *     the snapshot holds only one {@code .safetensors}, or one of {@link #ADAPTER_NAMES}
   * @return the file
   * @throws NoSuchFileException if neither is there
   * @throws IOException if the cache cannot be read
   */
  public Path adapter(String text) throws IOException {
    Optional<Path> given = existing(text);
    if (given.isPresent()) {
      return given.get();
    }
    Matcher id = ID.matcher(text);
    if (!id.matches()) {
      throw new NoSuchFileException(
          text, null, "no such file or folder, and no id of an adapter (ORG/NAME:FILE)");
    }
    Path snapshot = snapshot(text, id);
    List<String> stored = adapters(snapshot);
    String name = id.group("file");
    if (name == null && stored.size() == 1) {
      return snapshot.resolve(stored.get(0));
    }
    List<String> usual = ADAPTER_NAMES.stream().filter(stored::contains).toList();
    if (name == null && usual.size() == 1) {
      return snapshot.resolve(usual.get(0));
    }
    if (name == null && !stored.isEmpty()) {
      throw new NoSuchFileException(
          text, null, "name one of its files, as in " + text + ":" + stored.get(0) + ": " + stored);
    }
    if (name == null || !stored.contains(name)) {
      throw new NoSuchFileException(
          text, null, snapshot + " holds " + (stored.isEmpty() ? "no adapter" : stored) + hint(id));
    }
    return snapshot.resolve(name);
  }

  private static Optional<Path> existing(String text) {
    try {
      return Optional.of(Path.of(text)).filter(Files::exists);
    } catch (InvalidPathException e) {
      // Windows: a colon.
      return Optional.empty();
    }
  }

  private static List<String> adapters(Path snapshot) throws IOException {
    try (Stream<Path> files = Files.walk(snapshot)) {
      return files
          .filter(file -> file.getFileName().toString().endsWith(WEIGHTS_SUFFIX))
          .filter(Files::isRegularFile)
          .map(file -> snapshot.relativize(file).toString().replace('\\', '/'))
          .sorted()
          .toList();
    }
  }

  private Path snapshot(String text, Matcher id) throws IOException {
    Path folder = hub.resolve(REPOSITORY_PREFIX + id.group("repository").replace("/", SEPARATOR));
    String revision = revision(id);
    Path reference = folder.resolve("refs").resolve(revision);
    Path snapshots = folder.resolve("snapshots");
    Path snapshot =
        Files.exists(reference) && !Files.isDirectory(reference)
            ? snapshots.resolve(commit(reference))
            : snapshots.resolve(revision);
    if (!Files.isDirectory(snapshot)) {
      throw new NoSuchFileException(
          text,
          null,
          "neither a file or folder of that name nor, as an id, in Hugging Face's cache "
              + hub
              + hint(id));
    }
    return snapshot;
  }

  /** Reads the name of a snapshot, which is one commit's. */
  private static String commit(Path reference) throws IOException {
    String name = InputFile.text(reference, MAX_REFERENCE_BYTES).strip();
    if (!COMMIT.matcher(name).matches()) {
      throw new FileFormatException(
          reference
              + ": expected the name of a folder in snapshots/, a commit; found something else:"
              + " download the repository again, or name the snapshot's folder");
    }
    return name;
  }

  private static String revision(Matcher id) {
    return Optional.ofNullable(id.group("revision")).orElse(MAIN);
  }

  private static String hint(Matcher id) {
    String file = id.group("file") == null ? "" : " " + id.group("file");
    return hint(id.group("repository"), revision(id), file);
  }

  private static String hint(String repository, String revision, String file) {
    return "; 'hf download "
        + repository
        + file
        + (revision.equals(MAIN) ? "" : " --revision " + revision)
        + "' would fetch it";
  }

  /**
   * Tells of a missing file that its download is not complete, where it belongs to a snapshot.
   *
   * @param missing what was thrown
   * @return the same where the file lies elsewhere or the reason is known
   */
  public static NoSuchFileException explained(NoSuchFileException missing) {
    if (missing.getFile() == null || missing.getCause() instanceof NoSuchFileException) {
      return missing;
    }
    for (Path folder = Path.of(missing.getFile()); folder != null; folder = folder.getParent()) {
      Optional<String> repository = repository(folder);
      if (repository.isPresent()) {
        String revision = folder.getFileName().toString();
        NoSuchFileException explained =
            new NoSuchFileException(
                missing.getFile(),
                null,
                (missing.getReason() == null ? "" : missing.getReason() + "; ")
                    + "the download of "
                    + repository.get()
                    + " is not complete"
                    + hint(repository.get(), mainIs(folder) ? MAIN : revision, ""));
        explained.initCause(missing);
        return explained;
      }
    }
    return missing;
  }

  private static boolean mainIs(Path snapshot) {
    Path main = snapshot.resolve("../../refs").normalize().resolve(MAIN);
    try {
      return commit(main).equals(snapshot.getFileName().toString());
    } catch (IOException | FileFormatException e) {
      // The revision is as good a name.
      return false;
    }
  }

  /**
   * Names the repository of a snapshot.
   *
   * @param snapshot any folder
   * @return {@code ORG/NAME}; empty for a folder that is no snapshot
   */
  public static Optional<String> repository(Path snapshot) {
    Path snapshots = snapshot.toAbsolutePath().normalize().getParent();
    Path model = snapshots == null ? null : snapshots.getParent();
    if (model == null
        || model.getFileName() == null
        || !snapshots.endsWith("snapshots")
        || !model.getFileName().toString().startsWith(REPOSITORY_PREFIX)) {
      return Optional.empty();
    }
    String name = model.getFileName().toString().substring(REPOSITORY_PREFIX.length());
    return Optional.of(name.replace(SEPARATOR, "/"));
  }

  /**
   * Goes from a repository's folder to the snapshot in it.
   *
   * @param path a folder {@code models--ORG--NAME}, or any other
   * @return the snapshot that {@code refs/main} names, or the only one; any other path as it is
   * @throws IOException if the folder cannot be read
   * @throws ModelException if it is not clear which snapshot is meant
   */
  public static Path snapshot(Path path) throws IOException {
    Path snapshots = path.resolve("snapshots");
    if (!Files.isDirectory(snapshots) || Files.exists(path.resolve("model_index.json"))) {
      return path;
    }
    Path main = path.resolve("refs").resolve(MAIN);
    if (Files.exists(main)) {
      Path named = snapshots.resolve(commit(main));
      if (Files.isDirectory(named)) {
        return named;
      }
    }
    List<Path> all;
    try (Stream<Path> entries = Files.list(snapshots)) {
      all = entries.filter(Files::isDirectory).toList();
    }
    if (all.size() != 1) {
      throw new ModelException(
          path
              + ": expected one snapshot of a model, found "
              + all.size()
              + "; name a folder below "
              + snapshots);
    }
    return all.get(0);
  }
}
