package io.github.urae.weights.internal;

import io.github.urae.tensor.Tensor;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.WeightEncoding;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Another source but for one tensor, which is not among its weights. Owns the other. */
final class WithoutTensor implements TensorSource {

  private final TensorSource all;
  private final Map<String, TensorInfo> tensors;

  WithoutTensor(TensorSource all, String name) {
    this.all = all;
    Map<String, TensorInfo> others = new LinkedHashMap<>(all.tensors());
    others.remove(name);
    this.tensors = Collections.unmodifiableMap(others);
  }

  @Override
  public Map<String, TensorInfo> tensors() {
    return tensors;
  }

  @Override
  public Map<String, String> metadata() {
    return all.metadata();
  }

  @Override
  public List<Path> files() {
    return all.files();
  }

  @Override
  public Tensor tensor(String name) throws IOException {
    return all.tensor(name);
  }

  @Override
  public void readFloats(String name, long first, float[] target, int offset, int count)
      throws IOException {
    all.readFloats(name, first, target, offset, count);
  }

  @Override
  public void read(String name, long position, ByteBuffer target) throws IOException {
    all.read(name, position, target);
  }

  @Override
  public WeightEncoding.StoredBytes bytes() {
    return all.bytes();
  }

  @Override
  public void checkUnchanged() throws IOException {
    all.checkUnchanged();
  }

  @Override
  public Set<Path> displacedFiles() throws IOException {
    return all.displacedFiles();
  }

  @Override
  public void close() throws IOException {
    all.close();
  }
}
