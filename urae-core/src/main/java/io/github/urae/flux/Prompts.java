package io.github.urae.flux;

/** What a generation draws: as text, or encoded before. */
public sealed interface Prompts permits TextPrompts, PromptEmbeddings {

  /**
   * Returns the number of prompts.
   *
   * @return at least 1
   */
  int count();

  /**
   * Returns one of the prompts alone.
   *
   * @param index from 0, less than {@link #count()}
   * @return prompts of the same kind, one of them
   */
  Prompts only(int index);
}
