/** Models as ONNX files. */
package io.github.urae.export;
