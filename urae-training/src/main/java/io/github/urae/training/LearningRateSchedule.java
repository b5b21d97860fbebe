package io.github.urae.training;

/** How the learning rate goes on after the warm-up. */
public enum LearningRateSchedule {

  /** It stays, as URAE trains. */
  CONSTANT,

  /** It falls in a straight line, to nothing after the last update. */
  LINEAR,

  /** It falls along half a cosine, to nothing after the last update. */
  COSINE
}
