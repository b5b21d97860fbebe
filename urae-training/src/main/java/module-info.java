/** Training of URAE's adapters, on libtorch. */
module io.github.urae.training {
  requires com.fasterxml.jackson.databind;
  requires com.google.protobuf;
  requires transitive io.github.urae.core;
  requires transitive io.github.urae.onnx;
  requires java.desktop;
  requires org.bytedeco.javacpp;
  requires org.bytedeco.openblas;
  requires org.bytedeco.pytorch;
  requires org.slf4j;

  exports io.github.urae.training;
}
