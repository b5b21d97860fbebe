package io.github.urae.training.internal.loop;

/**
 * What a training does step by step.
 *
 * @param seed of order, captions and noise
 * @param steps updates in all
 * @param batch pictures that are computed at once, where they are of one size
 * @param accumulate batches of an update
 * @param learningRate what the optimizer is told
 * @param maxGradientNorm gradients are scaled down to that
 * @param realPromptRatio probability of an original caption beside a generated one
 * @param saveEvery updates between checkpoints
 * @param keep checkpoints that stay
 * @param evaluateEvery updates between measurements of held-out pictures
 * @param sampleEvery updates between samples
 */
public record LoopSettings(
    long seed,
    long steps,
    int batch,
    int accumulate,
    LearningRate learningRate,
    double maxGradientNorm,
    double realPromptRatio,
    long saveEvery,
    int keep,
    long evaluateEvery,
    long sampleEvery) {

  /** Returns the pictures of an update. */
  int pictures() {
    return batch * accumulate;
  }
}
