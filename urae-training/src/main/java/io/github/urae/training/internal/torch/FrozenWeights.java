package io.github.urae.training.internal.torch;

import io.github.urae.ModelException;
import io.github.urae.internal.OwnedResources;
import io.github.urae.tensor.ElementType;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;

/**
 * The weights that are not trained, as tensors of libtorch: on the CPU, files as they are mapped;
 * on another device, copies. Owns the tensors and the open files.
 */
@SuppressWarnings("try") // A scope is there to be closed.
final class FrozenWeights implements Closeable {

  private final Map<String, Tensor> tensors = new HashMap<>();
  private final OwnedTensors owned = new OwnedTensors();
  private final OwnedResources files;
  private final List<TensorSource> sources;

  private FrozenWeights(OwnedResources files, List<TensorSource> sources) {
    this.files = files;
    this.sources = List.copyOf(sources);
  }

  /**
   * Makes tensors of weights.
   *
   * @param places where each weight lies: a source in which it is plain elements of the type
   * @param type F32 or BF16
   * @param device where they are to be
   * @param files owns the sources; this becomes its owner
   * @return the weights; the caller closes them
   * @throws IOException if a file cannot be looked at
   */
  static FrozenWeights of(
      Map<String, TensorSource> places, ElementType type, Device device, OwnedResources files)
      throws IOException {
    FrozenWeights weights = new FrozenWeights(files, new ArrayList<>(Map.copyOf(places).values()));
    try (PointerScope temporaries = new PointerScope()) {
      for (Map.Entry<String, TensorSource> place : places.entrySet()) {
        io.github.urae.tensor.Tensor stored = place.getValue().tensor(place.getKey());
        weights.tensors.put(
            place.getKey(), weights.owned.add(view(stored, type).to(device, typeOf(type))));
      }
      return weights;
    } catch (Throwable e) {
      weights.owned.close();
      throw e;
    }
  }

  private static torch.ScalarType typeOf(ElementType type) {
    return TensorTransfer.scalarType(type);
  }

  /** The mapping belongs to the file's owner: libtorch only gets its address. */
  private static Tensor view(io.github.urae.tensor.Tensor stored, ElementType type) {
    ByteBuffer bytes = stored.data();
    return torch.from_blob(
        new BytePointer(bytes), stored.shape().toArray(), new TensorOptions(typeOf(type)));
  }

  /**
   * Tells whether libtorch can compute with a tensor where it lies.
   *
   * @param source holds it
   * @param info what is known of it
   * @param type F32 or BF16
   * @return whether its elements are of the type, in one piece, at an address for them
   * @throws IOException if the file cannot be looked at
   */
  static boolean isUsable(TensorSource source, TensorInfo info, ElementType type)
      throws IOException {
    if (!info.isPlain(type) || info.length() > Integer.MAX_VALUE) {
      return false;
    }
    ByteBuffer bytes = source.tensor(info.name()).data();
    return bytes.isDirect() && bytes.alignmentOffset(0, type.bits() / Byte.SIZE) == 0;
  }

  /** Returns a weight. */
  Tensor get(String name) {
    Tensor tensor = tensors.get(name);
    if (tensor == null) {
      throw new ModelException("the transformer has no tensor '" + name + "'");
    }
    return tensor;
  }

  /**
   * Makes sure that no file was changed or cut short: its bytes would be others, or end the
   * process.
   *
   * @throws IOException if a file cannot be looked at
   * @throws io.github.urae.FileFormatException if one was
   */
  void checkUnchanged() throws IOException {
    for (TensorSource source : sources) {
      source.checkUnchanged();
    }
  }

  @Override
  public void close() throws IOException {
    tensors.clear();
    owned.close();
    files.close();
  }
}
