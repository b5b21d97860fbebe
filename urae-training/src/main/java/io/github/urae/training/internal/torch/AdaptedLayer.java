package io.github.urae.training.internal.torch;

import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * The trained part of a linear layer. Factors are rounded to what the network computes in, as
 * PyTorch's autocast does, while their gradients are of their own type.
 *
 * @param down A, [rank, in]
 * @param up B, [out, rank]
 * @param scale alpha / rank of a LoRA; 1 for minor components
 */
record AdaptedLayer(Tensor down, Tensor up, double scale) {

  /** Returns {@code scale B A x}, in the type of x. */
  Tensor change(Tensor x) {
    torch.ScalarType type = x.scalar_type().intern();
    Tensor low = torch.linear(torch.linear(x, down.to(type)), up.to(type));
    return scale == 1 ? low : low.mul(new Scalar(scale));
  }
}
