package io.github.urae.internal;

import java.io.IOException;
import java.io.InputStream;
import java.net.JarURLConnection;
import java.net.URL;
import java.net.URLConnection;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What JavaCPP has unpacked, which it takes for whole by size and time: each file lies in a folder
 * of its jar's name, under its path within the jar.
 */
final class UnpackedJars {

  private static final Logger LOG = LoggerFactory.getLogger(UnpackedJars.class);

  private UnpackedJars() {}

  /**
   * Deletes jars' folders with files that are not what the jars hold, so that JavaCPP unpacks them
   * anew, and those that were not used for a month.
   *
   * @param folder JavaCPP's
   * @param jars finds what the jars hold
   * @throws IOException if a file cannot be read or deleted
   */
  static void check(Path folder, ClassLoader jars) throws IOException {
    List<Path> present = new ArrayList<>();
    for (Path jar : list(folder)) {
      if (!Files.isDirectory(jar, LinkOption.NOFOLLOW_LINKS)) {
        continue;
      }
      boolean used = false;
      boolean damaged = false;
      for (Path file : filesIn(jar)) {
        String name = jar.relativize(file).toString().replace('\\', '/');
        URL resource = jars.getResource(name);
        if (isOf(jar, resource)) {
          used = true;
          if (!isSame(file, resource)) {
            LOG.warn("Replacing {}, which is not what its jar holds", file);
            damaged = true;
          }
        }
      }
      if (damaged) {
        delete(jar); // JavaCPP does not put single files back among its links.
      } else if (used) {
        NativeLibraries.noteUse(jar);
        present.add(jar);
      }
    }
    for (Path jar : present) {
      NativeLibraries.deleteUnused(jar, "(openblas|pytorch|javacpp)-.+\\.jar");
    }
  }

  private static void delete(Path folder) throws IOException {
    try (Stream<Path> entries = Files.walk(folder)) {
      for (Path entry : entries.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(entry);
      }
    }
  }

  private static boolean isOf(Path folder, URL resource) {
    return resource != null && resource.toString().contains("/" + folder.getFileName() + "!");
  }

  private static List<Path> list(Path folder) throws IOException {
    try (Stream<Path> entries = Files.list(folder)) {
      return entries.toList();
    }
  }

  private static List<Path> filesIn(Path folder) throws IOException {
    try (Stream<Path> entries = Files.walk(folder)) {
      return entries.filter(file -> Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)).toList();
    }
  }

  private static boolean isSame(Path file, URL resource) throws IOException {
    URLConnection connection = resource.openConnection();
    // A cached connection would keep the jar open for as long as the process lives.
    connection.setUseCaches(false);
    if (!(connection instanceof JarURLConnection jar)) {
      return true;
    }
    try (InputStream opened = jar.getInputStream()) {
      LOG.trace("{} is read for what is known of {}", jar.getJarFileURL(), opened);
      return NativeLibraries.isWhole(file, jar.getJarEntry().getSize(), jar.getJarEntry().getCrc());
    }
  }
}
