package io.github.urae.internal;

import io.github.urae.InferenceException;
import java.io.Closeable;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.net.JarURLConnection;
import java.net.URL;
import java.net.URLConnection;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.UUID;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Native libraries that belong together, as files: they come inside a jar, from where no system
 * loads them.
 *
 * <p>A library is the process's, and so is the folder into which libraries are unpacked: entry
 * points that take a cache folder call {@link #unpackInto} before anything is loaded, and nothing
 * below them needs to know it. In its folder {@code native} each set lies in {@code NAME-CHECKSUM},
 * unpacked once for all processes; versions and builds lie beside each other, until nobody has
 * loaded them for a month. A file is whole or absent at all times; one whose size and checksum are
 * not the resource's is never loaded, but unpacked anew. Where all are there, nothing is written.
 *
 * <p>Java lets one class loader only load a file. Where another of this process has it, as when an
 * application is deployed again in a container, {@link #load} loads a copy and deletes it. What
 * cannot be deleted then (Windows), and what killed processes leave, a later process deletes.
 *
 * <p>Thread-safe.
 */
public final class NativeLibraries {

  private static final Logger LOG = LoggerFactory.getLogger(NativeLibraries.class);

  private static final String COPY_PREFIX = "copy-";

  /** No process takes longer from writing a file to having it loaded. */
  private static final Duration STALE = Duration.ofHours(1);

  /** Other versions may be another application's, which is not started every day. */
  private static final Duration UNUSED = Duration.ofDays(30);

  /** How exactly the time of the last use is kept. */
  private static final Duration USE_NOTED = Duration.ofDays(1);

  /** Stays in the processor's own cache between reading and summing up. */
  private static final int PIECE_BYTES = 1 << 16;

  /** Null until somebody says where, which is then {@link CacheFolder#byDefault}. */
  private static volatile Path cacheFolder;

  private final String name;
  private final Class<?> neighbour;
  private final String resources;
  private final List<String> files;

  /**
   * Names libraries; reads nothing.
   *
   * @param name what they are called in the cache
   * @param neighbour a class of the jar that holds them: in a named module, only the jar's own
   *     classes may see them
   * @param resources their folder in that jar, absolute, with a slash at both ends
   * @param files their file names, in the order in which they depend on each other
   */
  public NativeLibraries(String name, Class<?> neighbour, String resources, List<String> files) {
    this.name = name;
    this.neighbour = neighbour;
    this.resources = resources;
    this.files = List.copyOf(files);
  }

  /** Loads libraries, with {@link System#load} of the caller's own class loader. */
  @FunctionalInterface
  public interface Loader {

    /**
     * Loads.
     *
     * @param folder holds the files
     * @throws IOException if that fails
     * @throws UnsatisfiedLinkError if the system refuses
     */
    void load(Path folder) throws IOException;
  }

  /**
   * Sets the cache folder in which libraries are unpacked from now on. What is loaded stays. Warns
   * where others may write to that folder.
   *
   * @param folder made when needed; before the first call it is {@link CacheFolder#byDefault}
   */
  public static void unpackInto(Path folder) {
    cacheFolder = folder.toAbsolutePath();
    CacheFolder.warnIfShared(cacheFolder);
  }

  /**
   * Returns the folder of all unpacked libraries.
   *
   * @return an absolute path in the cache folder; it need not exist
   * @throws IOException if no folder was set, and the user has no home for one
   */
  public static Path folder() throws IOException {
    Path set = cacheFolder;
    return (set == null ? CacheFolder.byDefault() : set).resolve("native");
  }

  /**
   * Returns the system as most jars with native libraries write it.
   *
   * @return {@code linux}, {@code osx} or {@code win}
   */
  public static String system() {
    String system = System.getProperty("os.name").toLowerCase(Locale.ROOT);
    return system.startsWith("win") ? "win" : system.startsWith("mac") ? "osx" : "linux";
  }

  /**
   * Returns the processor's architecture.
   *
   * @return {@code x86_64}, {@code aarch64}, or what Java calls a rarer one
   */
  public static String architecture() {
    String architecture = System.getProperty("os.arch");
    return architecture.equals("amd64") ? "x86_64" : architecture;
  }

  /**
   * Does something while a system property is set, for libraries that are told nothing otherwise.
   * Where the user has set it, that holds.
   *
   * @param property its name
   * @param value its value meanwhile
   * @param action what reads it
   */
  public static void withProperty(String property, String value, Runnable action) {
    if (System.getProperty(property) != null) {
      action.run();
      return;
    }
    System.setProperty(property, value);
    try {
      action.run();
    } finally {
      System.clearProperty(property);
    }
  }

  /**
   * Explains why Java refuses: since Java 24, native access may be a permission that an
   * application's start gives.
   *
   * @param name what was to be loaded or called
   * @param cause what Java says
   * @return an error that names the way out
   */
  public static InferenceException denied(String name, IllegalCallerException cause) {
    return new InferenceException(
        "Java does not let this application use the native libraries of "
            + name
            + "; start it with --enable-native-access=ALL-UNNAMED (on the module path, with the"
            + " names of the modules instead): "
            + cause.getMessage(),
        cause);
  }

  /**
   * Tells whether the jar holds all of them.
   *
   * @return whether they can be unpacked
   */
  public boolean exist() {
    return files.stream().allMatch(file -> neighbour.getResource(resources + file) != null);
  }

  /**
   * Unpacks the files that are not there yet, or not what the jar holds. Several processes may do
   * so at once.
   *
   * @return their folder
   * @throws FileNotFoundException if the jar lacks one
   * @throws IOException if they cannot be written
   */
  public Path unpack() throws IOException {
    Map<String, Entry> entries = entries();
    Path folder = folder(entries.values());
    noteUse(folder);
    for (Map.Entry<String, Entry> entry : entries.entrySet()) {
      Path target = folder.resolve(entry.getKey());
      if (!isWhole(target, entry.getValue())) {
        write(entry.getKey(), target, entry.getValue());
      }
    }
    return folder;
  }

  /**
   * Tells whether files of the right sizes are there, so that most likely nothing is to be written.
   *
   * @return whether {@link #unpack} has only to check them
   * @throws IOException if they cannot be looked at
   */
  public boolean areUnpacked() throws IOException {
    Map<String, Entry> entries = entries();
    Path folder = folder(entries.values());
    for (Map.Entry<String, Entry> entry : entries.entrySet()) {
      Path file = folder.resolve(entry.getKey());
      if (!Files.exists(file) || Files.size(file) != entry.getValue().size()) {
        return false;
      }
    }
    return true;
  }

  private Map<String, Entry> entries() throws IOException {
    Map<String, Entry> entries = new LinkedHashMap<>();
    for (String file : files) {
      entries.put(file, entry(file));
    }
    return entries;
  }

  private Path folder(Collection<Entry> entries) throws IOException {
    CRC32 content = new CRC32();
    for (Entry entry : entries) {
      for (int shift = 0; shift < Integer.SIZE; shift += Byte.SIZE) {
        content.update((int) (entry.checksum() >> shift));
      }
    }
    return folder().resolve(String.format("%s-%08x", name, content.getValue()));
  }

  /**
   * Unpacks and loads.
   *
   * @param loader called once, and again with copies where another class loader of this process has
   *     the files
   * @throws IOException if they cannot be unpacked
   * @throws InferenceException if they cannot be loaded; the message says why, and the way out
   */
  public void load(Loader loader) throws IOException {
    if (loadUnlessElsewhere(loader)) {
      return;
    }
    Path folder = unpack();
    Path copy = folder.resolve(COPY_PREFIX + UUID.randomUUID());
    try (Closeable deleted = () -> deleteIfPossible(copy)) {
      LOG.debug("Another class loader has {}: {} is loaded, then {}", folder, copy, deleted);
      Files.createDirectory(copy);
      for (String file : files) {
        Files.copy(folder.resolve(file), copy.resolve(file));
      }
      loader.load(copy);
    } catch (UnsatisfiedLinkError e) {
      throw refused(e);
    }
  }

  /**
   * Unpacks and loads, unless another class loader of this process has the files.
   *
   * @param loader called once
   * @return whether they are loaded now
   * @throws IOException if they cannot be unpacked
   * @throws InferenceException if they cannot be loaded; the message says why, and the way out
   */
  public boolean loadUnlessElsewhere(Loader loader) throws IOException {
    Path folder = unpack();
    deleteStale(folder);
    deleteUnused(folder, name + "-[0-9a-f]{8}");
    try {
      loader.load(folder);
      return true;
    } catch (UnsatisfiedLinkError e) {
      if (String.valueOf(e.getMessage()).contains("already loaded in another classloader")) {
        return false;
      }
      throw refused(e);
    } catch (IllegalCallerException e) {
      throw denied(name, e);
    }
  }

  private InferenceException refused(UnsatisfiedLinkError cause) {
    return new InferenceException(
        "the native libraries of " + name + " could not be loaded: " + cause.getMessage(), cause);
  }

  /**
   * What is known of a resource without unpacking it.
   *
   * @param size in bytes
   * @param checksum CRC-32
   */
  private record Entry(URL url, long size, long checksum) {}

  private Entry entry(String file) throws IOException {
    URL url = neighbour.getResource(resources + file);
    if (url == null) {
      throw new FileNotFoundException("no " + resources + file + " beside " + neighbour.getName());
    }
    URLConnection connection = connect(url);
    try (InputStream in = connection.getInputStream()) {
      if (connection instanceof JarURLConnection jar) {
        return new Entry(url, jar.getJarEntry().getSize(), jar.getJarEntry().getCrc());
      }
      CRC32 checksum = new CRC32();
      long size = 0;
      byte[] piece = new byte[1 << 16];
      for (int read = in.read(piece); read >= 0; read = in.read(piece)) {
        checksum.update(piece, 0, read);
        size += read;
      }
      return new Entry(url, size, checksum.getValue());
    }
  }

  /** A cached connection would keep the jar open for as long as the process lives. */
  private static URLConnection connect(URL url) throws IOException {
    URLConnection connection = url.openConnection();
    connection.setUseCaches(false);
    return connection;
  }

  private static boolean isWhole(Path file, Entry entry) throws IOException {
    return isWhole(file, entry.size(), entry.checksum());
  }

  /**
   * Tells whether a file is, to the last byte, what a jar holds. A link is not. What was found so
   * is read again only after something has touched it.
   *
   * @param file need not exist
   * @param size the jar's entry's
   * @param expected its CRC-32
   * @return whether it may be loaded
   * @throws IOException if it cannot be read
   */
  public static boolean isWhole(Path file, long size, long expected) throws IOException {
    if (!Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS) || Files.size(file) != size) {
      return false;
    }
    Optional<String> state = CheckedFile.state(file, expected);
    if (state.isPresent() && CheckedFile.isKnown(file, state.get())) {
      return true;
    }
    boolean whole = checksum(file) == expected;
    if (whole && state.isPresent() && state.equals(CheckedFile.state(file, expected))) {
      CheckedFile.remember(file, state.get());
    }
    return whole;
  }

  private static long checksum(Path file) throws IOException {
    CRC32 checksum = new CRC32();
    // Read, not mapped: nobody keeps the file from being cut short meanwhile.
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      ByteBuffer piece = ByteBuffer.allocateDirect(PIECE_BYTES);
      while (channel.read(piece) >= 0) {
        checksum.update(piece.flip());
        piece.clear();
      }
    }
    return checksum.getValue();
  }

  private static void write(String file, Path target, Entry entry) throws IOException {
    if (Files.exists(target, LinkOption.NOFOLLOW_LINKS)) {
      LOG.warn("Replacing {}, which is not what its jar holds", target);
      if (Files.isSymbolicLink(target)) {
        Files.delete(target); // What it leads to is none of ours.
      }
    }
    CacheFolder.create(target.getParent());
    try {
      FileReplacement.replace(
          target,
          () -> OptionalLong.of(entry.size()),
          temporary -> {
            try (InputStream in = connect(entry.url()).getInputStream()) {
              Files.copy(in, temporary);
            }
          });
    } catch (IOException e) {
      if (!isWhole(target, entry)) {
        throw new IOException(e.getMessage() + "; " + CacheFolder.WAY_OUT, e);
      }
      // On Windows: another process was faster, and has it loaded.
      LOG.debug("{} is there by now", file, e);
    }
  }

  /**
   * Notes that a folder of libraries is used, by its modification time. Where that cannot be set,
   * nothing can be deleted either.
   *
   * @param folder need not exist
   */
  public static void noteUse(Path folder) {
    try {
      FileTime now = FileTime.from(Instant.now());
      if (Files.isDirectory(folder) && isOlder(folder, USE_NOTED)) {
        Files.setLastModifiedTime(folder, now);
      }
    } catch (IOException e) {
      LOG.debug("The use of {} cannot be noted", folder, e);
    }
  }

  /**
   * Deletes folders of other versions that nobody has used for a month. What cannot be deleted
   * stays.
   *
   * @param used the folder of the present version, whose use is noted
   * @param names what the folders beside it are called that are its other versions
   */
  public static void deleteUnused(Path used, String names) {
    Pattern versions = Pattern.compile(names);
    try {
      List<Path> others;
      try (Stream<Path> siblings = Files.list(used.getParent())) {
        others =
            siblings
                .filter(folder -> versions.matcher(folder.getFileName().toString()).matches())
                .filter(folder -> !folder.equals(used))
                .filter(folder -> Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS))
                .toList();
      }
      for (Path other : others) {
        if (isOlder(other, UNUSED)) {
          LOG.info("Deleting {}, which was not used for a month", other);
          // Under another name first: whoever wants it now unpacks it anew.
          Path doomed = FileReplacement.temporarySibling(other);
          Files.move(other, doomed, StandardCopyOption.ATOMIC_MOVE);
          FileReplacement.discard(doomed);
        }
      }
    } catch (IOException e) {
      LOG.debug("Other versions beside {} stay", used, e);
    }
  }

  private static boolean isOlder(Path path, Duration age) throws IOException {
    return Files.getLastModifiedTime(path).toInstant().isBefore(Instant.now().minus(age));
  }

  private static void deleteStale(Path folder) throws IOException {
    List<Path> left;
    try (Stream<Path> entries = Files.list(folder)) {
      left =
          entries
              .filter(
                  entry -> {
                    String name = entry.getFileName().toString();
                    return name.startsWith(COPY_PREFIX)
                        || name.endsWith(FileReplacement.PARTIAL_SUFFIX);
                  })
              .toList();
    }
    for (Path entry : left) {
      try {
        if (isOlder(entry, STALE)) {
          deleteIfPossible(entry);
        }
      } catch (IOException e) {
        LOG.debug("{} was deleted meanwhile", entry, e);
      }
    }
  }

  /** Deletes a file, or a folder of files; what is in use on Windows stays. */
  private static void deleteIfPossible(Path path) {
    try {
      if (Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)) {
        try (Stream<Path> entries = Files.list(path)) {
          entries.forEach(NativeLibraries::deleteIfPossible);
        }
      }
      Files.deleteIfExists(path);
    } catch (IOException e) {
      LOG.debug("{} cannot be deleted yet", path, e);
    }
  }
}
