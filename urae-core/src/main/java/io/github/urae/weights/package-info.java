/**
 * Weights in files: safetensors, alone or in shards, a streaming writer, and the encodings that
 * tensors may lie in.
 *
 * <p>Files are memory-mapped and read only where a tensor is looked at. A mapped file must not be
 * cut short by anyone while it is open: a tensor asked for its bytes afterwards throws a {@link
 * io.github.urae.FileFormatException}, but native code that reads the same pages (ONNX Runtime
 * does) is ended by the operating system, which no library can catch. Replace files by renaming
 * instead.
 *
 * <h2>Adding an encoding</h2>
 *
 * <p>Everything that reads weights (conversion for a session, merging, fingerprints) asks a {@link
 * io.github.urae.weights.TensorSource} for floats, which asks the tensor's {@link
 * io.github.urae.weights.WeightEncoding}. So a new encoding runs, if converted to plain floats
 * first, with one class and one registration:
 *
 * <ul>
 *   <li>blocks of so many values in so many bytes, such as a type of GGUF: a subclass of {@code
 *       internal.BlockEncoding} with the name, the layout, and {@code decode}, entered where the
 *       file format turns its type numbers into encodings, {@code internal.gguf.GgmlType}. A file
 *       format itself is a function from an open file to its tensors, {@code
 *       internal.PlacedTensors.HeaderReader}, as {@code internal.SafetensorsHeader} is; {@link
 *       io.github.urae.weights.Safetensors#open} looks at the first bytes;
 *   <li>several tensors that make one weight, such as elements and their scales: a {@link
 *       io.github.urae.weights.WeightEncoding} that names its {@linkplain
 *       io.github.urae.weights.WeightEncoding#companions() companions}, and a {@link
 *       io.github.urae.weights.WeightEncodingProvider} that recognises them; those that people have
 *       are recognised in {@code internal.quantised}.
 * </ul>
 *
 * <p>Weights in blocks are computed with as they are stored. To compute so with another encoding, a
 * {@code LinearLayer} in {@code urae-onnx}'s package {@code onnx.internal.graph} says which
 * operator takes it and in which form.
 */
package io.github.urae.weights;
