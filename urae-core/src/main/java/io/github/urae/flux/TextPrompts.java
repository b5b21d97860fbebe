package io.github.urae.flux;

import io.github.urae.InvalidRequestException;
import java.util.List;
import java.util.OptionalInt;

/**
 * Prompts in words.
 *
 * @param prompts what CLIP reads, and T5 unless it has prompts of its own; one or more, each of at
 *     most {@link #MAX_LENGTH} characters
 * @param secondPrompts what T5 reads, one for each prompt; none where it reads the same
 * @param maxSequenceLength number of text tokens that T5 and the transformer see, at least 1; empty
 *     for the checkpoint's own (512 for FLUX.1-dev, 256 for -schnell)
 */
public record TextPrompts(
    List<String> prompts, List<String> secondPrompts, OptionalInt maxSequenceLength)
    implements Prompts {

  /** Longest prompt, in characters: many times what text encoders read. */
  public static final int MAX_LENGTH = 100_000;

  /**
   * Checks numbers and lengths.
   *
   * @param prompts as above; copied
   * @param secondPrompts as above; copied
   * @param maxSequenceLength as above
   */
  public TextPrompts {
    prompts = List.copyOf(prompts);
    secondPrompts = List.copyOf(secondPrompts);
    prompts.forEach(prompt -> checkLength("prompts", "prompt", prompt));
    secondPrompts.forEach(prompt -> checkLength("second_prompts", "second prompt", prompt));
    if (prompts.isEmpty()) {
      throw InvalidRequestException.of("prompts", "prompt: expected one or more, found none");
    }
    if (!secondPrompts.isEmpty() && secondPrompts.size() != prompts.size()) {
      throw InvalidRequestException.of(
          "second_prompts",
          "second prompts: expected one for each of "
              + prompts.size()
              + " prompts, found "
              + secondPrompts.size());
    }
    if (maxSequenceLength.isPresent() && maxSequenceLength.getAsInt() < 1) {
      throw InvalidRequestException.of(
          "max_sequence_length",
          "T5 sequence length: expected 1 or more, found " + maxSequenceLength.getAsInt());
    }
  }

  static void checkLength(String parameter, String name, String prompt) {
    if (prompt.length() > MAX_LENGTH) {
      throw InvalidRequestException.of(
          parameter,
          name
              + ": expected at most "
              + MAX_LENGTH
              + " characters, of which text encoders read some thousand, found "
              + prompt.length());
    }
  }

  @Override
  public int count() {
    return prompts.size();
  }

  @Override
  public TextPrompts only(int index) {
    return new TextPrompts(
        List.of(prompts.get(index)),
        secondPrompts.isEmpty() ? List.of() : List.of(secondPrompts.get(index)),
        maxSequenceLength);
  }

  /**
   * Returns what T5 reads.
   *
   * @return one for each prompt
   */
  public List<String> t5Prompts() {
    return secondPrompts.isEmpty() ? prompts : secondPrompts;
  }
}
