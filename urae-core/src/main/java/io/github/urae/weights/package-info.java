/**
 * Reading and writing safetensors: one file, a checkpoint in shards, and a streaming writer.
 *
 * <p>Files are memory-mapped and read only where a tensor is looked at. A mapped file must not be
 * cut short by anyone while it is open: a tensor asked for its bytes afterwards throws a {@link
 * io.github.urae.FileFormatException}, but native code that reads the same pages (ONNX Runtime
 * does) is ended by the operating system, which no library can catch. Replace files by renaming
 * instead.
 */
package io.github.urae.weights;
