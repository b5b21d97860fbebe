package io.github.urae.adapter.internal.format;

import io.github.urae.tensor.Tensor;
import java.util.List;

/**
 * The part of an adapter that belongs to one module of the model: a pair of matrices whose product
 * changes the module's weight.
 *
 * @param name the module by the file's own name, without the endings of the keys
 * @param down A, [rank, inputs]
 * @param up B, [outputs, rank]
 * @param alpha alpha as stored; equal to the rank where the file has none
 * @param scale what the product is multiplied by: usually alpha / rank
 * @param keys the keys of the file that this was made of
 */
public record AdapterModule(
    String name, Tensor down, Tensor up, double alpha, double scale, List<String> keys) {

  /**
   * Returns the rank.
   *
   * @return the number of rows of A and of columns of B
   */
  public int rank() {
    return Math.toIntExact(down.shape().dimension(0));
  }

  /**
   * Returns the number of inputs.
   *
   * @return the number of columns of A
   */
  public long inputs() {
    return down.shape().dimension(1);
  }

  /**
   * Returns the number of outputs.
   *
   * @return the number of rows of B
   */
  public long outputs() {
    return up.shape().dimension(0);
  }
}
