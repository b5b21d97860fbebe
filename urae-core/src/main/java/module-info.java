/**
 * FLUX without an engine: weights in files, adapters, requests and results, and the arithmetic
 * around the networks.
 */
@SuppressWarnings("module") // Internals are opened to modules that are built after this one.
module io.github.urae.core {
  requires com.fasterxml.jackson.databind;
  requires org.slf4j;
  requires re2j;
  requires transitive java.desktop;
  requires static jdk.jfr;

  exports io.github.urae;
  exports io.github.urae.adapter;
  exports io.github.urae.device;
  exports io.github.urae.flux;
  exports io.github.urae.flux.arithmetic;
  exports io.github.urae.flux.model;
  exports io.github.urae.image;
  exports io.github.urae.tensor;
  exports io.github.urae.weights;
  exports io.github.urae.adapter.internal.algebra to
      io.github.urae.openblas;
  exports io.github.urae.adapter.internal.match to
      io.github.urae.onnx,
      io.github.urae.training;
  exports io.github.urae.adapter.internal.merge to
      io.github.urae.onnx,
      io.github.urae.training;
  exports io.github.urae.flux.model.internal to
      io.github.urae.onnx,
      io.github.urae.training;
  exports io.github.urae.internal to
      io.github.urae.onnx,
      io.github.urae.openblas,
      io.github.urae.spring,
      io.github.urae.training;
  exports io.github.urae.internal.recording to
      io.github.urae.onnx;
  exports io.github.urae.tensor.internal to
      io.github.urae.onnx,
      io.github.urae.training;
  exports io.github.urae.weights.internal to
      io.github.urae.onnx,
      io.github.urae.training;
  exports io.github.urae.weights.internal.gguf to
      io.github.urae.onnx;
  exports io.github.urae.weights.internal.quantised to
      io.github.urae.onnx;

  uses io.github.urae.adapter.internal.algebra.DenseAlgebraProvider;
  uses io.github.urae.weights.WeightEncodingProvider;
}
