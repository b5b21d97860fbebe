package io.github.urae.internal;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/** A resource of a jar as a file, for what cannot be used inside a jar: native libraries. */
public final class UnpackedResource {

  private UnpackedResource() {}

  /**
   * Unpacks a resource unless the file is there. Several processes may do so at once; the file is
   * whole or absent at all times.
   *
   * @param neighbour a class whose loader sees the resource
   * @param resource absolute name, with a slash in front
   * @param target the file; its folder is made if missing
   * @throws FileNotFoundException if there is no such resource
   * @throws IOException if it cannot be written
   */
  public static void unpack(Class<?> neighbour, String resource, Path target) throws IOException {
    if (Files.exists(target)) {
      return;
    }
    Files.createDirectories(target.getParent());
    FileReplacement.replace(
        target,
        temporary -> {
          try (InputStream in = neighbour.getResourceAsStream(resource)) {
            if (in == null) {
              throw new FileNotFoundException("no resource " + resource);
            }
            Files.copy(in, temporary);
          }
        });
  }
}
