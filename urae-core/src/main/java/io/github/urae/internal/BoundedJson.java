package io.github.urae.internal;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonFactoryBuilder;
import com.fasterxml.jackson.core.StreamReadConstraints;

/**
 * Readers of JSON that others wrote: what is nested too deep, has too many parts or a number of too
 * many digits is no JSON to them. All readers are made here; the size of a file is bounded where it
 * is read.
 */
public final class BoundedJson {

  /** Digits of a number: more than any that means something, few enough to be converted. */
  private static final int MAX_NUMBER_LENGTH = 400;

  /**
   * Keys, values, beginnings and ends. A tree of as many takes up to 250 MB; the largest that is
   * read, of T5's tokenizer, has 130 000.
   */
  static final long MAX_TOKENS = 1 << 21;

  private static final int MAX_DEPTH = 64;

  private BoundedJson() {}

  /**
   * Begins a factory of readers that make trees.
   *
   * @return a builder of one for up to 64 levels
   */
  public static JsonFactoryBuilder trees() {
    return trees(MAX_DEPTH, StreamReadConstraints.DEFAULT_MAX_STRING_LEN);
  }

  /**
   * Begins a factory of readers that make trees.
   *
   * @param maxDepth objects and arrays inside of each other
   * @param maxTextLength characters of a text or key
   * @return a builder of it
   */
  public static JsonFactoryBuilder trees(int maxDepth, int maxTextLength) {
    return new JsonFactoryBuilder()
        // Keys of strangers are not worth a place in the JVM's table.
        .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
        .streamReadConstraints(limits(maxDepth, maxTextLength).maxTokenCount(MAX_TOKENS).build());
  }

  /**
   * Returns limits of a reader that makes no tree, so that any number of parts may come by.
   *
   * @param maxDepth objects and arrays inside of each other
   * @param maxTextLength characters of a text or key
   * @return a builder of the limits
   */
  public static StreamReadConstraints.Builder limits(int maxDepth, int maxTextLength) {
    return StreamReadConstraints.builder()
        .maxNestingDepth(maxDepth)
        .maxNumberLength(MAX_NUMBER_LENGTH)
        .maxStringLength(maxTextLength)
        .maxNameLength(maxTextLength);
  }
}
