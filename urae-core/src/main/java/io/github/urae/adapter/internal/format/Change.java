package io.github.urae.adapter.internal.format;

import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import java.util.Optional;

/** What an adapter does to one parameter: a matrix of its shape in one form or another. */
public sealed interface Change {

  /** Returns the number of rows. */
  long outputs();

  /** Returns the number of columns; 1 for a bias and for the scale of a normalisation. */
  long inputs();

  /** Returns the rank of the factors; 0 where the matrix is not made of any. */
  int rank();

  /** Returns alpha as stored; equal to the rank where the file has none. */
  double alpha();

  /** Returns what the matrix is multiplied by: usually alpha / rank. */
  double scale();

  /** Returns the type in which the matrix, or the first of its factors, is stored. */
  ElementType elementType();

  /** Returns how many values are stored. */
  long parameters();

  /** Returns the shape of the matrix. */
  default Shape shape() {
    return Shape.of(outputs(), inputs());
  }

  /**
   * LoRA: {@code scale * B A} is added.
   *
   * @param down A, [rank, inputs]
   * @param up B, [outputs, rank]
   */
  record LowRank(Matrix down, Matrix up, double alpha, double scale) implements Change {

    @Override
    public long outputs() {
      return up.rows();
    }

    @Override
    public long inputs() {
      return down.columns();
    }

    @Override
    public int rank() {
      return Math.toIntExact(down.rows());
    }

    @Override
    public ElementType elementType() {
      return down.type();
    }

    @Override
    public long parameters() {
      return down.tensor().shape().elementCount() + up.tensor().shape().elementCount();
    }
  }

  /**
   * LoKr: {@code scale * kron(left, right)} is added.
   *
   * @param left w1, each value of which multiplies the whole of {@code right}
   * @param right w2
   * @see <a href="https://github.com/KohakuBlueleaf/LyCORIS">LyCORIS</a>
   */
  record Kronecker(Factor left, Factor right, double alpha, double scale) implements Change {

    @Override
    public long outputs() {
      return Math.multiplyExact(left.rows(), right.rows());
    }

    @Override
    public long inputs() {
      return Math.multiplyExact(left.columns(), right.columns());
    }

    @Override
    public int rank() {
      return Math.max(left.rank(), right.rank());
    }

    @Override
    public ElementType elementType() {
      return left.type();
    }

    @Override
    public long parameters() {
      return left.parameters() + right.parameters();
    }
  }

  /**
   * LoHa: {@code scale} times the product of two matrices, element by element, is added.
   *
   * @param first w1
   * @param second w2, of the same shape
   * @see <a href="https://github.com/KohakuBlueleaf/LyCORIS">LyCORIS</a>
   */
  record Hadamard(Factor first, Factor second, double alpha, double scale) implements Change {

    @Override
    public long outputs() {
      return first.rows();
    }

    @Override
    public long inputs() {
      return first.columns();
    }

    @Override
    public int rank() {
      return first.rank();
    }

    @Override
    public ElementType elementType() {
      return first.type();
    }

    @Override
    public long parameters() {
      return first.parameters() + second.parameters();
    }
  }

  /** A matrix of values that are stored one by one, without factors. */
  sealed interface Whole extends Change {

    /** Returns the values, [outputs, inputs]. */
    Matrix values();

    @Override
    default long outputs() {
      return values().rows();
    }

    @Override
    default long inputs() {
      return values().columns();
    }

    @Override
    default int rank() {
      return 0;
    }

    @Override
    default double alpha() {
      return 0;
    }

    @Override
    default ElementType elementType() {
      return values().type();
    }

    @Override
    default long parameters() {
      return values().tensor().shape().elementCount();
    }
  }

  /**
   * The values are added.
   *
   * @param values what is added, [outputs, inputs]
   * @param scale what it is multiplied by
   */
  record Difference(Matrix values, double scale) implements Whole {}

  /**
   * The values come in the place of those that are there.
   *
   * @param values what the parameter becomes, [outputs, inputs]
   */
  record Replacement(Matrix values) implements Whole {

    @Override
    public double scale() {
      return 1;
    }
  }

  /**
   * A matrix as stored, or a product of stored ones: {@code up core down}.
   *
   * @param down the right factor, [rank, columns]; the matrix itself where there are no others
   * @param up the left factor, [rows, rank], if there is one
   * @param isUpTransposed whether {@code up} is stored the other way round, [rank, rows]
   * @param core stands between them, [rank, rank]; only beside {@code up}
   */
  record Factor(Matrix down, Optional<Matrix> up, boolean isUpTransposed, Optional<Matrix> core) {

    /** A stored matrix. */
    static Factor whole(Matrix matrix) {
      return new Factor(matrix, Optional.empty(), false, Optional.empty());
    }

    /** A product of two. */
    static Factor product(Matrix up, Matrix down) {
      return new Factor(down, Optional.of(up), false, Optional.empty());
    }

    /** Tucker's product, as LyCORIS writes it: the left factor lies on its side. */
    static Factor tucker(Matrix core, Matrix up, Matrix down) {
      return new Factor(down, Optional.of(up), true, Optional.of(core));
    }

    /** Returns the number of rows of the product. */
    public long rows() {
      return up.map(matrix -> isUpTransposed ? matrix.columns() : matrix.rows())
          .orElse(down.rows());
    }

    /** Returns the number of columns of the product. */
    public long columns() {
      return down.columns();
    }

    /** Returns the rank of the product; 0 for a stored matrix. */
    public int rank() {
      return up.isPresent() ? Math.toIntExact(down.rows()) : 0;
    }

    private ElementType type() {
      return down.type();
    }

    private long parameters() {
      return down.tensor().shape().elementCount()
          + up.map(matrix -> matrix.tensor().shape().elementCount()).orElse(0L)
          + core.map(matrix -> matrix.tensor().shape().elementCount()).orElse(0L);
    }
  }
}
