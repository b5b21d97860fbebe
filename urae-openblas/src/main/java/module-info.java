/** Dense linear algebra on OpenBLAS, for minor components and large merges. */
module io.github.urae.openblas {
  requires io.github.urae.core;
  requires org.bytedeco.javacpp;
  requires org.bytedeco.openblas;
  requires org.slf4j;

  provides io.github.urae.adapter.internal.algebra.DenseAlgebraProvider with
      io.github.urae.openblas.internal.OpenBlasProvider;
}
