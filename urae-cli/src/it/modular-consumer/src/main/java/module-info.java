module org.example.modular {
  requires io.github.urae.demo;
  requires io.github.urae.onnx;
}
