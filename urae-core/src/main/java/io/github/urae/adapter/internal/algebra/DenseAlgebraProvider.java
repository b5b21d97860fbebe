package io.github.urae.adapter.internal.algebra;

import java.io.IOException;

/** A library of dense algebra on the class path or module path, found by service loading. */
public interface DenseAlgebraProvider {

  /**
   * Loads the library unless it is loaded. Native code is unpacked where {@link
   * io.github.urae.internal.NativeLibraries} keeps it.
   *
   * @return the library
   * @throws IOException if it cannot be unpacked
   * @throws LinkageError if the library has no native code for this platform, or it does not load
   */
  DenseAlgebra load() throws IOException;
}
