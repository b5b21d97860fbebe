package io.github.urae.internal;

import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.attribute.UserPrincipal;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Where derived files lie: native libraries among them, which are run. */
public final class CacheFolder {

  /** What a message on a cache folder that does not do ends with. */
  public static final String WAY_OUT =
      "choose another cache folder: --cache-dir DIR, cacheFolder(...), or XDG_CACHE_HOME";

  private static final Logger LOG = LoggerFactory.getLogger(CacheFolder.class);

  /** Its owner is whoever runs this process. */
  private static final Path OWN_PROCESS = Path.of("/proc/self");

  private CacheFolder() {}

  /**
   * Returns the folder where the user says nothing: {@code $XDG_CACHE_HOME/urae}, or {@code
   * ~/.cache/urae}.
   *
   * @return its absolute path; it need not exist
   * @throws IOException if the variable is not set and the user has no home
   */
  public static Path byDefault() throws IOException {
    return byDefault(System.getenv("XDG_CACHE_HOME"), System.getProperty("user.home"));
  }

  static Path byDefault(String xdg, String home) throws IOException {
    // The XDG specification: a relative path is invalid and ignored.
    if (xdg != null && Path.of(xdg).isAbsolute()) {
      return Path.of(xdg, "urae");
    }
    // Java's home of a user whom the system does not know, as in containers, is "?".
    if (home == null || !Path.of(home).isAbsolute()) {
      throw new IOException(
          "there is no place for the cache, since the user has no home folder (user.home is '"
              + home
              + "'); "
              + WAY_OUT);
    }
    return Path.of(home, ".cache", "urae");
  }

  /**
   * Makes a folder of the cache unless it is there, for its user alone.
   *
   * @param folder the cache folder, or one below it
   * @throws IOException if it cannot be made; the message names the way out
   */
  public static void create(Path folder) throws IOException {
    if (Files.isDirectory(folder)) {
      return;
    }
    try {
      Files.createDirectories(folder, forUserAlone(folder));
    } catch (FileSystemException e) {
      throw new IOException(
          folder + ": the folder cannot be made (" + FileFailure.reason(e) + "); " + WAY_OUT, e);
    }
  }

  private static FileAttribute<?>[] forUserAlone(Path folder) {
    return folder.getFileSystem().supportedFileAttributeViews().contains("posix")
        ? new FileAttribute<?>[] {
          PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"))
        }
        : new FileAttribute<?>[0];
  }

  /**
   * Warns where somebody else may change what lies in a cache folder.
   *
   * @param folder the cache folder; nothing is said of one that is not there
   */
  public static void warnIfShared(Path folder) {
    try {
      PosixFileAttributeView view =
          Files.getFileAttributeView(folder, PosixFileAttributeView.class);
      if (view == null || !Files.isDirectory(folder)) {
        return;
      }
      PosixFileAttributes attributes = view.readAttributes();
      if (attributes.permissions().contains(PosixFilePermission.OTHERS_WRITE)
          || attributes.permissions().contains(PosixFilePermission.GROUP_WRITE)) {
        LOG.warn(
            "{}: others may write to the cache folder ({}), from which native libraries are"
                + " loaded; take that from them (chmod go-w), or choose another",
            folder,
            PosixFilePermissions.toString(attributes.permissions()));
      }
      UserPrincipal user = user(folder);
      if (!attributes.owner().equals(user) && !attributes.owner().getName().equals("root")) {
        LOG.warn(
            "{}: the cache folder, from which native libraries are loaded, belongs to {}, and this"
                + " process to {}; choose another unless that is meant",
            folder,
            attributes.owner().getName(),
            user.getName());
      }
    } catch (IOException e) {
      LOG.debug("{} cannot be looked at", folder, e);
    }
  }

  private static UserPrincipal user(Path folder) throws IOException {
    if (Files.exists(OWN_PROCESS)) {
      return Files.getOwner(OWN_PROCESS);
    }
    String name = System.getProperty("user.name");
    return folder.getFileSystem().getUserPrincipalLookupService().lookupPrincipalByName(name);
  }
}
