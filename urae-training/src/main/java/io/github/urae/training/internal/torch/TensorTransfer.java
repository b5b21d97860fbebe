package io.github.urae.training.internal.torch;

import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/** Values between Java and libtorch. What libtorch gets belongs to the caller's scope. */
@SuppressWarnings("try") // A scope is there to be closed.
final class TensorTransfer {

  private TensorTransfer() {}

  /** Returns libtorch's name of an element type: F32 or BF16. */
  static torch.ScalarType scalarType(ElementType type) {
    return switch (type) {
      case F32 -> torch.ScalarType.Float;
      case BF16 -> torch.ScalarType.BFloat16;
      default -> throw new IllegalArgumentException(type + " is not computed in");
    };
  }

  /** Copies float32 values. */
  static Tensor ofFloats(float[] values, long... shape) {
    return Scopes.one(
        () ->
            torch
                .from_blob(
                    new FloatPointer(values), shape, new TensorOptions(torch.ScalarType.Float))
                .clone());
  }

  /** Copies the values of a tensor of ours to a device, in an element type of libtorch's. */
  static Tensor toTorch(io.github.urae.tensor.Tensor tensor, torch.ScalarType type, Device device) {
    return Scopes.one(
        () ->
            torch
                .from_blob(
                    new FloatPointer(tensor.toFloats()),
                    tensor.shape().toArray(),
                    new TensorOptions(torch.ScalarType.Float))
                .clone()
                .to(device, type));
  }

  /** Copies tensors of ours, all of one shape, into one with a first axis that counts them. */
  static Tensor stacked(
      List<io.github.urae.tensor.Tensor> tensors, torch.ScalarType type, Device device) {
    return Scopes.one(
        () -> {
          Tensor[] copies =
              tensors.stream().map(each -> toTorch(each, type, device)).toArray(Tensor[]::new);
          return copies.length == 1
              ? copies[0].unsqueeze(0)
              : torch.stack(new TensorVector(copies), 0);
        });
  }

  /** Copies a tensor of libtorch's, float32 or bfloat16, bit for bit. */
  static io.github.urae.tensor.Tensor toJava(Tensor tensor, String name) {
    try (PointerScope temporaries = new PointerScope()) {
      Tensor here = tensor.detach().cpu().contiguous();
      boolean wide = here.scalar_type().intern() == torch.ScalarType.Float;
      long size = here.nbytes();
      ByteBuffer bytes =
          ByteBuffer.allocateDirect(Math.toIntExact(size)).order(ByteOrder.LITTLE_ENDIAN);
      bytes.put(new BytePointer(here.data_ptr()).capacity(size).asByteBuffer()).flip();
      return io.github.urae.tensor.Tensor.view(
          wide ? ElementType.F32 : ElementType.BF16, Shape.of(here.shape()), bytes, name);
    }
  }

  /** Copies the values of a float32 tensor of libtorch's. */
  static float[] toFloats(Tensor tensor) {
    try (PointerScope temporaries = new PointerScope()) {
      Tensor here = tensor.detach().to(torch.ScalarType.Float).cpu().contiguous();
      float[] values = new float[Math.toIntExact(here.numel())];
      new FloatPointer(here.data_ptr()).get(values);
      return values;
    }
  }
}
