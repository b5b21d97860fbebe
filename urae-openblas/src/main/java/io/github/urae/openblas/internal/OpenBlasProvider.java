package io.github.urae.openblas.internal;

import io.github.urae.adapter.internal.algebra.DenseAlgebra;
import io.github.urae.adapter.internal.algebra.DenseAlgebraProvider;
import java.io.IOException;

/** How service loading finds OpenBLAS. */
public final class OpenBlasProvider implements DenseAlgebraProvider {

  /** For service loading. */
  public OpenBlasProvider() {}

  @Override
  public DenseAlgebra load() throws IOException {
    NativeLibrary.load();
    return new OpenBlasAlgebra();
  }
}
