/** Training of URAE's adapters, on libtorch. */
module io.github.urae.training {
  requires io.github.urae.onnx;
  requires transitive io.github.urae.core;
  requires org.bytedeco.javacpp;
  requires org.bytedeco.pytorch;
  requires org.slf4j;
}
