package io.github.urae.training.internal.engine;

/** What is trained, and from where it starts. */
public sealed interface AdapterStage {

  /** Largest rank: no projection of FLUX.1 has a smaller side. */
  int MOST_RANK = 3072;

  /**
   * Returns the rank of each adapter.
   *
   * @return at least 1; URAE: 16
   */
  int rank();

  /**
   * Returns the layers that get an adapter.
   *
   * @return patterns of their names
   */
  TargetModules targets();

  /**
   * LoRA, {@code y = W x + b + (alpha / rank) B A x}: A [rank, in] starts from a normal
   * distribution of standard deviation 1 / rank, B [out, rank] from zero. URAE's way to 2K.
   *
   * @param rank as above
   * @param alpha positive; URAE: the rank
   * @param targets as above
   * @param seed of A, the same on every machine
   */
  record Lora(int rank, double alpha, TargetModules targets, long seed) implements AdapterStage {

    /** Checks rank and alpha. */
    public Lora {
      checkRank(rank);
      if (!(alpha > 0) || Double.isInfinite(alpha)) {
        throw new IllegalArgumentException("alpha: expected a positive number, found " + alpha);
      }
    }
  }

  /**
   * Minor components: of each weight W, as base adapters leave it, the {@code rank} smallest
   * singular components B A are trained, and W - B A is not. URAE's way to 4K.
   *
   * @param rank as above
   * @param targets as above; only attention's {@code to_q}, {@code to_k}, {@code to_v} and {@code
   *     to_out.0}, since URAE's files have no names for others
   */
  record Minor(int rank, TargetModules targets) implements AdapterStage {

    /** Checks the rank. */
    public Minor {
      checkRank(rank);
    }
  }

  private static void checkRank(int rank) {
    if (rank < 1 || rank > MOST_RANK) {
      throw new IllegalArgumentException(
          "rank: expected 1 to " + MOST_RANK + ", found " + rank + "; URAE uses 16");
    }
  }
}
