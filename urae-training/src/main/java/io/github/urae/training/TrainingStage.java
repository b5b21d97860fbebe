package io.github.urae.training;

/**
 * What is trained: URAE's two ways to larger pictures.
 *
 * @see <a href="https://arxiv.org/abs/2503.16322">Ultra-Resolution Adaptation with Ease</a>
 */
public enum TrainingStage {
  /**
   * A LoRA beside weights that stay as they are; URAE's way to 2K, from pictures of a teacher.
   * 2,000 steps, no change of rotary base frequencies and no proportional attention, even though
   * pictures are drawn with both afterwards.
   */
  LORA,
  /**
   * The weights' smallest singular components, on top of the 2K adapter; URAE's way to 4K, from
   * real pictures. 10,000 steps, NTK factor 10 and proportional attention.
   */
  MINOR
}
