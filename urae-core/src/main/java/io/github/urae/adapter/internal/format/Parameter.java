package io.github.urae.adapter.internal.format;

/** What an adapter may change of a module of the model. */
public enum Parameter {
  /** The matrix of a linear layer or an embedding, or the scale of a normalisation. */
  WEIGHT("weight"),
  /** What is added to a layer's outputs. */
  BIAS("bias");

  private final String ending;

  Parameter(String ending) {
    this.ending = ending;
  }

  /**
   * Returns how its names end in diffusers.
   *
   * @return without the dot
   */
  public String ending() {
    return ending;
  }
}
