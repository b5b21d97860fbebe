package io.github.urae.adapter.internal.algebra;

import io.github.urae.AdapterException;
import io.github.urae.internal.NativeLibraries;
import java.io.IOException;
import java.util.Optional;
import java.util.ServiceLoader;

/** What adapters need of a library of dense algebra. Thread-safe. */
public interface DenseAlgebra {

  /**
   * Finds and loads the library.
   *
   * @return the library
   * @throws AdapterException if there is none, which the message says how to add, or it does not
   *     load
   */
  static DenseAlgebra load() {
    Optional<DenseAlgebraProvider> provider =
        ServiceLoader.load(DenseAlgebraProvider.class, DenseAlgebra.class.getClassLoader())
            .findFirst();
    if (provider.isEmpty()) {
      throw new AdapterException(
          "minor components (URAE's 4K adapter) need dense algebra, which is not there: add the"
              + " dependency io.github.urae:urae-openblas to the application");
    }
    try {
      return provider.get().load();
    } catch (IOException e) {
      throw new AdapterException("dense algebra could not be loaded: " + e, e);
    } catch (IllegalCallerException e) {
      throw new AdapterException(NativeLibraries.denied("OpenBLAS", e).getMessage(), e);
    } catch (LinkageError e) {
      // A class that loads its library when it is first used hides why it cannot be.
      if (e.getCause() instanceof IllegalCallerException cause) {
        throw new AdapterException(NativeLibraries.denied("OpenBLAS", cause).getMessage(), e);
      }
      throw new AdapterException(
          "dense algebra for minor components (URAE's 4K adapter) could not be loaded: expected"
              + " org.bytedeco:openblas and org.bytedeco:javacpp beside io.github.urae:urae-openblas,"
              + " each also with this platform's classifier (such as linux-x86_64): "
              + e,
          e);
    }
  }

  /**
   * Prepares the product {@code B A} of low rank.
   *
   * @param rows rows of B
   * @param columns columns of A
   * @param rank rows of A and columns of B
   * @param down A, [rank, columns], row-major; read only during the call
   * @param up B, [rows, rank], row-major; read only during the call
   * @return the factors; the caller closes them
   */
  LowRankFactors lowRankFactors(int rows, int columns, int rank, float[] down, float[] up);

  /**
   * Computes the smallest singular triplets of a weight, in float64. Threads that do so at once
   * take turns; the call cannot be interrupted.
   *
   * @param weight W, [rows, columns], row-major; read only during the call
   * @param rows at least 1
   * @param columns at least 1
   * @param rank how many, 1 to min(rows, columns)
   * @return the triplets as a product of low rank
   * @throws AdapterException if a value is not finite, or no decomposition is found
   */
  MinorFactors minorFactors(float[] weight, int rows, int columns, int rank);
}
