/** FLUX on ONNX Runtime: tokenizers, graphs made in memory, sessions, and the pipeline. */
module io.github.urae.onnx {
  requires ai.djl.tokenizers;
  requires com.fasterxml.jackson.databind;
  requires com.google.protobuf;
  requires com.microsoft.onnxruntime;
  requires com.sun.jna;
  requires transitive io.github.urae.core;
  requires org.slf4j;
  requires org.tribuo.util.onnx;

  exports io.github.urae.export;
  exports io.github.urae.pipeline;
}
