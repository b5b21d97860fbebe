package io.github.urae.adapter.internal.format;

/** What a tensor is of the change of its module. */
enum KeyRole {
  /** A of a low-rank product. */
  DOWN,
  /** B of a low-rank product. */
  UP,
  /** What a low-rank update adds to the bias. */
  UP_BIAS,
  /** What alpha / rank is made of. */
  ALPHA,
  /** What stands for alpha / rank. */
  SCALE,
  /** DoRA's lengths. */
  MAGNITUDE,
  KRONECKER_1,
  KRONECKER_1_A,
  KRONECKER_1_B,
  KRONECKER_2,
  KRONECKER_2_A,
  KRONECKER_2_B,
  /** The core of Tucker's product in the place of the second factor. */
  KRONECKER_2_CORE,
  HADAMARD_1_A,
  HADAMARD_1_B,
  HADAMARD_1_CORE,
  HADAMARD_2_A,
  HADAMARD_2_B,
  HADAMARD_2_CORE,
  /** What is added to the weight. */
  WEIGHT_DIFFERENCE,
  /** What is added to the bias. */
  BIAS_DIFFERENCE,
  /** What the weight becomes. */
  WHOLE_WEIGHT,
  /** What the bias becomes. */
  WHOLE_BIAS;

  /** Tells whether this is a factor of LoKr's product. */
  boolean isOfKronecker() {
    return switch (this) {
      case KRONECKER_1,
          KRONECKER_1_A,
          KRONECKER_1_B,
          KRONECKER_2,
          KRONECKER_2_A,
          KRONECKER_2_B,
          KRONECKER_2_CORE ->
          true;
      default -> false;
    };
  }

  /** Tells whether this is a factor of LoHa's products. */
  boolean isOfHadamard() {
    return switch (this) {
      case HADAMARD_1_A,
          HADAMARD_1_B,
          HADAMARD_1_CORE,
          HADAMARD_2_A,
          HADAMARD_2_B,
          HADAMARD_2_CORE ->
          true;
      default -> false;
    };
  }
}
